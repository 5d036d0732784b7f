#include "ropewalk/absorption.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "frequency.hpp"
#include "pairs.hpp"
#include "unit_circle.hpp"

namespace ropewalk {
namespace {

/// The mean of e^(i distance frequency) over the distances 0 … n - 1: the sum of a geometric series over n.
Point mean_point(double frequency, std::uint32_t n) noexcept {
  const double half = frequency / 2;
  const double sine = unit_point(half).sin;
  if (sine == 0) return {1, 0};
  // Of more turns than a double can tell apart the quotient is any number; a mean is never longer than 1.
  const double length = std::clamp(unit_point(exact_product(n, half)).sin / (n * sine), -1.0, 1.0);
  const Point middle = unit_point(exact_product(n - 1.0, half));
  return {length * middle.cos, length * middle.sin};
}

double sum_of_squares(const float* row, std::size_t size) noexcept {
  double sum = 0;
  for (std::size_t c = 0; c < size; ++c) sum += static_cast<double>(row[c]) * row[c];
  return sum;
}

}  // namespace

Status absorb_rotation(TensorView<const float, 2> key_up, TensorView<const double, 1> inv_freq,
                       RopeLayout layout, std::uint32_t context_len, double first_distance, double step,
                       TensorView<float, 2> absorbed, TensorView<float, 1> error) noexcept {
  const auto [head_dim, kv_lora_rank] = key_up.shape;
  const std::size_t n_pairs = inv_freq.size();
  if (n_pairs > head_dim / 2) {
    return bad_shape("inv_freq", static_cast<double>(n_pairs), "at most head_dim / 2 pairs");
  }
  if (absorbed.shape != key_up.shape) {
    return bad_shape("absorbed", static_cast<double>(absorbed.size()), "the shape of key_up");
  }
  if (const Status status = check_frequencies(inv_freq); !status.ok()) return status;
  if (context_len == 0) return bad_value("context_len", 0, "at least 1");
  if (!is_angle_factor(first_distance))
    return bad_value("first_distance", first_distance, angle_factor_bounds);
  if (!is_angle_factor(step)) return bad_value("step", step, angle_factor_bounds);

  double whole = 0;
  for (std::size_t row = 0; row < head_dim; ++row) whole += sum_of_squares(key_up.row(row), kv_lora_rank);
  const std::size_t rotated = 2 * n_pairs;
  std::copy_n(key_up.row(rotated), (head_dim - rotated) * kv_lora_rank, absorbed.row(rotated));
  for (std::size_t i = 0; i < n_pairs; ++i) {
    const auto [a, b] = pair_at(i, n_pairs, layout);
    const Point mean = mean_point(inv_freq.data[i], context_len);
    for (std::size_t c = 0; c < kv_lora_rank; ++c) {
      const double up_a = key_up.row(a)[c];
      const double up_b = key_up.row(b)[c];
      absorbed.row(a)[c] = static_cast<float>(mean.cos * up_a + mean.sin * up_b);
      absorbed.row(b)[c] = static_cast<float>(mean.cos * up_b - mean.sin * up_a);
    }
  }

  // |mean - R| of a pair is that of two complex numbers, times the pair's own size. A block of distances at a time, so
  // that a pair's size is found once for all of them.
  std::array<double, 128> sums;
  for (std::size_t first = 0; first < error.size(); first += sums.size()) {
    const std::size_t size = std::min(sums.size(), error.size() - first);
    sums.fill(0);
    for (std::size_t i = 0; i < n_pairs; ++i) {
      const auto [a, b] = pair_at(i, n_pairs, layout);
      const Point mean = mean_point(inv_freq.data[i], context_len);
      const double square =
          sum_of_squares(key_up.row(a), kv_lora_rank) + sum_of_squares(key_up.row(b), kv_lora_rank);
      for (std::size_t s = 0; s < size; ++s) {
        const double distance = first_distance + static_cast<double>(first + s) * step;
        const Point turn = unit_point(exact_product(distance, inv_freq.data[i]));
        const double cosine = mean.cos - turn.cos;
        const double sine = mean.sin - turn.sin;
        sums[s] += square * (cosine * cosine + sine * sine);
      }
    }
    for (std::size_t s = 0; s < size; ++s) {
      error.data[first + s] = whole == 0 ? 0 : static_cast<float>(std::sqrt(sums[s] / whole));
    }
  }
  return {};
}

Status relative_errors(TensorView<const float, 2> x, TensorView<const float, 2> exact,
                       TensorView<float, 1> out) noexcept {
  const auto [rows, columns] = x.shape;
  if (exact.shape != x.shape) return bad_shape("exact", static_cast<double>(exact.size()), "the shape of x");
  if (out.size() != columns) {
    return bad_shape("out", static_cast<double>(out.size()), "an element for each column of x");
  }
  for (std::size_t c = 0; c < columns; ++c) {
    double errors = 0;
    double squares = 0;
    for (std::size_t r = 0; r < rows; ++r) {
      const double want = exact.row(r)[c];
      const double difference = x.row(r)[c] - want;
      errors += difference * difference;
      squares += want * want;
    }
    out.data[c] = errors == 0 ? 0 : static_cast<float>(std::sqrt(errors / squares));
  }
  return {};
}

}  // namespace ropewalk

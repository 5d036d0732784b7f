#include "ropewalk/analysis.hpp"

#include <cmath>
#include <numbers>

namespace ropewalk {
namespace {

/// The two components of pair i of `n_pairs`.
struct Pair {
  std::size_t a;
  std::size_t b;
};

constexpr Pair pair_at(std::size_t i, std::size_t n_pairs, RopeLayout layout) noexcept {
  return layout == RopeLayout::half ? Pair{i, i + n_pairs} : Pair{2 * i, 2 * i + 1};
}

}  // namespace

Status row_norms(TensorView<const float, 2> x, TensorView<float, 1> out) noexcept {
  if (out.shape[0] != x.shape[0]) {
    return bad_shape("out", static_cast<double>(out.shape[0]), "an element for each row of x");
  }
  for (std::size_t r = 0; r < x.shape[0]; ++r) {
    const float* row = x.row(r);
    double sum = 0;
    for (std::size_t c = 0; c < x.shape[1]; ++c) sum += static_cast<double>(row[c]) * row[c];
    out.data[r] = static_cast<float>(std::sqrt(sum));
  }
  return {};
}

Status max_abs_difference(TensorView<const float, 1> a, TensorView<const float, 1> b, float& out) noexcept {
  if (a.shape != b.shape) return bad_shape("b", static_cast<double>(b.size()), "as many elements as a");
  float largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const float difference = std::abs(a.data[i] - b.data[i]);
    // Written so that a NaN enters and then stays.
    if (!(difference <= largest)) largest = difference;
    if (std::isnan(largest)) break;
  }
  out = largest;
  return {};
}

Status rope_angles(double first_position, double step, TensorView<const double, 1> inv_freq,
                   TensorView<float, 2> out) noexcept {
  if (!std::isfinite(first_position)) return bad_value("first_position", first_position, "a finite number");
  if (!std::isfinite(step)) return bad_value("step", step, "a finite number");
  if (out.shape[1] != inv_freq.shape[0]) {
    return bad_shape("out", static_cast<double>(out.shape[1]), "a column for each of inv_freq");
  }
  for (std::size_t s = 0; s < out.shape[0]; ++s) {
    const double position = first_position + static_cast<double>(s) * step;
    for (std::size_t i = 0; i < out.shape[1]; ++i) {
      out.row(s)[i] = static_cast<float>(std::remainder(position * inv_freq.data[i], 2 * std::numbers::pi));
    }
  }
  return {};
}

Status pair_polar(TensorView<const float, 1> x, RopeLayout layout, TensorView<float, 1> magnitude,
                  TensorView<float, 1> angle) noexcept {
  const std::size_t n_pairs = x.size() / 2;
  if (x.size() % 2 != 0) return bad_shape("x", static_cast<double>(x.size()), "an even head_dim");
  constexpr const char* allowed = "[head_dim / 2]";
  if (magnitude.size() != n_pairs)
    return bad_shape("magnitude", static_cast<double>(magnitude.size()), allowed);
  if (angle.size() != n_pairs) return bad_shape("angle", static_cast<double>(angle.size()), allowed);
  for (std::size_t i = 0; i < n_pairs; ++i) {
    const auto [a, b] = pair_at(i, n_pairs, layout);
    const double xa = x.data[a];
    const double xb = x.data[b];
    magnitude.data[i] = static_cast<float>(std::sqrt(xa * xa + xb * xb));
    angle.data[i] = static_cast<float>(std::atan2(xb, xa));
  }
  return {};
}

Status pair_scores(TensorView<const float, 1> query, TensorView<const float, 1> key, RopeLayout layout,
                   float softmax_scale, TensorView<float, 1> out) noexcept {
  const std::size_t n_pairs = query.size() / 2;
  if (query.size() % 2 != 0) return bad_shape("query", static_cast<double>(query.size()), "an even head_dim");
  if (key.size() != query.size())
    return bad_shape("key", static_cast<double>(key.size()), "the head_dim of query");
  if (out.size() != n_pairs) return bad_shape("out", static_cast<double>(out.size()), "[head_dim / 2]");
  if (!std::isfinite(softmax_scale)) {
    return bad_value("softmax_scale", static_cast<double>(softmax_scale), "a finite number");
  }
  for (std::size_t i = 0; i < n_pairs; ++i) {
    const auto [a, b] = pair_at(i, n_pairs, layout);
    const double sum =
        static_cast<double>(query.data[a]) * key.data[a] + static_cast<double>(query.data[b]) * key.data[b];
    out.data[i] = static_cast<float>(sum * softmax_scale);
  }
  return {};
}

}  // namespace ropewalk

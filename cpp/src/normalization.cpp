#include "ropewalk/normalization.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "exp.hpp"
#include "simd.hpp"
#include "softmax.hpp"

namespace ropewalk {
namespace {

using simd::Vector;

constexpr float lowest = -std::numeric_limits<float>::infinity();

/// As softmax_row(), down `count` <= width columns at once: [size, inner] to [size, inner].
void softmax_columns(const float* x, float* out, std::size_t size, std::size_t inner,
                     std::size_t count) noexcept {
  Vector maximum(lowest);
  for (std::size_t i = 0; i < size; ++i)
    maximum = xsimd::max(maximum, simd::load_up_to(x + i * inner, count));
  maximum = xsimd::select(maximum == Vector(lowest), Vector(0.0f), maximum);
  Vector sum(0.0f);
  for (std::size_t i = 0; i < size; ++i) {
    const Vector weights = simd::exp(simd::load_up_to(x + i * inner, count) - maximum);
    sum += weights;
    simd::store_up_to(out + i * inner, weights, count);
  }
  const Vector factor = 1 / xsimd::select(sum == Vector(0.0f), Vector(1.0f), sum);
  for (std::size_t i = 0; i < size; ++i) {
    simd::store_up_to(out + i * inner, simd::load_up_to(out + i * inner, count) * factor, count);
  }
}

}  // namespace

bool softmax_row(float* row, std::size_t size) noexcept {
  Vector largest(lowest);
  for (std::size_t j = 0; j < size; j += simd::width) {
    largest = xsimd::max(largest, simd::load_up_to(row + j, size - j, lowest));
  }
  float maximum = xsimd::reduce_max(largest);
  // -inf minus -inf is NaN; against any finite maximum exp gives the zero that is meant (and NaN scores stay NaN).
  if (maximum == lowest) maximum = 0;

  Vector sums(0.0f);
  for (std::size_t j = 0; j < size; j += simd::width) {
    const Vector weights = simd::exp(simd::load_up_to(row + j, size - j, lowest) - Vector(maximum));
    sums += weights;
    simd::store_up_to(row + j, weights, size - j);
  }
  const float sum = xsimd::reduce_add(sums);
  if (sum == 0) return false;
  const float factor = 1 / sum;
  for (std::size_t j = 0; j < size; j += simd::width) {
    simd::store_up_to(row + j, simd::load_up_to(row + j, size - j) * factor, size - j);
  }
  return true;
}

Status softmax(TensorView<const float, 3> x, TensorView<float, 3> out) noexcept {
  if (out.shape != x.shape) return bad_shape("out", static_cast<double>(out.size()), "the shape of x");
  const auto [outer, size, inner] = x.shape;
  for (std::size_t o = 0; o < outer; ++o) {
    const float* const from = x.row(o, 0u);
    float* const to = out.row(o, 0u);
    if (inner == 1) {
      if (to != from) std::copy_n(from, size, to);
      softmax_row(to, size);
      continue;
    }
    for (std::size_t c = 0; c < inner; c += simd::width) {
      softmax_columns(from + c, to + c, size, inner, std::min(simd::width, inner - c));
    }
  }
  return {};
}

Status rms_norm(TensorView<const float, 2> x, TensorView<const float, 1> weight, double epsilon,
                TensorView<float, 2> out) noexcept {
  const auto [rows, dim] = x.shape;
  if (!weight.empty() && weight.size() != dim) {
    return bad_shape("weight", static_cast<double>(weight.size()), "[dim], or empty");
  }
  if (out.shape != x.shape) return bad_shape("out", static_cast<double>(out.size()), "the shape of x");
  if (!std::isfinite(epsilon) || epsilon < 0)
    return bad_value("epsilon", epsilon, "a finite number, at least 0");
  for (std::size_t r = 0; r < rows; ++r) {
    const float* const from = x.row(r);
    float* const to = out.row(r);
    double sum = 0;
    for (std::size_t c = 0; c < dim; ++c) sum += static_cast<double>(from[c]) * from[c];
    const double mean = sum / static_cast<double>(dim) + epsilon;
    const double factor = mean == 0 ? 0 : 1 / std::sqrt(mean);
    for (std::size_t c = 0; c < dim; ++c) {
      const auto normal = static_cast<float>(from[c] * factor);
      to[c] = weight.empty() ? normal : normal * weight.data[c];
    }
  }
  return {};
}

}  // namespace ropewalk

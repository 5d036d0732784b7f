#include "ropewalk/rope.hpp"

#include <cmath>

#include "frequency.hpp"
#include "simd.hpp"

namespace ropewalk {
namespace {

using simd::Vector;

/// (a, b) turned by the angle: (a cos - b sin, b cos + a sin), pairs half a head apart.
void rotate_half(float* x, const float* cos, const float* sin, std::size_t n_pairs) noexcept {
  float* a = x;
  float* b = x + n_pairs;
  std::size_t i = 0;
  for (; i + simd::width <= n_pairs; i += simd::width) {
    const Vector c = simd::load(cos + i);
    const Vector s = simd::load(sin + i);
    const Vector va = simd::load(a + i);
    const Vector vb = simd::load(b + i);
    simd::store(a + i, va * c - vb * s);
    simd::store(b + i, vb * c + va * s);
  }
  for (; i < n_pairs; ++i) {
    const float va = a[i];
    const float vb = b[i];
    a[i] = va * cos[i] - vb * sin[i];
    b[i] = vb * cos[i] + va * sin[i];
  }
}

/// The same for neighbours: (a, b, …) * (c, c, …) + (b, a, …) * (-s, s, …), so that nothing need be taken apart.
void rotate_interleaved(float* x, const float* cos, const float* sin, std::size_t n_pairs) noexcept {
  std::size_t i = 0;
  for (; i + simd::width <= n_pairs; i += simd::width) {
    const Vector c = simd::load(cos + i);
    const Vector s = simd::load(sin + i);
    float* low = x + 2 * i;
    float* high = low + simd::width;
    const Vector v_low = simd::load(low);
    const Vector v_high = simd::load(high);
    simd::store(
        low, v_low * simd::interleave_low(c, c) + simd::swap_neighbours(v_low) * simd::interleave_low(-s, s));
    simd::store(high, v_high * simd::interleave_high(c, c) +
                          simd::swap_neighbours(v_high) * simd::interleave_high(-s, s));
  }
  for (; i < n_pairs; ++i) {
    const float a = x[2 * i];
    const float b = x[2 * i + 1];
    x[2 * i] = a * cos[i] - b * sin[i];
    x[2 * i + 1] = b * cos[i] + a * sin[i];
  }
}

}  // namespace

Status rope_inv_freq(double rope_theta, TensorView<double, 1> inv_freq) noexcept {
  if (!is_base(rope_theta)) return bad_value("rope_theta", rope_theta, "a finite number > 0");
  const std::size_t n_pairs = inv_freq.shape[0];
  for (std::size_t i = 0; i < n_pairs; ++i) {
    inv_freq.data[i] = inverse_frequency(rope_theta, i, 2 * n_pairs);
  }
  return {};
}

Status build_rope_cache(TensorView<const std::int32_t, 1> position_ids, TensorView<const double, 1> inv_freq,
                        TensorView<float, 2> cos, TensorView<float, 2> sin) noexcept {
  const std::array expected{position_ids.shape[0], inv_freq.shape[0]};
  constexpr const char* allowed = "[seq_len, rotary_dim / 2]";
  if (cos.shape != expected) return bad_shape("cos", static_cast<double>(cos.size()), allowed);
  if (sin.shape != expected) return bad_shape("sin", static_cast<double>(sin.size()), allowed);
  for (std::size_t s = 0; s < expected[0]; ++s) {
    for (std::size_t i = 0; i < expected[1]; ++i) {
      const double angle = position_ids.data[s] * inv_freq.data[i];
      cos.row(s)[i] = static_cast<float>(std::cos(angle));
      sin.row(s)[i] = static_cast<float>(std::sin(angle));
    }
  }
  return {};
}

Status apply_rope(TensorView<float, 3> x, TensorView<const float, 2> cos, TensorView<const float, 2> sin,
                  RopeLayout layout) noexcept {
  const auto [seq_len, n_heads, head_dim] = x.shape;
  const std::size_t n_pairs = cos.shape[1];
  if (cos.shape[0] != seq_len) {
    return bad_shape("cos", static_cast<double>(cos.shape[0]), "a row for each of seq_len");
  }
  if (sin.shape != cos.shape) return bad_shape("sin", static_cast<double>(sin.size()), "the shape of cos");
  if (n_pairs > head_dim / 2) {
    return bad_shape("cos", static_cast<double>(n_pairs), "at most head_dim / 2 pairs");
  }
  const auto rotate = layout == RopeLayout::half ? rotate_half : rotate_interleaved;
  for (std::size_t s = 0; s < seq_len; ++s) {
    for (std::size_t h = 0; h < n_heads; ++h) rotate(x.row(s, h), cos.row(s), sin.row(s), n_pairs);
  }
  return {};
}

}  // namespace ropewalk

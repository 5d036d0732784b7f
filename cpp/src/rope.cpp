#include "ropewalk/rope.hpp"

#include <algorithm>
#include <cmath>

#include "frequency.hpp"
#include "simd.hpp"
#include "unit_circle.hpp"

namespace ropewalk {
namespace {

using simd::Vector;

// ---- Checks ----------------------------------------------------------------------------------------------

Status check_cache(TensorView<float, 2> cos, TensorView<float, 2> sin, std::size_t rows,
                   std::size_t n_pairs) noexcept {
  const std::array expected{rows, n_pairs};
  constexpr const char* allowed = "[rows, rotary_dim / 2]";
  if (cos.shape != expected) return bad_shape("cos", static_cast<double>(cos.size()), allowed);
  if (sin.shape != expected) return bad_shape("sin", static_cast<double>(sin.size()), allowed);
  return {};
}

// ---- Rotations -------------------------------------------------------------------------------------------

/// (a, b) turned by the angle: (a cos - b sin, b cos + a sin), pairs half a head apart.
[[gnu::always_inline]] inline void rotate_half(float* x, const float* cos, const float* sin,
                                               std::size_t n_pairs) noexcept {
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

/// The same for neighbours.
[[gnu::always_inline]] inline void rotate_interleaved(float* x, const float* cos, const float* sin,
                                                      std::size_t n_pairs) noexcept {
  std::size_t i = 0;
  for (; i + simd::width <= n_pairs; i += simd::width) {
    const Vector c = simd::load(cos + i);
    const Vector s = simd::load(sin + i);
    float* low = x + 2 * i;
    float* high = low + simd::width;
    const Vector v_low = simd::load(low);
    const Vector v_high = simd::load(high);
    const Vector va = simd::even_lanes(v_low, v_high);
    const Vector vb = simd::odd_lanes(v_low, v_high);
    const Vector a = va * c - vb * s;
    const Vector b = vb * c + va * s;
    simd::store(low, simd::interleave_low(a, b));
    simd::store(high, simd::interleave_high(a, b));
  }
  for (; i < n_pairs; ++i) {
    const float a = x[2 * i];
    const float b = x[2 * i + 1];
    x[2 * i] = a * cos[i] - b * sin[i];
    x[2 * i + 1] = b * cos[i] + a * sin[i];
  }
}

/// A token's heads, by either. By a call for each head rotation takes half as long again.
template <auto rotate>
void rotate_heads(float* x, std::size_t n_heads, std::size_t head_stride, const float* cos, const float* sin,
                  std::size_t n_pairs) noexcept {
  for (std::size_t h = 0; h < n_heads; ++h) rotate(x + h * head_stride, cos, sin, n_pairs);
}

}  // namespace

// ---- Frequencies and axes --------------------------------------------------------------------------------

Status rope_inv_freq(double rope_theta, TensorView<double, 1> inv_freq) noexcept {
  if (!is_base(rope_theta)) return bad_value("rope_theta", rope_theta, base_bounds);
  const std::size_t n_pairs = inv_freq.shape[0];
  const InverseFrequencies frequencies(rope_theta, 2 * n_pairs);
  for (std::size_t i = 0; i < n_pairs; ++i) {
    inv_freq.data[i] = frequencies[i];
  }
  return {};
}

Status mrope_pair_axes(TensorView<const std::int32_t, 1> sections, bool interleaved,
                       TensorView<std::int32_t, 1> pair_axes) noexcept {
  if (sections.shape[0] != 3) {
    return bad_shape("sections", static_cast<double>(sections.shape[0]), "[3]: time, height and width");
  }
  const auto n_pairs = static_cast<std::int64_t>(pair_axes.shape[0]);
  std::int64_t sum = 0;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    if (sections.data[axis] < 0) return bad_value("sections", sections.data[axis], "numbers >= 0");
    sum += sections.data[axis];
  }
  if (sum != n_pairs) {
    return bad_shape("sections", static_cast<double>(sum), "as many together as there are pairs");
  }
  for (std::int64_t axis = 1; interleaved && axis < 3; ++axis) {
    const std::int64_t last = std::int64_t{3} * (sections.data[axis] - 1) + axis;
    if (last >= n_pairs) {
      return bad_shape("sections", sections.data[axis], "height and width that fit among all pairs");
    }
  }
  const std::int64_t time = sections.data[0];
  const std::int64_t height = sections.data[1];
  for (std::int64_t i = 0; i < n_pairs; ++i) {
    const std::int64_t turn = i % 3;
    const std::int64_t in_turn = i < std::int64_t{3} * sections.data[turn] ? turn : 0;
    const std::int64_t in_section = i < time ? 0 : i < time + height ? 1 : 2;
    pair_axes.data[i] = static_cast<std::int32_t>(interleaved ? in_turn : in_section);
  }
  return {};
}

Status axial_rope(double rope_theta, TensorView<double, 1> inv_freq,
                  TensorView<std::int32_t, 1> pair_axes) noexcept {
  const std::size_t n_pairs = inv_freq.shape[0];
  if (n_pairs % 2 != 0) return bad_shape("inv_freq", static_cast<double>(n_pairs), "an even number of pairs");
  if (pair_axes.shape != inv_freq.shape) {
    return bad_shape("pair_axes", static_cast<double>(pair_axes.shape[0]), "an axis for each of inv_freq");
  }
  if (!is_base(rope_theta)) return bad_value("rope_theta", rope_theta, base_bounds);
  const std::size_t half = n_pairs / 2;
  const InverseFrequencies frequencies(rope_theta, n_pairs);
  for (std::size_t i = 0; i < half; ++i) {
    inv_freq.data[i] = inv_freq.data[half + i] = frequencies[i];
    pair_axes.data[i] = 0;
    pair_axes.data[half + i] = 1;
  }
  return {};
}

// ---- Caches ----------------------------------------------------------------------------------------------

Status build_rope_cache(TensorView<const std::int32_t, 2> position_ids, TensorView<const double, 1> inv_freq,
                        TensorView<const std::int32_t, 1> pair_axes, double attention_factor,
                        TensorView<float, 2> cos, TensorView<float, 2> sin) noexcept {
  const auto [n_axes, rows] = position_ids.shape;
  const std::size_t n_pairs = inv_freq.shape[0];
  if (n_axes == 0) return bad_shape("position_ids", 0, "at least one axis");
  if (!pair_axes.empty() && pair_axes.shape != inv_freq.shape) {
    return bad_shape("pair_axes", static_cast<double>(pair_axes.shape[0]), "an axis for each of inv_freq");
  }
  if (const Status status = check_cache(cos, sin, rows, n_pairs); !status.ok()) return status;
  if (const Status status = check_frequencies(inv_freq); !status.ok()) return status;
  for (std::size_t i = 0; i < pair_axes.shape[0]; ++i) {
    const std::int32_t axis = pair_axes.data[i];
    if (axis < 0 || static_cast<std::size_t>(axis) >= n_axes) {
      return bad_value("pair_axes", axis, "from 0 to below the number of position_ids' axes");
    }
  }
  if (!std::isfinite(attention_factor)) {
    return bad_value("attention_factor", attention_factor, "a finite number");
  }
  for (std::size_t s = 0; s < rows; ++s) {
    for (std::size_t i = 0; i < n_pairs; ++i) {
      const std::int32_t axis = pair_axes.empty() ? 0 : pair_axes.data[i];
      const Point point = unit_point(exact_product(position_ids.row(axis)[s], inv_freq.data[i]));
      cos.row(s)[i] = static_cast<float>(attention_factor * point.cos);
      sin.row(s)[i] = static_cast<float>(attention_factor * point.sin);
    }
  }
  return {};
}

Status build_xpos_cache(TensorView<const std::int32_t, 1> position_ids, TensorView<const double, 1> inv_freq,
                        double scale_base, double gamma, XposSide side, TensorView<float, 2> cos,
                        TensorView<float, 2> sin) noexcept {
  const std::size_t rows = position_ids.shape[0];
  const std::size_t n_pairs = inv_freq.shape[0];
  if (const Status status = check_cache(cos, sin, rows, n_pairs); !status.ok()) return status;
  if (const Status status = check_frequencies(inv_freq); !status.ok()) return status;
  if (!is_base(scale_base)) return bad_value("scale_base", scale_base, base_bounds);
  if (!is_base(gamma)) return bad_value("gamma", gamma, base_bounds);
  const double sign = side == XposSide::query ? 1 : -1;
  for (std::size_t i = 0; i < n_pairs; ++i) {
    const double zeta = (static_cast<double>(i) / static_cast<double>(n_pairs) + gamma) / (1 + gamma);
    const double growth = sign * natural_log(zeta) / scale_base;
    for (std::size_t s = 0; s < rows; ++s) {
      const std::int32_t position = position_ids.data[s];
      const Point point = unit_point(exact_product(position, inv_freq.data[i]));
      const double scale = std::exp(position * growth);
      cos.row(s)[i] = static_cast<float>(scale * point.cos);
      sin.row(s)[i] = static_cast<float>(scale * point.sin);
    }
  }
  return {};
}

// ---- Rotation --------------------------------------------------------------------------------------------

Status apply_rope(HeadsView<float> x, TensorView<const float, 2> cos, TensorView<const float, 2> sin,
                  TensorView<const std::int32_t, 1> position_ids, RopeLayout layout) noexcept {
  const std::size_t tokens = x.batch * x.len;
  const auto [rows, n_pairs] = cos.shape;
  const bool by_id = position_ids.shape[0] != 0;
  if (by_id && position_ids.shape[0] != tokens) {
    return bad_shape("position_ids", static_cast<double>(position_ids.shape[0]), "a row for each token of x");
  }
  if (!by_id && rows != tokens && rows != x.len) {
    return bad_shape("cos", static_cast<double>(rows), "a row for each token, or for each of seq_len");
  }
  if (n_pairs > x.head_dim / 2) {
    return bad_shape("cos", static_cast<double>(n_pairs), "at most head_dim / 2 pairs");
  }
  if (sin.shape != cos.shape) return bad_shape("sin", static_cast<double>(sin.size()), "the shape of cos");
  for (std::size_t i = 0; i < position_ids.shape[0]; ++i) {
    const std::int32_t id = position_ids.data[i];
    if (id < 0 || static_cast<std::size_t>(id) >= rows) {
      return bad_value("position_ids", id, "from 0 to below the number of cos' rows");
    }
  }
  const auto rotate =
      layout == RopeLayout::half ? rotate_heads<rotate_half> : rotate_heads<rotate_interleaved>;
  for (std::size_t b = 0; b < x.batch; ++b) {
    for (std::size_t s = 0; s < x.len; ++s) {
      const std::size_t token = b * x.len + s;
      const std::size_t row = by_id ? static_cast<std::size_t>(position_ids.data[token]) : token % rows;
      rotate(x.row(b, s, 0), x.n_heads, x.head_stride, cos.row(row), sin.row(row), n_pairs);
    }
  }
  return {};
}

Status convert_rope_layout(TensorView<const float, 3> x, std::size_t rotary_dim, RopeLayout to,
                           TensorView<float, 3> out) noexcept {
  const auto [outer, head_dim, inner] = x.shape;
  if (rotary_dim % 2 != 0 || rotary_dim > head_dim) {
    return bad_shape("rotary_dim", static_cast<double>(rotary_dim), "even, at most head_dim");
  }
  if (out.shape != x.shape) return bad_shape("out", static_cast<double>(out.size()), "the shape of x");
  const std::size_t n_pairs = rotary_dim / 2;
  for (std::size_t o = 0; o < outer; ++o) {
    for (std::size_t i = 0; i < n_pairs; ++i) {
      for (std::size_t side = 0; side < 2; ++side) {
        const std::size_t interleaved = 2 * i + side;
        const std::size_t half = i + side * n_pairs;
        const bool to_half = to == RopeLayout::half;
        std::copy_n(x.row(o, to_half ? interleaved : half), inner, out.row(o, to_half ? half : interleaved));
      }
    }
    std::copy_n(x.row(o, rotary_dim), (head_dim - rotary_dim) * inner, out.row(o, rotary_dim));
  }
  return {};
}

}  // namespace ropewalk

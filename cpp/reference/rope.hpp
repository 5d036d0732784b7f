#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ropewalk/rope.hpp"

namespace ropewalk::reference {

/// [rotary_dim / 2]  inv_freq[i] = rope_theta^(-2i/rotary_dim).
std::vector<double> rope_inv_freq(double rope_theta, std::size_t rotary_dim);

/// Which of (time, height, width) each pair turns by: in sections (arXiv:2409.12191, section 2.1); or time for
/// all, but for each third pair from the second on height, from the third on width, as many as their sections
/// say.
std::vector<std::int32_t> mrope_pair_axes(std::span<const std::int32_t> sections, bool interleaved);

struct AxialRope {
  std::vector<double> inv_freq;         ///< [rotary_dim / 2]
  std::vector<std::int32_t> pair_axes;  ///< [rotary_dim / 2]
};

/// Rotary embedding of rotary_dim / 2 components by the row, and of as many by the column (arXiv:2403.13298,
/// eq. 6).
AxialRope axial_rope(double rope_theta, std::size_t rotary_dim);

struct CirclePoint {
  long double cos;
  long double sin;
};

/// The point of the unit circle at position * inv_freq radians, as if that product and pi were known without end:
/// both coordinates to the last digits of the library's cosine and sine, however near to zero.
CirclePoint circle_point(std::int32_t position, long double inv_freq);

struct RopeCache {
  std::vector<double> cos;  ///< [rows, n_pairs]
  std::vector<double> sin;  ///< [rows, n_pairs]
};

/// cos[s][i] = attention_factor * cos(position_ids[pair_axes[i]][s] * inv_freq[i]), and its sine.
///
/// position_ids  [n_axes, rows]
/// inv_freq      [n_pairs]
/// pair_axes     [n_pairs], or empty: the first axis for all
RopeCache build_rope_cache(std::span<const std::int32_t> position_ids, std::span<const long double> inv_freq,
                           std::size_t n_axes = 1, std::span<const std::int32_t> pair_axes = {},
                           long double attention_factor = 1);

/// The same times zeta_i^(±position / scale_base), + for queries (arXiv:2212.10554, algorithm 1).
RopeCache build_xpos_cache(std::span<const std::int32_t> position_ids, std::span<const long double> inv_freq,
                           double scale_base, double gamma, XposSide side);

/// Where the pair's two components stand in a head.
struct Pair {
  std::size_t first;
  std::size_t second;
};
Pair pair_components(std::size_t pair, std::size_t rotary_dim, RopeLayout layout);

struct HeadsShape {
  HeadsFormat format = HeadsFormat::bshd;
  std::size_t batch = 1;
  std::size_t len = 1;
  std::size_t n_heads = 1;
  std::size_t head_dim = 2;

  std::size_t size() const { return batch * len * n_heads * head_dim; }

  /// Where a head begins.
  std::size_t head(std::size_t b, std::size_t s, std::size_t h) const {
    const bool rows_first = format == HeadsFormat::bshd;
    return (rows_first ? (b * len + s) * n_heads + h : (b * n_heads + h) * len + s) * head_dim;
  }
};

/// Turn each pair of each head of x, as a point of the plane, by its token's and its pair's angle:
///
///     (a, b)  ->  (a cos - b sin, a sin + b cos)                (arXiv:2104.09864, eq. 13 and 15)
///
/// x         [batch, len, n_heads, head_dim] or [batch, n_heads, len, head_dim], in place
/// cos, sin  [rows, rotary_dim / 2]
/// rows      [batch * len], the row of cos and sin for each token
void apply_rope(std::span<double> x, const HeadsShape& shape, std::span<const double> cos,
                std::span<const double> sin, std::span<const std::int32_t> rows, std::size_t rotary_dim,
                RopeLayout layout);

/// [outer, head_dim, inner]  Each pair of the other layout, moved to where it stands in this one.
std::vector<float> convert_rope_layout(std::span<const float> x, std::size_t head_dim, std::size_t inner,
                                       std::size_t rotary_dim, RopeLayout to);

}  // namespace ropewalk::reference

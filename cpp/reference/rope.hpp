#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ropewalk/rope.hpp"

namespace ropewalk::reference {

/// [rotary_dim / 2]  inv_freq[i] = rope_theta^(-2i/rotary_dim).
std::vector<double> rope_inv_freq(double rope_theta, std::size_t rotary_dim);

struct RopeCache {
  std::vector<double> cos;  ///< [seq_len, rotary_dim / 2]
  std::vector<double> sin;  ///< [seq_len, rotary_dim / 2]
};

/// cos[s][i] = cos(position_ids[s] * inv_freq[i]), and its sine. Angles in long double.
RopeCache build_rope_cache(std::span<const std::int32_t> position_ids, std::span<const double> inv_freq);

/// Where the pair's two components stand in a head.
struct Pair {
  std::size_t first;
  std::size_t second;
};
Pair pair_components(std::size_t pair, std::size_t rotary_dim, RopeLayout layout);

/// Turn each pair of each head of x, as a point of the plane, by its token's and its pair's angle:
///
///     (a, b)  ->  (a cos - b sin, a sin + b cos)                                  (arXiv:2104.09864, eq. 13
///     and 15)
///
/// x         [seq_len, n_heads, head_dim], in place
/// cos, sin  [seq_len, rotary_dim / 2]
void apply_rope(std::span<double> x, std::size_t seq_len, std::size_t n_heads, std::size_t head_dim,
                std::span<const double> cos, std::span<const double> sin, std::size_t rotary_dim,
                RopeLayout layout);

}  // namespace ropewalk::reference

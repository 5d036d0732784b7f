#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "ropewalk/rope.hpp"

namespace ropewalk::reference {

/// [rows]  sqrt of the sum of x[r][c]^2 over c.
std::vector<double> row_norms(std::span<const double> x, std::size_t rows, std::size_t dim);

/// Largest |a - b|, and NaN where there is one.
double max_abs_difference(std::span<const double> a, std::span<const double> b);

/// [count, rotary_dim / 2]  (first_position + s * step) * inv_freq[i], less the whole turns: in [-pi, pi].
std::vector<double> rope_angles(double first_position, double step, std::size_t count,
                                std::span<const double> inv_freq);

struct Polar {
  std::vector<double> magnitude;  ///< [head_dim / 2]
  std::vector<double> angle;      ///< [head_dim / 2], in [-pi, pi]
};

/// Each pair (a, b) of x as an arrow: its length, and the angle from a's axis towards b's.
Polar pair_polar(std::span<const double> x, RopeLayout layout);

/// [head_dim / 2]  softmax_scale * (q_a k_a + q_b k_b), for each pair.
std::vector<double> pair_scores(std::span<const double> query, std::span<const double> key, RopeLayout layout,
                                double softmax_scale);

}  // namespace ropewalk::reference

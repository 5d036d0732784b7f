#pragma once

#include <cstddef>
#include <cstdint>
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

struct RopeScore {
  std::vector<double> parts;  ///< [n_pairs], those left out as well
  double rest = 0;            ///< of the components that are not rotated
  double score = 0;           ///< rest and all parts that are not left out
};

/// softmax_scale * (R q) · k, pair by pair, where R rotates by the distance alone: a rotated query and key
/// know no more of their positions (arXiv:2104.09864, eq. 16).
///
/// query, key  [head_dim], not rotated
/// inv_freq    [n_pairs]
/// pair_mask   [n_pairs], 0 for a pair that is left out; or empty
RopeScore rope_score(std::span<const double> query, std::span<const double> key,
                     std::span<const double> inv_freq, RopeLayout layout, double distance,
                     double softmax_scale, std::span<const std::uint8_t> pair_mask);

struct RandomScores {
  std::vector<double> mean;       ///< [distances]
  std::vector<double> deviation;  ///< [distances], the root of the mean square
};

/// Mean and standard deviation of rope_score() over random queries and keys of 2 * n_pairs components, all
/// rotated, softmax_scale 1/sqrt(2 * n_pairs).
///
/// For draw t, SplitMix64 (the published generator) is started from
///
///     mix(mix(seed' + gamma) + (t + 1) * gamma),    seed' = seed with bit 30 turned over
///
/// and yields, pair after pair, four numbers: q_a, q_b, r_a, r_b. A number is the sum of twelve uniform ones,
/// less 6: the four 16-bit parts of three outputs of the generator, each the middle of its 2^16th part of (0,
/// 1). The key is correlation * q + sqrt(1 - correlation^2) * r.
RandomScores rope_random_scores(std::span<const double> inv_freq, std::uint32_t seed, std::uint32_t draws,
                                double correlation, std::span<const double> distances);

/// Mean over j = 1 … n_pairs of |sum over i < j of e^(sqrt(-1) distance inv_freq[i])| (arXiv:2104.09864,
/// section 3.4.3).
double rope_decay_bound(std::span<const double> inv_freq, double distance);

/// [n_pairs]  2 pi / |inv_freq|: after how many tokens a pair points the same way again.
std::vector<double> rope_wavelengths(std::span<const double> inv_freq);

/// [rows]  a[r] · b[r] / (|a[r]| |b[r]|), or 0 where a length is.
std::vector<double> row_cosines(std::span<const double> a, std::span<const double> b, std::size_t rows,
                                std::size_t dim);

/// [rows - 1]  |x[r + 1] - x[r]|.
std::vector<double> neighbour_distances(std::span<const double> x, std::size_t rows, std::size_t dim);

/// [rows, rows]  x[i] · x[j]; or the cosine of the angle between them, 0 where a length is.
std::vector<double> similarity(std::span<const double> x, std::size_t rows, std::size_t dim, bool cosine);

}  // namespace ropewalk::reference

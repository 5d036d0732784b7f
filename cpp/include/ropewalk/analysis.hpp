#pragma once

#include <cstdint>

#include "ropewalk/rope.hpp"
#include "ropewalk/status.hpp"
#include "ropewalk/tensor_view.hpp"

/// What the pictures draw, beyond the kernels' own results.
namespace ropewalk {

/// Euclidean length of each row.
///
/// x         [rows, dim]
/// out       [rows]
/// Errors    bad_shape: out.shape[0] != rows; out is untouched.
/// Memory    none allocated.
/// Accuracy  summed in double, rounded once.
[[nodiscard]] Status row_norms(TensorView<const float, 2> x, TensorView<float, 1> out) noexcept;

/// Largest |a - b| over all elements; NaN if any element of either is NaN.
///
/// a, b    [size]
/// out     the difference.
/// Errors  bad_shape: sizes that disagree; out is untouched.
/// Memory  none allocated.
[[nodiscard]] Status max_abs_difference(TensorView<const float, 1> a, TensorView<const float, 1> b,
                                        float& out) noexcept;

/// The rope: each pair's angle at evenly spaced positions first_position + s * step, wrapped to [-pi, pi]. Positions
/// may be fractions, so that the picture is as fine as its pixels.
///
/// first_position, step  in tokens; finite.
/// inv_freq              [rotary_dim / 2], radians per position.
/// out                   [count, rotary_dim / 2], radians.
/// Errors                bad_shape: out.shape[1] != rotary_dim / 2. bad_value: first_position, step. out is
///                       untouched.
/// Memory                none allocated.
/// Accuracy              modulo 2 pi: 2^-23 + 2^-51 * (|first_position| + |s * step|) * inv_freq.
[[nodiscard]] Status rope_angles(double first_position, double step, TensorView<const double, 1> inv_freq,
                                 TensorView<float, 2> out) noexcept;

/// Each pair of a head's components as an arrow: its length, and its angle from the pair's first component.
///
/// x          [head_dim], head_dim even.
/// layout     which components pair up.
/// magnitude  [head_dim / 2]
/// angle      [head_dim / 2], radians in [-pi, pi].
/// Errors     bad_shape: head_dim odd, or sizes that disagree; the outputs are untouched.
/// Memory     none allocated; the outputs overlap nothing.
/// Accuracy   computed in double, rounded once: 2^-24 * magnitude and 2^-23 rad.
[[nodiscard]] Status pair_polar(TensorView<const float, 1> x, RopeLayout layout,
                                TensorView<float, 1> magnitude, TensorView<float, 1> angle) noexcept;

/// What each pair of components gives to the score: softmax_scale * (q_a k_a + q_b k_b). The parts add up to the
/// scaled dot product.
///
/// query, key     [head_dim], head_dim even; rotated already, where rotation is wanted.
/// layout         which components pair up.
/// softmax_scale  1/sqrt(head_dim) in the paper; finite.
/// out            [head_dim / 2]
/// Errors         bad_shape: head_dim odd, or sizes that disagree. bad_value: softmax_scale. out is untouched.
/// Memory         none allocated; out overlaps nothing.
/// Accuracy       computed in double, rounded once: 2^-24 * softmax_scale * (|q_a k_a| + |q_b k_b|).
[[nodiscard]] Status pair_scores(TensorView<const float, 1> query, TensorView<const float, 1> key,
                                 RopeLayout layout, float softmax_scale, TensorView<float, 1> out) noexcept;

/// What a rotated query and key give to their score, pair by pair, at a distance: softmax_scale * |q_i| |k_i|
/// cos(angle between them - distance * inv_freq[i]). Neither is rotated yet; the query stands `distance`
/// after the key.
///
/// query, key     [head_dim]; components >= 2 * n_pairs are not rotated and go into `rest`.
/// inv_freq       [n_pairs], 2 * n_pairs <= head_dim; at most 1e100 each, as all here.
/// layout         which components pair up.
/// distance       query position - key position; at most 1e100, may be a fraction.
/// softmax_scale  finite.
/// pair_mask      [n_pairs], 0 for a pair that is left out; or empty.
/// parts          [n_pairs], the pairs left out as well.
/// totals         [2]: rest, the part of what is not rotated; and the score, rest + the parts that are not
///                left out.
/// Errors         bad_shape: sizes that disagree. bad_value: inv_freq, distance, softmax_scale. The outputs
///                are untouched.
/// Memory         none allocated; the outputs overlap nothing.
/// Accuracy       computed in double, where distance * inv_freq loses 2^-53 of itself, and rounded once; the
///                parts and rest add up to the score within 2^-23 * sum |part|.
[[nodiscard]] Status rope_score(TensorView<const float, 1> query, TensorView<const float, 1> key,
                                TensorView<const double, 1> inv_freq, RopeLayout layout, double distance,
                                double softmax_scale, TensorView<const std::uint8_t, 1> pair_mask,
                                TensorView<float, 1> parts, TensorView<float, 1> totals) noexcept;

/// The same score at evenly spaced distances first_distance + s * step.
///
/// out       [count]
/// Errors    as rope_score(), and bad_value: first_distance, step. out is untouched.
/// Memory    none allocated; out overlaps nothing.
/// Accuracy  computed in double, where each angle distance * inv_freq is off by at most 2^-44 + 2^-51 *
///           (|first_distance| + |s * step|) * |inv_freq| radians, and rounded once.
[[nodiscard]] Status rope_score_by_distance(TensorView<const float, 1> query, TensorView<const float, 1> key,
                                            TensorView<const double, 1> inv_freq, RopeLayout layout,
                                            double first_distance, double step, double softmax_scale,
                                            TensorView<const std::uint8_t, 1> pair_mask,
                                            TensorView<float, 1> out) noexcept;

/// The mean of that score, and its standard deviation, over `draws` queries and keys drawn at random:
/// components nearly normal, of mean 0 and variance 1 (see seeded_embedding()), the key `correlation` * query
/// + the rest of its own. For independent ones (correlation 0) the mean is 0 at every distance: what decay
/// there is needs keys that are like their queries.
///
/// correlation  in [-1, 1].
/// draws        >= 1; the deviation is the root of the mean square, and so 0 for a single draw.
/// n_pairs      2 * n_pairs components each, all rotated; softmax_scale 1/sqrt(2 * n_pairs).
/// mean, deviation  [count], at distances first_distance + s * step.
/// Errors       bad_shape: sizes that disagree. bad_value: inv_freq, correlation, draws, first_distance,
///              step. The outputs are untouched.
/// Memory       none allocated; the outputs overlap nothing.
/// Accuracy     of each draw's score, as rope_score_by_distance().
[[nodiscard]] Status rope_random_scores(TensorView<const double, 1> inv_freq, std::uint32_t seed,
                                        std::uint32_t draws, double correlation, double first_distance,
                                        double step, TensorView<float, 1> mean,
                                        TensorView<float, 1> deviation) noexcept;

/// RoFormer's relative upper bound (arXiv:2104.09864, section 3.4.3, eq. 37 and figure 2) of a score at a
/// distance: the mean over j = 1 … n_pairs of |sum over i < j of exp(sqrt(-1) * distance * inv_freq[i])|. A
/// bound, not a score: what is below it may grow with distance.
///
/// out       [count], at distances first_distance + s * step; n_pairs (+ 1) / 2 at distance 0.
/// Errors    bad_value: inv_freq, first_distance, step; out is untouched.
/// Memory    none allocated.
/// Accuracy  as rope_score_by_distance().
[[nodiscard]] Status rope_decay_bound(TensorView<const double, 1> inv_freq, double first_distance,
                                      double step, TensorView<float, 1> out) noexcept;

/// How each pair turns within a context: its wavelength, and the turns that it completes.
///
/// inv_freq     [n_pairs], radians per position.
/// context_len  in tokens; finite and > 0.
/// wavelength   [n_pairs], 2 pi / |inv_freq| in tokens; +inf for a pair that does not turn.
/// turns        [n_pairs], context_len / wavelength; below 1 the pair never completes one.
/// Errors       bad_shape: sizes that disagree. bad_value: inv_freq not finite, context_len. The outputs are
///              untouched.
/// Memory       none allocated; the outputs overlap nothing.
/// Accuracy     2 ulp of double.
[[nodiscard]] Status rope_periods(TensorView<const double, 1> inv_freq, double context_len,
                                  TensorView<double, 1> wavelength, TensorView<double, 1> turns) noexcept;

/// Cosine of the angle between rows of the same index: how much of the token's own direction is left after
/// something was added to it. 0 where a row has no length.
///
/// a, b      [rows, dim]
/// out       [rows], in [-1, 1].
/// Errors    bad_shape: sizes that disagree; out is untouched.
/// Memory    none allocated.
/// Accuracy  summed in double, rounded once.
[[nodiscard]] Status row_cosines(TensorView<const float, 2> a, TensorView<const float, 2> b,
                                 TensorView<float, 1> out) noexcept;

/// Euclidean distance from each row to the next.
///
/// x         [rows, dim], rows >= 2.
/// out       [rows - 1]
/// Errors    bad_shape: sizes that disagree; out is untouched.
/// Memory    none allocated.
/// Accuracy  summed in double, rounded once.
[[nodiscard]] Status neighbour_distances(TensorView<const float, 2> x, TensorView<float, 1> out) noexcept;

/// Every row against every row: dot products, or cosines (0 where a row has no length).
///
/// x         [rows, dim]
/// out       [rows, rows]
/// Errors    bad_shape: out; it is untouched.
/// Memory    none allocated; out must not overlap x.
/// Accuracy  summed in double, rounded once.
[[nodiscard]] Status similarity(TensorView<const float, 2> x, bool cosine, TensorView<float, 2> out) noexcept;

}  // namespace ropewalk

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

}  // namespace ropewalk

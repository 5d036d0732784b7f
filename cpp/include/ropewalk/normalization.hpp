#pragma once

#include "ropewalk/status.hpp"
#include "ropewalk/tensor_view.hpp"

namespace ropewalk {

/// Root-mean-square normalization of each row (arXiv:1910.07467, eq. 4): x / sqrt(mean(x²) + epsilon) * weight.
///
/// x         [rows, dim]
/// weight    [dim], or empty for ones.
/// epsilon   1e-5 in ONNX, 1e-6 in many models; finite and >= 0.
/// out       [rows, dim]; may be x itself.
/// Errors    bad_shape: sizes that disagree. bad_value: epsilon. out is untouched.
/// Memory    none allocated.
/// Numerics  a row of zeros stays zero, with an epsilon of 0 too.
/// Accuracy  summed in double, rounded once before the weight: |error| <= 2^-22.9 * |out|.
[[nodiscard]] Status rms_norm(TensorView<const float, 2> x, TensorView<const float, 1> weight, double epsilon,
                              TensorView<float, 2> out) noexcept;

/// exp(x) over its sum along the middle dimension, with the largest x subtracted first.
///
/// x         [outer, size, inner]
/// out       [outer, size, inner]; may be x itself.
/// Errors    bad_shape: shapes that disagree; out is untouched.
/// Memory    none allocated.
/// Numerics  where every x is -inf the result is zero, never NaN, as a fully masked row of attention is. A NaN or +inf
///           makes all that it is summed with NaN.
/// Accuracy  |error| <= 2^-22 + size * 2^-26 for |x| <= 2^4 apart from the maximum.
[[nodiscard]] Status softmax(TensorView<const float, 3> x, TensorView<float, 3> out) noexcept;

}  // namespace ropewalk

#pragma once

#include <cstdint>

#include "ropewalk/rope.hpp"
#include "ropewalk/status.hpp"
#include "ropewalk/tensor_view.hpp"

/// Why RoPE does not mix with latent attention (DeepSeek-V2, arXiv:2405.04434, section 2.1.3): W_UK can be folded into the
/// query because the matrix between query and latent is one for all positions. With RoPE on keys that were expanded from
/// the latent, a score is query · R(-distance) W_UK latent, and that matrix is another for each distance.
namespace ropewalk {

/// The single matrix that comes nearest to R(-distance) W_UK at the distances 0 … context_len - 1 together, and how far
/// from each of them it stays. In least squares it is their mean, where a pair's turns cancel unless it is slow.
///
/// key_up       [head_dim, kv_lora_rank], W_UK of one head.
/// inv_freq     [n_pairs], 2 * n_pairs <= head_dim; at most 1e100 each. Components >= 2 * n_pairs are not rotated.
/// layout       which of the first 2 * n_pairs components pair up.
/// context_len  >= 1; the distances that a query sees at the end of so many tokens.
/// first_distance, step  of the errors' distances first_distance + s * step; at most 1e100.
/// absorbed     [head_dim, kv_lora_rank]
/// error        [count], |absorbed - R(-distance) W_UK| / |W_UK| (Frobenius): the root of the mean square of the scores'
///              errors over that of the scores, for queries and latents of independent components of variance 1. 0
///              where W_UK is.
/// Errors       bad_shape: sizes that disagree. bad_value: inv_freq, context_len, first_distance, step. The outputs are
///              untouched.
/// Memory       none allocated; the outputs overlap nothing.
/// Accuracy     in double, rounded once: 2^-23 * |pair of W_UK| and 2^-22, while |inv_freq| times context_len and the
///              distances is at most 2^45 radians. Farther out turns are lost, and absorbed is no longer than key_up.
[[nodiscard]] Status absorb_rotation(TensorView<const float, 2> key_up, TensorView<const double, 1> inv_freq,
                                     RopeLayout layout, std::uint32_t context_len, double first_distance,
                                     double step, TensorView<float, 2> absorbed,
                                     TensorView<float, 1> error) noexcept;

/// How far approximations are from what they approximate, column by column: the root of the sum of squared differences
/// over that of the squares. 0 where both are 0.
///
/// x, exact  [rows, columns]
/// out       [columns]
/// Errors    bad_shape: sizes that disagree; out is untouched.
/// Memory    none allocated; out overlaps nothing.
/// Accuracy  summed in double, rounded once.
[[nodiscard]] Status relative_errors(TensorView<const float, 2> x, TensorView<const float, 2> exact,
                                     TensorView<float, 1> out) noexcept;

}  // namespace ropewalk

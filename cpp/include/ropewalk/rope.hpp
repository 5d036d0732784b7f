#pragma once

#include <cstdint>

#include "ropewalk/status.hpp"
#include "ropewalk/tensor_view.hpp"

/// Rotary position embedding (RoFormer, arXiv:2104.09864): nothing is added; pairs of components of query and key are
/// turned by an angle in proportion to the position, so that their dot product knows the distance alone.
namespace ropewalk {

/// Which components make a pair, of the first rotary_dim of a head.
enum class RopeLayout : std::uint8_t {
  /// (2i, 2i + 1): RoFormer, GPT-J, Llama as Meta published it; ggml calls it "normal".
  interleaved,
  /// (i, i + rotary_dim / 2): GPT-NeoX, Llama in Hugging Face transformers; ggml calls it "neox".
  half,
};

/// The angle that each pair turns by from one position to the next: inv_freq[i] = rope_theta^(-2i/rotary_dim).
///
/// rope_theta  10000 in the paper; finite and > 0.
/// inv_freq    [rotary_dim / 2], radians per position, fastest first for rope_theta > 1.
/// Errors      bad_value: rope_theta; inv_freq is untouched.
/// Memory      none allocated.
/// Accuracy    2 ulp of double.
[[nodiscard]] Status rope_inv_freq(double rope_theta, TensorView<double, 1> inv_freq) noexcept;

/// Cosine and sine of position * inv_freq, which apply_rope() reads.
///
/// position_ids  [seq_len], in tokens; any int32, in any order.
/// inv_freq      [rotary_dim / 2], radians per position.
/// cos, sin      [seq_len, rotary_dim / 2]
/// Errors        bad_shape: cos or sin disagree with seq_len or rotary_dim / 2; both are untouched.
/// Memory        none allocated; cos and sin overlap nothing.
/// Accuracy      angles in double, rounded once to float: |error| <= 2^-25 + 2^-53 * (1 + |position * inv_freq|).
[[nodiscard]] Status build_rope_cache(TensorView<const std::int32_t, 1> position_ids,
                                      TensorView<const double, 1> inv_freq, TensorView<float, 2> cos,
                                      TensorView<float, 2> sin) noexcept;

/// Rotate `x` in place by rotary position embedding (RoFormer, arXiv:2104.09864, eq. 34).
///
/// x         [seq_len, n_heads, head_dim], row-major f32; components >= rotary_dim are left as they are.
/// cos, sin  [seq_len, rotary_dim / 2] from build_rope_cache().
/// layout    which components pair up.
/// Errors    bad_shape: rotary_dim > head_dim, or sizes that disagree; x is untouched.
/// Memory    none allocated; x must not overlap cos or sin.
/// Accuracy  |error| <= 2^-23 * |pair| against the rotation by the cos and sin given, 2^-22 * |pair| against the
///           exact one, tests/cpp/rope_test.cpp.
[[nodiscard]] Status apply_rope(TensorView<float, 3> x, TensorView<const float, 2> cos,
                                TensorView<const float, 2> sin, RopeLayout layout) noexcept;

}  // namespace ropewalk

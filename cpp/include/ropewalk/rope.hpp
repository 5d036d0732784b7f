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
/// rope_theta  10000 in the paper; from 1e-100 to 1e100.
/// inv_freq    [rotary_dim / 2], radians per position, fastest first for rope_theta > 1.
/// Errors      bad_value: rope_theta; inv_freq is untouched.
/// Memory      none allocated.
/// Accuracy    0.51 ulp of double up to rotary_dim = 2^16, tests/cpp/rope_test.cpp.
[[nodiscard]] Status rope_inv_freq(double rope_theta, TensorView<double, 1> inv_freq) noexcept;

/// Which of a token's coordinates each pair turns by, as multimodal RoPE (M-RoPE) shares them out over time, height and
/// width: in sections one after the other (Qwen2-VL, arXiv:2409.12191, section 2.1), or interleaved (Qwen3-VL), where
/// pair i < 3 * sections[i % 3] takes coordinate i % 3, and all others take time.
///
/// sections    [3], pairs for time, height and width; >= 0, together n_pairs.
/// pair_axes   [n_pairs], 0 time, 1 height, 2 width.
/// Errors      bad_shape: sections that are not n_pairs together, or interleaved ones that do not fit. bad_value: a
///             negative section. pair_axes is untouched.
/// Memory      none allocated.
[[nodiscard]] Status mrope_pair_axes(TensorView<const std::int32_t, 1> sections, bool interleaved,
                                     TensorView<std::int32_t, 1> pair_axes) noexcept;

/// 2-D axial RoPE, as vision transformers have it (RoPE for ViT, arXiv:2403.13298, eq. 6): the first half of the pairs
/// turns with the row, the second with the column, each with frequencies rope_theta^(-2i/(rotary_dim / 2)) of its own.
///
/// rope_theta  100 in the paper; from 1e-100 to 1e100.
/// inv_freq    [n_pairs], n_pairs even.
/// pair_axes   [n_pairs], 0 row, 1 column.
/// Errors      bad_shape: n_pairs odd, or sizes that disagree. bad_value: rope_theta. The outputs are untouched.
/// Memory      none allocated; the outputs overlap nothing.
/// Accuracy    0.51 ulp of double up to rotary_dim = 2^16, tests/cpp/rope_test.cpp.
[[nodiscard]] Status axial_rope(double rope_theta, TensorView<double, 1> inv_freq,
                                TensorView<std::int32_t, 1> pair_axes) noexcept;

/// Cosine and sine of position * inv_freq, times attention_factor, which apply_rope() reads.
///
/// position_ids      [n_axes, rows], in tokens; any int32, in any order. One axis is a text's position; see
///                   mrope_pair_axes() and axial_rope() for more.
/// inv_freq          [n_pairs], radians per position; at most 1e100.
/// pair_axes         [n_pairs], which axis each pair turns by; or empty for the first.
/// attention_factor  1, or what a scaling asks for; finite.
/// cos, sin          [rows, n_pairs]
/// Errors            bad_shape: sizes that disagree. bad_value: inv_freq, pair_axes, attention_factor. cos and sin are
///                   untouched.
/// Memory            none allocated; cos and sin overlap nothing.
/// Accuracy          position * inv_freq is taken exactly, cosine and sine in double, and rounded once to float: for
///                   |position * inv_freq| <= 2^31 within 0.51 ulp of float + 2^-70 * |attention_factor|, hence
///                   within 1 ulp however near to zero, down to 2^-46. Past 2^45 radians the angle is off by
///                   2^-52 of itself. tests/cpp/rope_test.cpp
[[nodiscard]] Status build_rope_cache(TensorView<const std::int32_t, 2> position_ids,
                                      TensorView<const double, 1> inv_freq,
                                      TensorView<const std::int32_t, 1> pair_axes, double attention_factor,
                                      TensorView<float, 2> cos, TensorView<float, 2> sin) noexcept;

/// Which side of the dot product a cache of xPos is for: one grows with the position as the other shrinks.
enum class XposSide : std::uint8_t { query, key };

/// xPos (arXiv:2212.10554, section 3.2, algorithm 1): rotary embedding whose pair i is scaled by zeta_i^(position /
/// scale_base) in queries and by its inverse in keys, zeta_i = (2i / rotary_dim + gamma) / (1 + gamma), so that scores
/// decay with distance.
///
/// position_ids  [rows], in tokens; any int32. Only differences count: begin near 0, for scales grow as powers.
/// inv_freq      [n_pairs], radians per position; at most 1e100.
/// scale_base    512 in the paper; from 1e-100 to 1e100.
/// gamma         0.4 in the paper; from 1e-100 to 1e100.
/// cos, sin      [rows, n_pairs]
/// Errors        bad_shape: sizes that disagree. bad_value: inv_freq, scale_base, gamma. cos and sin are untouched.
/// Memory        none allocated; cos and sin overlap nothing.
/// Accuracy      for |position * inv_freq| <= 2^31, and as long as the scale is in float's range, that of
///               build_rope_cache(), with the scale for attention_factor.
[[nodiscard]] Status build_xpos_cache(TensorView<const std::int32_t, 1> position_ids,
                                      TensorView<const double, 1> inv_freq, double scale_base, double gamma,
                                      XposSide side, TensorView<float, 2> cos,
                                      TensorView<float, 2> sin) noexcept;

/// Rotate `x` in place by rotary position embedding (RoFormer, arXiv:2104.09864, eq. 34; ONNX RotaryEmbedding-23).
///
/// x             [batch, seq_len, n_heads, head_dim]; components >= rotary_dim = 2 * n_pairs are left as they are.
/// cos, sin      [rows, n_pairs] from build_rope_cache(), or any numbers. Without position_ids rows is batch * seq_len, or
///               seq_len when all sequences share them.
/// position_ids  [batch * seq_len], the row of cos and sin for each token, 0 <= id < rows; or empty.
/// layout        which components pair up.
/// Errors        bad_shape: rotary_dim > head_dim, or sizes that disagree. bad_value: position_ids. x is untouched.
/// Memory        none allocated; x must not overlap cos or sin.
/// Accuracy      |error| <= 2^-23 * |pair| * |(cos, sin)| against the rotation by the cos and sin given; through
///               build_rope_cache() 2^-22 * |pair| * |attention_factor| against the exact one,
///               tests/cpp/rope_test.cpp.
[[nodiscard]] Status apply_rope(HeadsView<float> x, TensorView<const float, 2> cos,
                                TensorView<const float, 2> sin,
                                TensorView<const std::int32_t, 1> position_ids, RopeLayout layout) noexcept;

/// Put the first rotary_dim components of each head into the order of the other layout: (0, 1, 2, 3, …) of interleaved
/// pairs is (0, 2, 4, …, 1, 3, 5, …) of half ones. What is rotated in one layout is so, component for component, in the
/// other. On the rows of W_Q and W_K (inner = in_dim) it converts a checkpoint.
///
/// x           [outer, head_dim, inner]; inner is 1 for heads themselves.
/// rotary_dim  even, <= head_dim.
/// to          the layout of out.
/// out         [outer, head_dim, inner]
/// Errors      bad_shape: rotary_dim, or shapes that disagree; out is untouched.
/// Memory      none allocated; out must not overlap x.
/// Accuracy    exact.
[[nodiscard]] Status convert_rope_layout(TensorView<const float, 3> x, std::size_t rotary_dim, RopeLayout to,
                                         TensorView<float, 3> out) noexcept;

}  // namespace ropewalk

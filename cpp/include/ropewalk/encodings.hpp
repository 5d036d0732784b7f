#pragma once

#include <cstdint>

#include "ropewalk/status.hpp"
#include "ropewalk/tensor_view.hpp"

/// The three encodings that are added to the token embedding, in the order in which the lecture drops them.
namespace ropewalk {

/// Count: every component of row s is the position itself. Large positions swamp the embedding.
///
/// position_ids  [seq_len], in tokens; any int32.
/// out           [seq_len, dim]
/// Errors        bad_shape: out.shape[0] != seq_len; out is untouched.
/// Memory        none allocated; out must not overlap position_ids.
/// Accuracy      exact up to |position| = 2^24, then rounded to float.
[[nodiscard]] Status integer_encoding(TensorView<const std::int32_t, 1> position_ids,
                                      TensorView<float, 2> out) noexcept;

/// Digits: component c of row s is bit c of the position, lowest first. Neighbours may differ in many bits: 7 to 8
/// flips four.
///
/// position_ids  [seq_len], in tokens; negative ones in two's complement, their sign repeated past bit 31.
/// out           [seq_len, dim], 0 or 1; 0 past bit 31 for positions >= 0.
/// Errors        bad_shape: out.shape[0] != seq_len; out is untouched.
/// Memory        none allocated; out must not overlap position_ids.
/// Accuracy      exact.
[[nodiscard]] Status binary_encoding(TensorView<const std::int32_t, 1> position_ids,
                                     TensorView<float, 2> out) noexcept;

/// Smooth digits (Attention Is All You Need, arXiv:1706.03762, section 3.5): component 2i of row s is sin(position *
/// base^(-2i/dim)), component 2i + 1 its cosine.
///
/// position_ids  [seq_len], in tokens; any int32.
/// base          10000 in the paper; from 1e-100 to 1e100.
/// out           [seq_len, dim]; with an odd dim the last component is a sine without its cosine.
/// Errors        bad_shape: out.shape[0] != seq_len. bad_value: base. out is untouched.
/// Memory        none allocated; out must not overlap position_ids.
/// Accuracy      angles in double, rounded once: |error| <= 2^-25 + 2^-52 * (1 + |position| * max(1, 1/base)).
[[nodiscard]] Status sinusoidal_encoding(TensorView<const std::int32_t, 1> position_ids, double base,
                                         TensorView<float, 2> out) noexcept;

}  // namespace ropewalk

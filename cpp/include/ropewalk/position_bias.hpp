#pragma once

#include <cstdint>

#include "ropewalk/status.hpp"
#include "ropewalk/tensor_view.hpp"

/// Positions that enter attention as a number added to each score, for comparison with rotation. The results
/// are `bias` of attention(). Query i stands at p = i + query_offset among the keys.
namespace ropewalk {

/// ALiBi's slope of each head (arXiv:2108.12409, section 3): 2^(-8 (h + 1) / n_heads) for a power of two;
/// else those of the next lower power of two, and every other one of the next higher.
///
/// out       [n_heads]
/// Memory    none allocated.
/// Accuracy  2^-24 * slope.
void alibi_slopes(TensorView<float, 1> out) noexcept;

/// ALiBi: -slope * |p - j|, a penalty in proportion to distance.
///
/// slopes  [n_heads], of alibi_slopes() or any others.
/// out     [n_heads, q_len, kv_len]
/// Errors  bad_shape: sizes that disagree; out is untouched.
/// Memory  none allocated; out overlaps nothing.
/// Accuracy  2^-24 * |bias|.
[[nodiscard]] Status alibi_bias(TensorView<const float, 1> slopes, std::int32_t query_offset,
                                TensorView<float, 3> out) noexcept;

struct T5Buckets {
  /// Even and >= 4 when bidirectional; else >= 2. At most 512.
  std::int32_t num_buckets = 32;
  /// From here on all share the last bucket; > the distances that have one each.
  std::int32_t max_distance = 128;
  /// Encoder: keys ahead have buckets of their own. Decoder: they share that of p itself.
  bool bidirectional = true;
};

/// T5's bucket of each query and key (arXiv:1910.10683, section 2.1; the formula is that of the published
/// code): near distances have one each, farther ones share one with their like on a logarithmic scale.
///
/// out     [q_len, kv_len], 0 <= bucket < num_buckets.
/// Errors  bad_value: num_buckets, max_distance; out is untouched.
/// Memory  none allocated.
/// Accuracy  exact: bounds between buckets are decided without rounding.
[[nodiscard]] Status t5_buckets(const T5Buckets& options, std::int32_t query_offset,
                                TensorView<std::int32_t, 2> out) noexcept;

/// T5's bias: the learned number of each head for the bucket.
///
/// table   [num_buckets, n_heads], as the checkpoint has it.
/// out     [n_heads, q_len, kv_len]
/// Errors  bad_shape: sizes that disagree. bad_value: num_buckets, max_distance. out is untouched.
/// Memory  none allocated; out overlaps nothing.
[[nodiscard]] Status t5_bias(TensorView<const float, 2> table, const T5Buckets& options,
                             std::int32_t query_offset, TensorView<float, 3> out) noexcept;

}  // namespace ropewalk

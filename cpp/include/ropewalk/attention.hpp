#pragma once

#include <cstddef>
#include <cstdint>

#include "ropewalk/status.hpp"
#include "ropewalk/tensor_view.hpp"

namespace ropewalk {

struct AttentionOptions {
  bool causal = false;
  /// With `causal`, query i sees key j if j <= i + causal_offset: 0 when queries and keys begin together, the number
  /// of cached keys when the queries follow them. A negative one leaves the first rows with nothing to see.
  std::int32_t causal_offset = 0;
  float softmax_scale = 1;  ///< multiplies query · key; 1/sqrt(head_dim) in the paper; finite
};

/// Floats of scratch that attention() needs when it is not asked for the weights.
constexpr std::uint64_t attention_scratch_size(std::uint64_t kv_len) noexcept { return 4 * kv_len; }

/// Scaled dot-product attention (arXiv:1706.03762, eq. 1) over heads; grouped queries (arXiv:2305.13245) share a key
/// and value head: kv_head = head / (n_heads / n_kv_heads).
///
/// query     [q_len, n_heads, head_dim]
/// key       [kv_len, n_kv_heads, head_dim]
/// value     [kv_len, n_kv_heads, v_head_dim]
/// out       [q_len, n_heads, v_head_dim]
/// weights   [n_heads, q_len, kv_len], the rows of the softmax; or empty when not asked for.
/// scratch   [attention_scratch_size(kv_len)] when weights is empty; else it is not touched.
/// Errors    bad_shape: sizes that disagree, or n_heads not a multiple of n_kv_heads. bad_value: softmax_scale. out,
///           weights and scratch are untouched.
/// Memory    none allocated; out, weights and scratch overlap nothing.
/// Numerics  the row's maximum is subtracted before exp. A row that sees no key, or whose every score is -inf, is
///           zero in out and weights, never NaN. A masked value is never read into a sum, so what it holds cannot
///           leak. A NaN or +inf in a visible score makes the visible weights of its row, and the row of out, NaN.
/// Accuracy  where softmax_scale * sum |query_c key_c| <= 2^4, at worst |weight error| <= (head_dim + 32) * 2^-23 +
///           kv_len * 2^-26 and |out error| <= ((head_dim + 32) * 2^-22 + kv_len * 2^-23) * max |value|; on components
///           drawn at random 2^-19 and 2^-19 * max |value|, tests/cpp/attention_test.cpp.
[[nodiscard]] Status attention(TensorView<const float, 3> query, TensorView<const float, 3> key,
                               TensorView<const float, 3> value, const AttentionOptions& options,
                               TensorView<float, 3> out, TensorView<float, 3> weights,
                               TensorView<float, 1> scratch) noexcept;

}  // namespace ropewalk

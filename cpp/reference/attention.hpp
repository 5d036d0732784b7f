#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "ropewalk/attention.hpp"

namespace ropewalk::reference {

struct AttentionShape {
  std::size_t q_len = 1;
  std::size_t kv_len = 1;
  std::size_t n_heads = 1;
  std::size_t n_kv_heads = 1;
  std::size_t head_dim = 1;
  std::size_t v_head_dim = 1;
};

struct AttentionResult {
  std::vector<double> out;      ///< [q_len, n_heads, v_head_dim]
  std::vector<double> weights;  ///< [n_heads, q_len, kv_len]
};

/// Does query i see key j?
bool sees(std::size_t i, std::size_t j, const AttentionOptions& options);

/// softmax(softmax_scale * Q Kᵀ) V for each head (arXiv:1706.03762, eq. 1); n_heads / n_kv_heads neighbouring
/// heads share a key and value head (arXiv:2305.13245). A row that sees nothing is zero.
///
/// query  [q_len, n_heads, head_dim]
/// key    [kv_len, n_kv_heads, head_dim]
/// value  [kv_len, n_kv_heads, v_head_dim]
AttentionResult attention(std::span<const double> query, std::span<const double> key,
                          std::span<const double> value, const AttentionShape& shape,
                          const AttentionOptions& options);

}  // namespace ropewalk::reference

#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "ropewalk/attention.hpp"

namespace ropewalk::reference {

struct AttentionShape {
  std::size_t batch = 1;
  std::size_t q_len = 1;
  std::size_t kv_len = 1;
  std::size_t n_heads = 1;
  std::size_t n_kv_heads = 1;
  std::size_t head_dim = 1;
  std::size_t v_head_dim = 1;
};

struct AttentionResult {
  std::vector<double> out;      ///< [batch, q_len, n_heads, v_head_dim]
  std::vector<double> weights;  ///< [batch, n_heads, q_len, kv_len]
  std::vector<double> scores;   ///< [batch, n_heads, q_len, kv_len], at options.score_stage
};

/// Does query i of sequence b see key j, as far as head `head` is concerned?
bool sees(std::size_t b, std::size_t head, std::size_t i, std::size_t j, const AttentionShape& shape,
          const AttentionOptions& options);

/// softmax(softcap(softmax_scale * Q Kᵀ) + bias) V for each head (arXiv:1706.03762, eq. 1), over the keys that are seen;
/// n_heads / n_kv_heads neighbouring heads share a key and value head (arXiv:2305.13245). A row that sees nothing is
/// zero.
///
/// query  [batch, q_len, n_heads, head_dim]
/// key    [batch, kv_len, n_kv_heads, head_dim]
/// value  [batch, kv_len, n_kv_heads, v_head_dim]
AttentionResult attention(std::span<const double> query, std::span<const double> key,
                          std::span<const double> value, const AttentionShape& shape,
                          const AttentionOptions& options);

}  // namespace ropewalk::reference

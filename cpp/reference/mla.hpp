#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "ropewalk/mla.hpp"

namespace ropewalk::reference {

/// Of one layer, in the words of ropewalk/mla.hpp.
struct MlaLayer {
  MlaShape shape;
  std::vector<double> q_a_proj;
  std::vector<double> q_a_layernorm;
  std::vector<double> q_b_proj;
  std::vector<double> kv_a_proj;
  std::vector<double> kv_a_layernorm;
  std::vector<double> kv_b_proj;
  std::vector<double> o_proj;
};

/// Of whole sequences, from their first token on.
struct MlaResult {
  std::vector<double> query;    ///< [batch, len, n_heads, qk_head_dim], rotated
  std::vector<double> latents;  ///< [batch, len, kv_lora_rank + qk_rope_head_dim]
  std::vector<double> key;      ///< [batch, len, n_heads, qk_head_dim]
  std::vector<double> value;    ///< [batch, len, n_heads, v_head_dim]
  std::vector<double> weights;  ///< [batch, n_heads, len, len]
  std::vector<double> scores;   ///< [batch, n_heads, len, len]
  std::vector<double> out;      ///< [batch, len, hidden_size]
};

/// Multi-head latent attention as its paper writes it down (arXiv:2405.04434, appendix C): keys and values of every head
/// are made, and attended to. There is no other form here: the kernel's two are both held to this one.
///
/// x         [batch, len, hidden_size]
/// cos, sin  [len, qk_rope_head_dim / 2]
MlaResult mla(std::span<const double> x, const MlaLayer& layer, std::span<const double> cos,
              std::span<const double> sin, std::size_t batch, std::size_t len, double softmax_scale,
              double epsilon, bool causal);

}  // namespace ropewalk::reference

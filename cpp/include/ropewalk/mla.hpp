#pragma once

#include <cstddef>
#include <cstdint>

#include "ropewalk/attention.hpp"
#include "ropewalk/kv_cache.hpp"
#include "ropewalk/status.hpp"
#include "ropewalk/tensor_view.hpp"

/// Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434, section 2.1): keys and values of all heads are made from
/// one short latent, which is all that is cached. RoPE does not mix with that, so a rotary key of its own, one for all
/// heads, stands beside the latent.
namespace ropewalk {

struct MlaShape {
  std::uint32_t hidden_size = 1;
  std::uint32_t n_heads = 1;
  std::uint32_t q_lora_rank = 0;       ///< components of the queries' latent; 0 for none
  std::uint32_t kv_lora_rank = 1;      ///< components of the latent of keys and values
  std::uint32_t qk_nope_head_dim = 1;  ///< components of a query and a key that are not rotated
  std::uint32_t qk_rope_head_dim = 2;  ///< components that are
  std::uint32_t v_head_dim = 1;

  /// Components of a query and a key.
  constexpr std::size_t qk_head_dim() const noexcept {
    return std::size_t{qk_nope_head_dim} + qk_rope_head_dim;
  }
  /// Elements that are cached for a token: its latent, and behind it its rotary key.
  constexpr std::size_t cached_dim() const noexcept { return std::size_t{kv_lora_rank} + qk_rope_head_dim; }
};

/// The two computations, which are one by associativity: q · (W_UK c) = (W_UKᵀ q) · c.
enum class MlaForm : std::uint8_t {
  naive,     ///< keys and values of every head are expanded from the latents
  absorbed,  ///< W_UK is folded into the query, W_UV into the output; the latents are attended to as they are
};

struct MlaOptions {
  MlaForm form = MlaForm::absorbed;
  /// Query i stands at i + kv_len - q_len among the keys; whether it sees only those up to there.
  bool causal = false;
  /// Multiplies query · key: 1/sqrt(qk_head_dim) in the paper, and under YaRN softmax_factor times that; finite.
  float softmax_scale = 1;
  /// Of the norms of both latents; finite and >= 0.
  double epsilon = 1e-6;
};

/// How much of what is in the tensors of a call.
struct MlaExtents {
  std::size_t batch = 1;
  std::size_t q_len = 1;   ///< tokens that are new
  std::size_t kv_len = 1;  ///< those and all before them, of each sequence
  /// Tokens in `latents`, the new ones last: kv_len; or, if naive, from q_len on, where key and value hold what was
  /// expanded of the kv_len - latent_len tokens before.
  std::size_t latent_len = 1;
  std::size_t latent_capacity = 1;  ///< tokens that `latents` has room for, of each sequence
  /// Tokens that key and value have room for, of each sequence; 0 where they are the room for one head at a time.
  std::size_t expanded_capacity = 0;
  /// Whether key and value are those of a cache: CachedHeads, of depth qk_head_dim and v_head_dim columns.
  bool is_expanded_cache = false;
};

/// Every tensor of a call, row-major; their shapes follow from MlaShape and MlaExtents. Weights have a row for each
/// output, y = x · weightᵀ.
struct MlaTensors {
  TensorView<const float, 1> x;              ///< [batch, q_len, hidden_size]
  TensorView<const float, 1> q_a_proj;       ///< [q_lora_rank, hidden_size], W_DQ; empty without q_lora_rank
  TensorView<const float, 1> q_a_layernorm;  ///< [q_lora_rank]; empty without q_lora_rank
  /// [n_heads * qk_head_dim, q_lora_rank], of each head W_UQ, then W_QR; without q_lora_rank from hidden_size.
  TensorView<const float, 1> q_b_proj;
  TensorView<const float, 1> kv_a_proj;  ///< [kv_lora_rank + qk_rope_head_dim, hidden_size], W_DKV, then W_KR
  TensorView<const float, 1> kv_a_layernorm;  ///< [kv_lora_rank]
  /// [n_heads * (qk_nope_head_dim + v_head_dim), kv_lora_rank], of each head W_UK, then W_UV.
  TensorView<const float, 1> kv_b_proj;
  TensorView<const float, 1> o_proj;  ///< [hidden_size, n_heads * v_head_dim], W_O
  /// [q_len or batch * q_len, qk_rope_head_dim / 2] from build_rope_cache(), of the new tokens; pairs are interleaved.
  TensorView<const float, 1> cos;
  TensorView<const float, 1> sin;

  /// [batch, latent_capacity, kv_lora_rank + qk_rope_head_dim], of each token c_KV and behind it k_pe. Those of the new
  /// tokens are written.
  TensorView<float, 1> latents;

  // What is computed on the way from hidden state to output; what the other form computes may be empty.
  TensorView<float, 1> q_latent;  ///< [batch, q_len, q_lora_rank], normed; empty without q_lora_rank
  TensorView<float, 1> query;     ///< [batch, q_len, n_heads, qk_head_dim], the last qk_rope_head_dim rotated
  /// Naive: [batch, expanded_capacity, n_heads, qk_head_dim], of kv_len tokens; or [kv_len, qk_head_dim].
  TensorView<float, 1> key;
  /// Naive: [batch, expanded_capacity, n_heads, v_head_dim], of kv_len tokens; or [kv_len, v_head_dim].
  TensorView<float, 1> value;
  /// Absorbed: [batch, q_len, n_heads, kv_lora_rank + qk_rope_head_dim], W_UKᵀ query, then the rotated part.
  TensorView<float, 1> latent_query;
  TensorView<float, 1> latent_out;  ///< absorbed: [batch, q_len, n_heads, kv_lora_rank], weights · latents
  TensorView<float, 1> heads;       ///< [batch, q_len, n_heads, v_head_dim], weights · values

  TensorView<float, 1> out;  ///< [batch, q_len, hidden_size]
  /// [batch, n_heads, q_len, kv_len], the rows of the softmax; or empty when not asked for.
  TensorView<float, 1> weights;
  /// [batch, n_heads, q_len, kv_len], softmax_scale * query · key, and -inf where a key is not seen; or empty.
  TensorView<float, 1> scores;
  TensorView<float, 1> scratch;  ///< [mla_scratch_size()]
};

/// Floats of scratch that mla() needs: what attention() needs in that form; and room for the new rows of a head, where they
/// are to be put into a cache.
std::uint64_t mla_scratch_size(const MlaShape& shape, MlaForm form, std::size_t q_len, std::size_t kv_len,
                               bool with_weights, bool is_expanded_cache) noexcept;

/// Multi-head latent attention (arXiv:2405.04434, eq. 9 to 19 and appendix C), in either form.
///
///     c_Q = norm(W_DQ x)      query  = [W_UQ c_Q, RoPE(W_QR c_Q)]  of each head
///     c_KV = norm(W_DKV x)    k_pe = RoPE(W_KR x)
///     key = [W_UK c_KV, k_pe]  value = W_UV c_KV                    of each head
///     heads = softmax(softmax_scale * query · key) · value         out = W_O heads
///
/// Errors   bad_shape: a tensor that has not as many elements as its shape, lengths that contradict each other, a
///          qk_rope_head_dim that is odd. bad_value: softmax_scale, epsilon. Nothing is written.
/// Memory   none allocated; nothing overlaps anything.
/// Numerics the norm covers the latent alone, k_pe is taken before it. NaN and infinities as in attention().
/// Accuracy on weights drawn with variance 1 / fan-in and inputs of variance 1, both forms within 2^-18 * (1 + |out|)
///          of the formula, and so within 1e-5 of each other, tests/cpp/mla_test.cpp.
[[nodiscard]] Status mla(const MlaShape& shape, const MlaOptions& options, const MlaExtents& extents,
                         const MlaTensors& tensors) noexcept;

struct MlaWork {
  double multiply_adds = 0;
  double bytes = 0;  ///< of float32: each tensor that is read, once, and each that is written, once
};

/// The work of the products in mla(). Norms, rotation, the softmax and the copy of k_pe into the heads' keys are not
/// counted: they grow with the tensors, not with their products.
struct MlaCost {
  MlaWork project;  ///< hidden state to queries and latents, and heads to output
  MlaWork
      expand;  ///< naive: W_UK and W_UV on latents. absorbed: W_UK on queries, W_UV on what was attended to
  MlaWork attend;  ///< query · key, weights · value
};

/// Count what mla() does, from its shapes alone. Exact below 2^53; tests/counting counts the kernel's own products.
///
/// cached  whether latents are kept from call to call, or the heads' keys and values (naive alone): the naive form then
///         expands q_len tokens, and otherwise all kv_len.
MlaCost mla_cost(const MlaShape& shape, MlaForm form, CacheKind cached, std::size_t batch, std::size_t q_len,
                 std::size_t kv_len, bool causal) noexcept;

}  // namespace ropewalk

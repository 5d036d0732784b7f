#include "reference/mla.hpp"

#include <cstdint>

#include "reference/attention.hpp"
#include "reference/embedding.hpp"
#include "reference/normalization.hpp"
#include "reference/rope.hpp"

namespace ropewalk::reference {
namespace {

/// Columns from, …, to - 1 of rows that are `width` wide.
std::vector<double> columns(const std::vector<double>& rows, std::size_t width, std::size_t from,
                            std::size_t to) {
  std::vector<double> taken;
  for (std::size_t row = 0; row < rows.size() / width; ++row) {
    for (std::size_t c = from; c < to; ++c) taken.push_back(rows[row * width + c]);
  }
  return taken;
}

/// Rows of a, each followed by its row of b.
std::vector<double> beside(const std::vector<double>& a, std::size_t a_width, const std::vector<double>& b,
                           std::size_t b_width) {
  std::vector<double> joined;
  for (std::size_t row = 0; row < a.size() / a_width; ++row) {
    for (std::size_t c = 0; c < a_width; ++c) joined.push_back(a[row * a_width + c]);
    for (std::size_t c = 0; c < b_width; ++c) joined.push_back(b[row * b_width + c]);
  }
  return joined;
}

}  // namespace

MlaResult mla(std::span<const double> x, const MlaLayer& layer, std::span<const double> cos,
              std::span<const double> sin, std::size_t batch, std::size_t len, double softmax_scale,
              double epsilon, bool causal) {
  const MlaShape& shape = layer.shape;
  const std::size_t n_heads = shape.n_heads;
  const std::size_t kv_rank = shape.kv_lora_rank;
  const std::size_t nope = shape.qk_nope_head_dim;
  const std::size_t rope = shape.qk_rope_head_dim;
  const std::size_t v_dim = shape.v_head_dim;
  const std::size_t qk_dim = nope + rope;
  const std::size_t tokens = batch * len;
  std::vector<std::int32_t> rows;
  for (std::size_t t = 0; t < tokens; ++t) rows.push_back(static_cast<std::int32_t>(t % len));
  const auto rotated = [&](std::vector<double> heads, std::size_t count) {
    apply_rope(heads, {HeadsFormat::bshd, batch, len, count, rope}, cos, sin, rows, rope,
               RopeLayout::interleaved);
    return heads;
  };

  // Queries: eq. 37 to 40; without a latent of their own, straight from x.
  std::vector<double> query(x.begin(), x.end());
  std::size_t q_in = shape.hidden_size;
  if (shape.q_lora_rank != 0) {
    query = linear(query, layer.q_a_proj, tokens, q_in, shape.q_lora_rank);
    q_in = shape.q_lora_rank;
    query = rms_norm(query, layer.q_a_layernorm, epsilon, tokens, q_in);
  }
  query = linear(query, layer.q_b_proj, tokens, q_in, n_heads * qk_dim);
  query = beside(columns(query, qk_dim, 0, nope), nope,
                 rotated(columns(query, qk_dim, nope, qk_dim), n_heads), rope);

  // The latent, and the rotary key that all heads share: eq. 41 and 43.
  const std::vector<double> x_rows(x.begin(), x.end());
  const std::vector<double> down = linear(x_rows, layer.kv_a_proj, tokens, shape.hidden_size, kv_rank + rope);
  const std::vector<double> latent =
      rms_norm(columns(down, kv_rank + rope, 0, kv_rank), layer.kv_a_layernorm, epsilon, tokens, kv_rank);
  const std::vector<double> k_rope = rotated(columns(down, kv_rank + rope, kv_rank, kv_rank + rope), 1);

  // Keys and values of every head: eq. 42, 44 and 45.
  const std::vector<double> up = linear(latent, layer.kv_b_proj, tokens, kv_rank, n_heads * (nope + v_dim));
  std::vector<double> key;
  std::vector<double> value;
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t h = 0; h < n_heads; ++h) {
      const double* const head = up.data() + (t * n_heads + h) * (nope + v_dim);
      key.insert(key.end(), head, head + nope);
      key.insert(key.end(), k_rope.begin() + static_cast<std::ptrdiff_t>(t * rope),
                 k_rope.begin() + static_cast<std::ptrdiff_t>((t + 1) * rope));
      value.insert(value.end(), head + nope, head + nope + v_dim);
    }
  }

  // Eq. 46 and 47.
  AttentionOptions options;
  options.causal = causal;
  // In double throughout: the scale goes into the queries.
  std::vector<double> scaled = query;
  for (double& component : scaled) component *= softmax_scale;
  const AttentionShape extents{batch, len, len, n_heads, n_heads, qk_dim, v_dim};
  const AttentionResult attended = attention(scaled, key, value, extents, options);
  return {query,
          beside(latent, kv_rank, k_rope, rope),
          key,
          value,
          attended.weights,
          attended.scores,
          linear(attended.out, layer.o_proj, tokens, n_heads * v_dim, shape.hidden_size)};
}

}  // namespace ropewalk::reference

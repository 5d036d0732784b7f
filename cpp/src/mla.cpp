#include "ropewalk/mla.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "matmul.hpp"
#include "ropewalk/normalization.hpp"
#include "ropewalk/rope.hpp"

namespace ropewalk {
namespace {

/// A tensor's elements, and how many its shape has: in double, where no product of extents wraps around.
struct Count {
  const char* argument;
  std::size_t given;
  double wanted;
};

/// The columns of heads from `first` on, as heads.
HeadsView<float> columns(HeadsView<float> heads, std::size_t first, std::size_t head_dim) noexcept {
  heads.data += first;
  heads.head_dim = head_dim;
  return heads;
}

HeadsView<float> heads_in(TensorView<float, 1> storage, std::size_t batch, std::size_t capacity,
                          std::size_t len, std::size_t n_heads, std::size_t head_dim) noexcept {
  const std::size_t row = n_heads * head_dim;
  return {storage.data, batch, len, n_heads, head_dim, capacity * row, row, head_dim};
}

/// One head of one sequence.
HeadsView<float> one(HeadsView<float> heads, std::size_t b, std::size_t h) noexcept {
  heads.data = heads.row(b, 0, h);
  heads.batch = heads.n_heads = 1;
  return heads;
}

/// The rows of one head of one sequence.
TensorView<float, 4> one(TensorView<float, 4> rows, std::size_t b, std::size_t h) noexcept {
  if (rows.empty()) return {};
  return {rows.row(b, h, 0u), {1, 1, rows.shape[2], rows.shape[3]}};
}

/// [batch, n_heads, 1, kv_len] as [batch, 1, n_heads, kv_len].
TensorView<float, 4> folded(TensorView<float, 4> rows) noexcept {
  std::swap(rows.shape[1], rows.shape[2]);
  return rows;
}

/// A single token's heads as the tokens of a single head: they see the same keys, and share their reading.
HeadsView<float> folded(HeadsView<float> heads) noexcept {
  std::swap(heads.len, heads.n_heads);
  std::swap(heads.row_stride, heads.head_stride);
  return heads;
}

CachedHeads<float> one(CachedHeads<float> cache, std::size_t b, std::size_t h) noexcept {
  cache.data = &cache.at(b, h, 0, 0);
  cache.batch = cache.n_heads = 1;
  return cache;
}

/// Each row to its norm, in place.
void norm_rows(HeadsView<float> x, std::size_t first, TensorView<const float, 1> weight,
               double epsilon) noexcept {
  for (std::size_t b = 0; b < x.batch; ++b) {
    for (std::size_t s = first; s < x.len; ++s) {
      const TensorView<float, 2> row{x.row(b, s, 0), {1, x.head_dim}};
      static_cast<void>(rms_norm(row, weight, epsilon, row));
    }
  }
}

Status check(const MlaShape& shape, const MlaOptions& options, const MlaExtents& extents,
             const MlaTensors& tensors) noexcept {
  const double hidden_size = shape.hidden_size;
  const double n_heads = shape.n_heads;
  const double q_rank = shape.q_lora_rank;
  const double kv_rank = shape.kv_lora_rank;
  const double nope = shape.qk_nope_head_dim;
  const double rope = shape.qk_rope_head_dim;
  const double v_dim = shape.v_head_dim;
  const auto batch = static_cast<double>(extents.batch);
  const auto kv_len = static_cast<double>(extents.kv_len);
  const double tokens = batch * static_cast<double>(extents.q_len);
  const bool is_naive = options.form == MlaForm::naive;
  const bool by_token = static_cast<double>(tensors.cos.size()) == tokens * (rope / 2);
  const double expanded = extents.expanded_capacity == 0
                              ? kv_len
                              : batch * static_cast<double>(extents.expanded_capacity) * n_heads;
  const double square = tokens * n_heads * kv_len;
  // Panels are whole, whatever of them is used.
  const auto whole = [](double columns) { return std::ceil(columns / cached_columns) * cached_columns; };
  const bool is_cache = extents.is_expanded_cache;
  const double room_for = batch * n_heads * static_cast<double>(extents.expanded_capacity);
  const double key_size =
      is_cache ? batch * n_heads * whole(static_cast<double>(extents.expanded_capacity)) * (nope + rope)
               : expanded * (nope + rope);
  const double value_size = is_cache ? room_for * whole(v_dim) : expanded * v_dim;

  if (shape.qk_rope_head_dim % 2 != 0) return bad_shape("qk_rope_head_dim", rope, "an even number");
  if (extents.q_len == 0 || extents.q_len > extents.kv_len) {
    return bad_shape("q_len", static_cast<double>(extents.q_len), "from 1 to kv_len");
  }
  const bool is_long_enough = extents.latent_len >= (is_naive ? extents.q_len : extents.kv_len) &&
                              extents.latent_len <= extents.kv_len;
  if (!is_long_enough) {
    return bad_shape("latent_len", static_cast<double>(extents.latent_len),
                     "kv_len, or from q_len on if naive");
  }
  if (extents.latent_capacity < extents.latent_len) {
    return bad_shape("latent_capacity", static_cast<double>(extents.latent_capacity), "at least latent_len");
  }
  const std::size_t room = extents.expanded_capacity;
  if (room != 0 ? room < extents.kv_len : extents.latent_len < extents.kv_len) {
    return bad_shape("expanded_capacity", static_cast<double>(room), "at least kv_len, or 0 to expand all");
  }
  const Count counts[] = {
      {"x", tensors.x.size(), tokens * hidden_size},
      {"q_a_proj", tensors.q_a_proj.size(), q_rank * hidden_size},
      {"q_a_layernorm", tensors.q_a_layernorm.size(), q_rank},
      {"q_b_proj", tensors.q_b_proj.size(), n_heads * (nope + rope) * (q_rank == 0 ? hidden_size : q_rank)},
      {"kv_a_proj", tensors.kv_a_proj.size(), (kv_rank + rope) * hidden_size},
      {"kv_a_layernorm", tensors.kv_a_layernorm.size(), kv_rank},
      {"kv_b_proj", tensors.kv_b_proj.size(), n_heads * (nope + v_dim) * kv_rank},
      {"o_proj", tensors.o_proj.size(), hidden_size * n_heads * v_dim},
      {"cos", tensors.cos.size(), (by_token ? tokens : static_cast<double>(extents.q_len)) * (rope / 2)},
      {"sin", tensors.sin.size(), static_cast<double>(tensors.cos.size())},
      {"latents", tensors.latents.size(),
       batch * static_cast<double>(extents.latent_capacity) * (kv_rank + rope)},
      {"q_latent", tensors.q_latent.size(), tokens * q_rank},
      {"query", tensors.query.size(), tokens * n_heads * (nope + rope)},
      {"key", is_naive ? tensors.key.size() : 0, is_naive ? key_size : 0},
      {"value", is_naive ? tensors.value.size() : 0, is_naive ? value_size : 0},
      {"latent_query", is_naive ? 0 : tensors.latent_query.size(),
       is_naive ? 0 : tokens * n_heads * (kv_rank + rope)},
      {"latent_out", is_naive ? 0 : tensors.latent_out.size(), is_naive ? 0 : tokens * n_heads * kv_rank},
      {"heads", tensors.heads.size(), tokens * n_heads * v_dim},
      {"out", tensors.out.size(), tokens * hidden_size},
      {"weights", tensors.weights.size(), tensors.weights.empty() ? 0 : square},
      {"scores", tensors.scores.size(), tensors.scores.empty() ? 0 : square},
      {"scratch", tensors.scratch.size(),
       static_cast<double>(mla_scratch_size(shape, options.form, extents.q_len, extents.kv_len,
                                            !tensors.weights.empty(), extents.is_expanded_cache))},
  };
  for (const auto& [argument, given, wanted] : counts) {
    if (static_cast<double>(given) != wanted) {
      return bad_shape(argument, static_cast<double>(given), "as many elements as its shape has");
    }
  }
  if (!std::isfinite(options.softmax_scale)) {
    return bad_value("softmax_scale", static_cast<double>(options.softmax_scale), "a finite number");
  }
  if (!std::isfinite(options.epsilon) || options.epsilon < 0) {
    return bad_value("epsilon", options.epsilon, "a finite number, at least 0");
  }
  return {};
}

}  // namespace

std::uint64_t mla_scratch_size(const MlaShape& shape, MlaForm form, std::size_t q_len, std::size_t kv_len,
                               bool with_weights, bool is_expanded_cache) noexcept {
  AttentionExtents extents{.q_len = q_len, .kv_len = kv_len, .n_heads = 1, .n_kv_heads = 1};
  extents.with_weights = with_weights;
  extents.in_panels = is_expanded_cache;
  if (form == MlaForm::naive) {
    extents.head_dim = shape.qk_head_dim();
    extents.v_head_dim = shape.v_head_dim;
  } else {
    extents.n_heads = shape.n_heads;
    extents.head_dim = shape.cached_dim();
    extents.v_head_dim = shape.kv_lora_rank;
  }
  const std::uint64_t new_rows =
      is_expanded_cache ? std::uint64_t{q_len} * (extents.head_dim + extents.v_head_dim) : 0;
  return attention_scratch_size(extents) + new_rows;
}

Status mla(const MlaShape& shape, const MlaOptions& options, const MlaExtents& extents,
           const MlaTensors& tensors) noexcept {
  if (const Status status = check(shape, options, extents, tensors); !status.ok()) return status;
  const auto [batch, q_len, kv_len, latent_len, latent_capacity, expanded_capacity, is_cache] = extents;
  const std::size_t hidden_size = shape.hidden_size;
  const std::size_t n_heads = shape.n_heads;
  const std::size_t q_rank = shape.q_lora_rank;
  const std::size_t kv_rank = shape.kv_lora_rank;
  const std::size_t nope = shape.qk_nope_head_dim;
  const std::size_t rope = shape.qk_rope_head_dim;
  const std::size_t v_dim = shape.v_head_dim;
  const std::size_t qk_dim = shape.qk_head_dim();
  const std::size_t cached_dim = shape.cached_dim();
  const std::size_t tokens = batch * q_len;
  const std::size_t q_in = q_rank == 0 ? hidden_size : q_rank;
  const bool is_single = q_len == 1;  // It sees all keys, causal or not.

  const auto heads_of = [&](TensorView<float, 1> storage, std::size_t head_dim) noexcept {
    return heads_in(storage, batch, q_len, q_len, n_heads, head_dim);
  };
  const HeadsView<float> query = heads_of(tensors.query, qk_dim);
  const HeadsView<float> heads = heads_of(tensors.heads, v_dim);
  const HeadsView<float> latents =
      heads_in(tensors.latents, batch, latent_capacity, latent_len, 1, cached_dim);
  const auto rows_in = [&](TensorView<float, 1> storage) noexcept {
    return storage.empty() ? TensorView<float, 4>{}
                           : TensorView<float, 4>{storage.data, {batch, n_heads, q_len, kv_len}};
  };
  const TensorView<float, 4> weights = rows_in(tensors.weights);
  const TensorView<float, 4> scores = rows_in(tensors.scores);
  const std::size_t n_pairs = rope / 2;
  const std::size_t rope_rows = n_pairs == 0 ? 0 : tensors.cos.size() / n_pairs;
  const TensorView<const float, 2> cos{tensors.cos.data, {rope_rows, n_pairs}};
  const TensorView<const float, 2> sin{tensors.sin.data, {rope_rows, n_pairs}};
  // What is called from here on has been given what it takes.
  const auto rotate = [&](HeadsView<float> part) noexcept {
    static_cast<void>(apply_rope(part, cos, sin, {}, RopeLayout::interleaved));
  };

  // 1. Queries of every head, by way of their latent if they have one.
  const Rows<const float> hidden{tensors.x.data, hidden_size};
  Rows<const float> q_from = hidden;
  if (q_rank != 0) {
    const Rows<float> q_latent{tensors.q_latent.data, q_rank};
    multiply_transposed(hidden, {tensors.q_a_proj.data, hidden_size}, 1, q_latent, tokens, q_rank,
                        hidden_size);
    const TensorView<float, 2> all{q_latent.data, {tokens, q_rank}};
    static_cast<void>(rms_norm(all, tensors.q_a_layernorm, options.epsilon, all));
    q_from = {q_latent.data, q_rank};
  }
  multiply_transposed(q_from, {tensors.q_b_proj.data, q_in}, 1, {query.data, query.row_stride}, tokens,
                      n_heads * qk_dim, q_in);
  rotate(columns(query, nope, rope));

  // 2. The latent and the rotary key of the new tokens, behind those of the past.
  const std::size_t first_new = latent_len - q_len;
  for (std::size_t b = 0; b < batch; ++b) {
    multiply_transposed(hidden.from(b * q_len), {tensors.kv_a_proj.data, hidden_size}, 1,
                        {latents.row(b, first_new, 0), latents.row_stride}, q_len, cached_dim, hidden_size);
  }
  norm_rows(columns(latents, 0, kv_rank), first_new, tensors.kv_a_layernorm, options.epsilon);
  HeadsView<float> k_rope = columns(latents, kv_rank, rope);
  k_rope.data = k_rope.row(0, first_new, 0);
  k_rope.len = q_len;
  rotate(k_rope);

  // 3. Attention.
  AttentionOptions how;
  how.query_offset = static_cast<std::int32_t>(kv_len - q_len);
  how.causal = options.causal && !is_single;
  how.softmax_scale = options.softmax_scale;
  const auto key_up = [&](std::size_t h) noexcept {
    return Rows<const float>{tensors.kv_b_proj.data + h * (nope + v_dim) * kv_rank, kv_rank};
  };
  const auto value_up = [&](std::size_t h) noexcept { return key_up(h).from(nope); };

  if (options.form == MlaForm::naive) {
    // Each head's keys and values from the latents, then attention as ever.
    const std::size_t first_expanded = kv_len - latent_len;
    const auto expanded_in = [&](TensorView<float, 1> storage, std::size_t head_dim) noexcept {
      if (expanded_capacity != 0) {
        return heads_in(storage, batch, expanded_capacity, kv_len, n_heads, head_dim);
      }
      // Every head comes to stand where the one before it stood.
      return HeadsView<float>{storage.data, batch, kv_len, n_heads, head_dim, 0, head_dim, 0};
    };
    const HeadsView<float> keys = expanded_in(tensors.key, qk_dim);
    const HeadsView<float> values = expanded_in(tensors.value, v_dim);
    const CachedHeads<float> cached_keys{tensors.key.data, batch, n_heads, qk_dim, expanded_capacity};
    const CachedHeads<float> cached_values{tensors.value.data, batch, n_heads, expanded_capacity, v_dim};
    // Before they are put into a cache, a head's new rows are here.
    const std::size_t room = is_cache ? latent_len * (qk_dim + v_dim) : 0;
    TensorView<float, 1> scratch = tensors.scratch;
    scratch.shape[0] -= room;
    float* const new_rows = scratch.data + scratch.shape[0];
    const HeadsView<float> new_keys{new_rows, 1, latent_len, 1, qk_dim, 0, qk_dim, 0};
    const HeadsView<float> new_values{new_rows + latent_len * qk_dim, 1, latent_len, 1, v_dim, 0, v_dim, 0};
    for (std::size_t b = 0; b < batch; ++b) {
      const Rows<const float> latent{latents.row(b, 0, 0), latents.row_stride};
      for (std::size_t h = 0; h < n_heads; ++h) {
        const Rows<float> key = is_cache ? Rows<float>{new_keys.data, qk_dim}
                                         : Rows<float>{keys.row(b, first_expanded, h), keys.row_stride};
        const Rows<float> value = is_cache ? Rows<float>{new_values.data, v_dim}
                                           : Rows<float>{values.row(b, first_expanded, h), values.row_stride};
        multiply_transposed(latent, key_up(h), 1, key, latent_len, nope, kv_rank);
        for (std::size_t s = 0; s < latent_len; ++s) std::copy_n(latent[s] + kv_rank, rope, key[s] + nope);
        multiply_transposed(latent, value_up(h), 1, value, latent_len, v_dim, kv_rank);
        KeptHeads all_keys = one(keys, b, h);
        KeptHeads all_values = one(values, b, h);
        if (is_cache) {
          const CachedHeads<float> kept_keys = one(cached_keys, b, h);
          const CachedHeads<float> kept_values = one(cached_values, b, h);
          static_cast<void>(append_keys(new_keys, first_expanded, kept_keys));
          static_cast<void>(append_values(new_values, first_expanded, kept_values));
          all_keys = KeptHeads::keys(kept_keys, kv_len);
          all_values = KeptHeads::values(kept_values, kv_len);
        }
        static_cast<void>(attention(one(query, b, h), all_keys, all_values, how, one(heads, b, h),
                                    one(weights, b, h), one(scores, b, h), scratch));
      }
    }
  } else {
    // W_UK from the keys to the query; the latents are keys and values of all heads; W_UV from the values to the output.
    const HeadsView<float> latent_query = heads_of(tensors.latent_query, cached_dim);
    const HeadsView<float> latent_out = heads_of(tensors.latent_out, kv_rank);
    for (std::size_t t = 0; t < tokens; ++t) {
      for (std::size_t h = 0; h < n_heads; ++h) {
        float* const to = latent_query.data + t * latent_query.row_stride + h * cached_dim;
        std::fill_n(to, kv_rank, 0.0f);
        std::copy_n(query.data + t * query.row_stride + h * qk_dim + nope, rope, to + kv_rank);
      }
    }
    for (std::size_t h = 0; h < n_heads; ++h) {
      add_product({query.data + h * qk_dim, query.row_stride}, key_up(h),
                  {latent_query.data + h * cached_dim, latent_query.row_stride}, tokens, kv_rank, nope);
    }
    const auto laid = [&](auto view) noexcept { return is_single ? folded(view) : view; };
    static_cast<void>(attention(laid(latent_query), latents, columns(latents, 0, kv_rank), how,
                                laid(latent_out), laid(weights), laid(scores), tensors.scratch));
    for (std::size_t h = 0; h < n_heads; ++h) {
      multiply_transposed({latent_out.data + h * kv_rank, latent_out.row_stride}, value_up(h), 1,
                          {heads.data + h * v_dim, heads.row_stride}, tokens, v_dim, kv_rank);
    }
  }

  // 4. Output.
  multiply_transposed({heads.data, heads.row_stride}, {tensors.o_proj.data, n_heads * v_dim}, 1,
                      {tensors.out.data, hidden_size}, tokens, hidden_size, n_heads * v_dim);
  return {};
}

MlaCost mla_cost(const MlaShape& shape, MlaForm form, CacheKind cached, std::size_t batch, std::size_t q_len,
                 std::size_t kv_len, bool causal) noexcept {
  const double hidden_size = shape.hidden_size;
  const double n_heads = shape.n_heads;
  const double q_rank = shape.q_lora_rank;
  const double kv_rank = shape.kv_lora_rank;
  const double nope = shape.qk_nope_head_dim;
  const double rope = shape.qk_rope_head_dim;
  const double v_dim = shape.v_head_dim;
  const double sequences = static_cast<double>(batch);
  const double queries = static_cast<double>(q_len);
  const double keys = sequences * static_cast<double>(kv_len);
  const double tokens = sequences * queries;
  // Query i sees kv_len - q_len + i + 1 keys, or all.
  const double pairs = keys * queries - (causal ? tokens * (queries - 1) / 2 : 0);
  constexpr double float_bytes = 4;

  MlaCost cost;
  const double q_size = n_heads * (nope + rope);
  const double o_size = n_heads * v_dim;
  const double q_weights = q_rank == 0 ? hidden_size * q_size : q_rank * (hidden_size + q_size);
  const double other_weights = hidden_size * (kv_rank + rope + o_size);
  cost.project.multiply_adds = tokens * (q_weights + other_weights);
  // The queries' latent is written, and read again.
  cost.project.bytes =
      float_bytes * (q_weights + other_weights +
                     tokens * (2 * hidden_size + 2 * q_rank + q_size + kv_rank + rope + o_size));

  const double up_weights = kv_rank * n_heads * (nope + v_dim);
  if (form == MlaForm::naive) {
    const double expanded = cached == CacheKind::latent ? keys : tokens;
    cost.expand.multiply_adds = expanded * up_weights;
    cost.expand.bytes = float_bytes * (up_weights + expanded * (kv_rank + n_heads * (nope + v_dim)));
    cost.attend.multiply_adds = pairs * n_heads * (nope + rope + v_dim);
    cost.attend.bytes = float_bytes * (tokens * (q_size + o_size) + keys * n_heads * (nope + rope + v_dim));
  } else {
    cost.expand.multiply_adds = tokens * up_weights;
    cost.expand.bytes = float_bytes * (up_weights + tokens * n_heads * (nope + 2 * kv_rank + v_dim));
    cost.attend.multiply_adds = pairs * n_heads * (2 * kv_rank + rope);
    cost.attend.bytes = float_bytes * (tokens * n_heads * (2 * kv_rank + rope) + keys * (kv_rank + rope));
  }
  return cost;
}

}  // namespace ropewalk

#include "ropewalk/attention.hpp"

#include "ropewalk/kv_cache.hpp"
#include "ropewalk/normalization.hpp"
#include "ropewalk/position_bias.hpp"
#include "views.hpp"

namespace ropewalk::bindings {
namespace {

double attention_scratch_size(Size q_len, Size kv_len, Size n_heads, Size n_kv_heads, Size head_dim,
                              Size v_head_dim, bool with_weights, bool in_panels) {
  return static_cast<double>(ropewalk::attention_scratch_size(
      {q_len, kv_len, n_heads, n_kv_heads, head_dim, v_head_dim, with_weights, in_panels}));
}

/// `use` of the keys or the values of a cache: of float, or else of bfloat16 in a buffer of bytes.
template <class Use>
auto with_cache(Views& views, F32Buffer* floats, U8Buffer* halves, bool are_keys, Size batch, Size n_heads,
                Size head_dim, Size capacity, Use&& use) {
  const char* argument = are_keys ? "key" : "value";
  const std::size_t depth = are_keys ? head_dim : capacity;
  const std::size_t columns = are_keys ? capacity : head_dim;
  if (halves == nullptr) {
    return use(views.cached(*floats, argument, CachedHeads<float>{nullptr, batch, n_heads, depth, columns}));
  }
  return use(views.cached(*halves, argument, CachedHeads<BFloat16>{nullptr, batch, n_heads, depth, columns}));
}

/// Without `kv_capacity` keys and values are rows; else a cache with room for so many tokens, of bfloat16 where `key` and
/// `value` are null. In that case they are in `key_halves` and `value_halves`, and else those are null.
/// `kv_lens`, `mask`, `bias`, `weights` and `scores` may be null. The extents of the mask
/// and of the bias are 1 where it is the same for all.
Failure attention(const F32Buffer& query, F32Buffer* key, F32Buffer* value, U8Buffer* key_halves,
                  U8Buffer* value_halves, I32Buffer* kv_lens, U8Buffer* mask, F32Buffer* bias,
                  HeadsFormat format, Size batch, Size q_len, Size n_heads, Size kv_len, Size kv_capacity,
                  Size n_kv_heads, Size head_dim, Size v_head_dim, std::int32_t query_offset, bool causal,
                  std::int32_t left_window_size, std::int32_t right_window_size, double softmax_scale,
                  float softcap, ScoreStage score_stage, Size mask_batch, Size mask_heads, Size mask_q,
                  Size mask_kv, Size bias_batch, Size bias_heads, Size bias_q, Size bias_kv, F32Buffer& out,
                  F32Buffer* weights, F32Buffer* scores, F32Buffer& scratch) {
  Views views;
  const auto queries = views.heads(query, "query", {format, batch, q_len, q_len, n_heads, head_dim});
  const auto kept = [&](bool are_keys, F32Buffer* floats, U8Buffer* halves, Size dim) -> KeptHeads {
    if (kv_capacity == 0) {
      return views.heads(*floats, are_keys ? "key" : "value",
                         {format, batch, kv_len, kv_len, n_kv_heads, dim});
    }
    return with_cache(views, floats, halves, are_keys, batch, n_kv_heads, dim, kv_capacity, [&](auto cache) {
      return are_keys ? KeptHeads::keys(cache, kv_len) : KeptHeads::values(cache, kv_len);
    });
  };
  const KeptHeads keys = kept(true, key, key_halves, head_dim);
  const KeptHeads values = kept(false, value, value_halves, v_head_dim);
  const auto outs = views.heads(out, "out", {format, batch, q_len, q_len, n_heads, v_head_dim});
  const auto rows = shape(batch, n_heads, q_len, kv_len);
  const auto weight_rows = views.of(weights, "weights", rows);
  const auto score_rows = views.of(scores, "scores", rows);
  const auto room = views.row(scratch, "scratch");
  const AttentionOptions options{
      .query_offset = query_offset,
      .causal = causal,
      .left_window_size = left_window_size,
      .right_window_size = right_window_size,
      .softmax_scale = static_cast<float>(scale_or_default(softmax_scale, head_dim)),
      .softcap = softcap,
      .kv_lens = views.row(kv_lens, "kv_lens"),
      .mask = views.of(mask, "mask", shape(mask_batch, mask_heads, mask_q, mask_kv)),
      .bias = views.of(bias, "bias", shape(bias_batch, bias_heads, bias_q, bias_kv)),
      .score_stage = score_stage};
  return views.call([&] {
    return ropewalk::attention(queries, keys, values, options, outs, weight_rows, score_rows, room);
  });
}

/// Keys or values of further tokens into a cache, from token `first` on. Either `floats` is null or `halves`.
Failure append_to_cache(bool are_keys, const F32Buffer& added, HeadsFormat format, Size batch, Size len,
                        Size n_heads, Size head_dim, Size first, Size capacity, F32Buffer* floats,
                        U8Buffer* halves) {
  Views views;
  const auto heads =
      views.heads(added, are_keys ? "key" : "value", {format, batch, len, len, n_heads, head_dim});
  return with_cache(views, floats, halves, are_keys, batch, n_heads, head_dim, capacity, [&](auto cache) {
    return views.call(
        [&] { return are_keys ? append_keys(heads, first, cache) : append_values(heads, first, cache); });
  });
}

/// `write_indices` may be null.
Failure write_cache(const F32Buffer& update, I32Buffer* write_indices, Size batch, Size outer, Size rows,
                    Size capacity, Size inner, bool circular, F32Buffer& cache) {
  Views views;
  const auto added = views.of(update, "update", shape(batch, outer, rows, inner));
  const auto indices = views.row(write_indices, "write_indices");
  const auto written = views.of(cache, "cache", shape(batch, outer, capacity, inner));
  return views.call([&] { return ropewalk::write_cache(added, indices, circular, written); });
}

double cache_elements_per_token(CacheKind kind, Size n_layers, Size n_kv_heads, Size head_dim,
                                Size v_head_dim, Size kv_lora_rank, Size qk_rope_head_dim) {
  return ropewalk::cache_elements_per_token(
      {kind, n_layers, n_kv_heads, head_dim, v_head_dim, kv_lora_rank, qk_rope_head_dim});
}

/// `weight` may be null.
Failure rms_norm(const F32Buffer& x, F32Buffer* weight, Size rows, Size dim, double epsilon, F32Buffer& out) {
  Views views;
  const auto inputs = views.of(x, "x", shape(rows, dim));
  const auto weights = views.row(weight, "weight");
  const auto outputs = views.of(out, "out", shape(rows, dim));
  return views.call([&] { return ropewalk::rms_norm(inputs, weights, epsilon, outputs); });
}

Failure softmax(const F32Buffer& x, Size outer, Size size, Size inner, F32Buffer& out) {
  Views views;
  const auto inputs = views.of(x, "x", shape(outer, size, inner));
  const auto outputs = views.of(out, "out", shape(outer, size, inner));
  return views.call([&] { return ropewalk::softmax(inputs, outputs); });
}

Failure alibi_slopes(F32Buffer& out) {
  Views views;
  const auto slopes = views.row(out, "out");
  return views.call([&] {
    ropewalk::alibi_slopes(slopes);
    return Status{};
  });
}

Failure alibi_bias(const F32Buffer& slopes, Size q_len, Size kv_len, std::int32_t query_offset,
                   F32Buffer& out) {
  Views views;
  const auto per_head = views.row(slopes, "slopes");
  const auto bias = views.of(out, "out", shape(slopes.length(), q_len, kv_len));
  return views.call([&] { return ropewalk::alibi_bias(per_head, query_offset, bias); });
}

Failure t5_buckets(std::int32_t num_buckets, std::int32_t max_distance, bool bidirectional, Size q_len,
                   Size kv_len, std::int32_t query_offset, I32Buffer& out) {
  Views views;
  const auto buckets = views.of(out, "out", shape(q_len, kv_len));
  return views.call([&] {
    return ropewalk::t5_buckets({num_buckets, max_distance, bidirectional}, query_offset, buckets);
  });
}

Failure t5_bias(const F32Buffer& table, std::int32_t num_buckets, std::int32_t max_distance,
                bool bidirectional, Size n_heads, Size q_len, Size kv_len, std::int32_t query_offset,
                F32Buffer& out) {
  Views views;
  const auto rows = views.of(table, "table", shape(num_buckets, n_heads));
  const auto bias = views.of(out, "out", shape(n_heads, q_len, kv_len));
  return views.call([&] {
    return ropewalk::t5_bias(rows, {num_buckets, max_distance, bidirectional}, query_offset, bias);
  });
}

}  // namespace

EMSCRIPTEN_BINDINGS(attention) {
  using emscripten::allow_raw_pointers;
  using emscripten::function;

  emscripten::enum_<ScoreStage>("ScoreStage")
      .value("raw", ScoreStage::raw)
      .value("softcapped", ScoreStage::softcapped)
      .value("masked", ScoreStage::masked);
  emscripten::enum_<CacheKind>("CacheKind")
      .value("heads", CacheKind::heads)
      .value("latent", CacheKind::latent);

  function(
      "attention_scratch_size(q_len, kv_len, n_heads, n_kv_heads, head_dim, v_head_dim, with_weights, "
      "in_panels)",
      &attention_scratch_size);
  function(
      "attention(query, key, value, key_halves, value_halves, kv_lens, mask, bias, format, batch, q_len, "
      "n_heads, kv_len, kv_capacity, n_kv_heads, head_dim, v_head_dim, query_offset, causal, "
      "left_window_size, right_window_size, softmax_scale, softcap, score_stage, mask_batch, mask_heads, "
      "mask_q, mask_kv, bias_batch, bias_heads, bias_q, bias_kv, out, weights, scores, scratch)",
      &attention, allow_raw_pointers());
  function(
      "append_to_cache(are_keys, added, format, batch, len, n_heads, head_dim, first, capacity, floats, "
      "halves)",
      &append_to_cache, allow_raw_pointers());
  function("write_cache(update, write_indices, batch, outer, rows, capacity, inner, circular, cache)",
           &write_cache, allow_raw_pointers());
  function(
      "cache_elements_per_token(kind, n_layers, n_kv_heads, head_dim, v_head_dim, kv_lora_rank, "
      "qk_rope_head_dim)",
      &cache_elements_per_token);
  function("rms_norm(x, weight, rows, dim, epsilon, out)", &rms_norm, allow_raw_pointers());
  function("softmax(x, outer, size, inner, out)", &softmax);

  function("alibi_slopes(out)", &alibi_slopes);
  function("alibi_bias(slopes, q_len, kv_len, query_offset, out)", &alibi_bias);
  function("t5_buckets(num_buckets, max_distance, bidirectional, q_len, kv_len, query_offset, out)",
           &t5_buckets);
  function(
      "t5_bias(table, num_buckets, max_distance, bidirectional, n_heads, q_len, kv_len, query_offset, out)",
      &t5_bias);
}

}  // namespace ropewalk::bindings

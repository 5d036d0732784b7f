#include "ropewalk/attention.hpp"

#include "ropewalk/kv_cache.hpp"
#include "ropewalk/normalization.hpp"
#include "ropewalk/position_bias.hpp"
#include "views.hpp"

namespace ropewalk::bindings {
namespace {

double attention_scratch_size(Size kv_len) {
  return static_cast<double>(ropewalk::attention_scratch_size(kv_len));
}

/// [batch, heads, q, kv] of a mask or a bias; 1 where it is the same for all.
struct Extents {
  Size batch;
  Size heads;
  Size q;
  Size kv;
};

constexpr std::array<std::size_t, 4> shape_of(const Extents& extents) {
  return shape(extents.batch, extents.heads, extents.q, extents.kv);
}

/// `kv_lens`, `mask`, `bias` and `scores` may be null, and so is one of `weights` and `scratch`.
Failure attention(const F32Buffer& query, const F32Buffer& key, const F32Buffer& value, I32Buffer* kv_lens,
                  U8Buffer* mask, F32Buffer* bias, const Heads& query_heads, const Heads& key_heads,
                  Size v_head_dim, AttentionOptions options, const Extents& mask_extents,
                  const Extents& bias_extents, F32Buffer& out, F32Buffer* weights, F32Buffer* scores,
                  F32Buffer* scratch) {
  Views views;
  Heads value_heads = key_heads;
  value_heads.head_dim = v_head_dim;
  Heads out_heads = query_heads;
  out_heads.head_dim = v_head_dim;
  const auto queries = views.heads(query, "query", query_heads);
  const auto keys = views.heads(key, "key", key_heads);
  const auto values = views.heads(value, "value", value_heads);
  const auto outs = views.heads(out, "out", out_heads);
  const auto rows = shape(query_heads.batch, query_heads.n_heads, query_heads.len, key_heads.len);
  const auto weight_rows = views.of(weights, "weights", rows);
  const auto score_rows = views.of(scores, "scores", rows);
  const auto room = views.row(scratch, "scratch");
  options.kv_lens = views.row(kv_lens, "kv_lens");
  options.mask = views.of(mask, "mask", shape_of(mask_extents));
  options.bias = views.of(bias, "bias", shape_of(bias_extents));
  return views.call([&] {
    return ropewalk::attention(queries, keys, values, options, outs, weight_rows, score_rows, room);
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

Failure t5_buckets(const T5Buckets& options, Size q_len, Size kv_len, std::int32_t query_offset,
                   I32Buffer& out) {
  Views views;
  const auto buckets = views.of(out, "out", shape(q_len, kv_len));
  return views.call([&] { return ropewalk::t5_buckets(options, query_offset, buckets); });
}

Failure t5_bias(const F32Buffer& table, const T5Buckets& options, Size n_heads, Size q_len, Size kv_len,
                std::int32_t query_offset, F32Buffer& out) {
  Views views;
  const auto rows = views.of(table, "table", shape(options.num_buckets, n_heads));
  const auto bias = views.of(out, "out", shape(n_heads, q_len, kv_len));
  return views.call([&] { return ropewalk::t5_bias(rows, options, query_offset, bias); });
}

}  // namespace

EMSCRIPTEN_BINDINGS(attention) {
  using emscripten::allow_raw_pointers;
  using emscripten::function;

  emscripten::enum_<ScoreStage>("ScoreStage")
      .value("raw", ScoreStage::raw)
      .value("softcapped", ScoreStage::softcapped)
      .value("masked", ScoreStage::masked);
  emscripten::value_object<AttentionOptions>("AttentionOptions")
      .field("query_offset", &AttentionOptions::query_offset)
      .field("causal", &AttentionOptions::causal)
      .field("left_window_size", &AttentionOptions::left_window_size)
      .field("right_window_size", &AttentionOptions::right_window_size)
      .field("softmax_scale", &AttentionOptions::softmax_scale)
      .field("softcap", &AttentionOptions::softcap)
      .field("score_stage", &AttentionOptions::score_stage);
  emscripten::value_object<Extents>("Extents")
      .field("batch", &Extents::batch)
      .field("heads", &Extents::heads)
      .field("q", &Extents::q)
      .field("kv", &Extents::kv);
  emscripten::value_object<T5Buckets>("T5Buckets")
      .field("num_buckets", &T5Buckets::num_buckets)
      .field("max_distance", &T5Buckets::max_distance)
      .field("bidirectional", &T5Buckets::bidirectional);
  emscripten::enum_<CacheKind>("CacheKind")
      .value("heads", CacheKind::heads)
      .value("latent", CacheKind::latent);
  emscripten::value_object<CacheShape>("CacheShape")
      .field("kind", &CacheShape::kind)
      .field("n_layers", &CacheShape::n_layers)
      .field("n_kv_heads", &CacheShape::n_kv_heads)
      .field("head_dim", &CacheShape::head_dim)
      .field("v_head_dim", &CacheShape::v_head_dim)
      .field("kv_lora_rank", &CacheShape::kv_lora_rank)
      .field("qk_rope_head_dim", &CacheShape::qk_rope_head_dim);

  function("attention_scratch_size(kv_len)", &attention_scratch_size);
  function(
      "attention(query, key, value, kv_lens, mask, bias, query_heads, key_heads, v_head_dim, options, "
      "mask_extents, bias_extents, out, weights, scores, scratch)",
      &attention, allow_raw_pointers());
  function("write_cache(update, write_indices, batch, outer, rows, capacity, inner, circular, cache)",
           &write_cache, allow_raw_pointers());
  function("cache_elements_per_token(shape)", &cache_elements_per_token);
  function("rms_norm(x, weight, rows, dim, epsilon, out)", &rms_norm, allow_raw_pointers());
  function("softmax(x, outer, size, inner, out)", &softmax);

  function("alibi_slopes(out)", &alibi_slopes);
  function("alibi_bias(slopes, q_len, kv_len, query_offset, out)", &alibi_bias);
  function("t5_buckets(options, q_len, kv_len, query_offset, out)", &t5_buckets);
  function("t5_bias(table, options, n_heads, q_len, kv_len, query_offset, out)", &t5_bias);
}

}  // namespace ropewalk::bindings

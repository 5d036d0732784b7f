#include "ropewalk/mla.hpp"

#include "ropewalk/absorption.hpp"
#include "views.hpp"

namespace ropewalk::bindings {
namespace {

/// `q_a_proj`, `q_a_layernorm` and `q_latent` may be null, and so may what the other form computes, `weights` and `scores`.
Failure mla(Size hidden_size, Size n_heads, Size q_lora_rank, Size kv_lora_rank, Size qk_nope_head_dim,
            Size qk_rope_head_dim, Size v_head_dim, MlaForm form, bool causal, double softmax_scale,
            double epsilon, Size batch, Size q_len, Size kv_len, Size latent_len, Size latent_capacity,
            Size expanded_capacity, bool is_cache, const F32Buffer& x, F32Buffer* q_a_proj,
            F32Buffer* q_a_layernorm, const F32Buffer& q_b_proj, const F32Buffer& kv_a_proj,
            const F32Buffer& kv_a_layernorm, const F32Buffer& kv_b_proj, const F32Buffer& o_proj,
            const F32Buffer& cos, const F32Buffer& sin, F32Buffer& latents, F32Buffer* q_latent,
            F32Buffer& query, F32Buffer* key, F32Buffer* value, F32Buffer* latent_query,
            F32Buffer* latent_out, F32Buffer& heads, F32Buffer& out, F32Buffer* weights, F32Buffer* scores,
            F32Buffer& scratch) {
  Views views;
  const MlaTensors tensors{views.row(x, "x"),
                           views.row(q_a_proj, "q_a_proj"),
                           views.row(q_a_layernorm, "q_a_layernorm"),
                           views.row(q_b_proj, "q_b_proj"),
                           views.row(kv_a_proj, "kv_a_proj"),
                           views.row(kv_a_layernorm, "kv_a_layernorm"),
                           views.row(kv_b_proj, "kv_b_proj"),
                           views.row(o_proj, "o_proj"),
                           views.row(cos, "cos"),
                           views.row(sin, "sin"),
                           views.row(latents, "latents"),
                           views.row(q_latent, "q_latent"),
                           views.row(query, "query"),
                           views.row(key, "key"),
                           views.row(value, "value"),
                           views.row(latent_query, "latent_query"),
                           views.row(latent_out, "latent_out"),
                           views.row(heads, "heads"),
                           views.row(out, "out"),
                           views.row(weights, "weights"),
                           views.row(scores, "scores"),
                           views.row(scratch, "scratch")};
  const MlaShape shape{hidden_size,      n_heads,          q_lora_rank, kv_lora_rank,
                       qk_nope_head_dim, qk_rope_head_dim, v_head_dim};
  const MlaOptions options{form, causal,
                           static_cast<float>(scale_or_default(softmax_scale, shape.qk_head_dim())), epsilon};
  const MlaExtents extents{batch, q_len, kv_len, latent_len, latent_capacity, expanded_capacity, is_cache};
  return views.call([&] { return ropewalk::mla(shape, options, extents, tensors); });
}

double mla_scratch_size(Size n_heads, Size kv_lora_rank, Size qk_nope_head_dim, Size qk_rope_head_dim,
                        Size v_head_dim, MlaForm form, Size q_len, Size kv_len, bool with_weights,
                        bool is_cache) {
  const MlaShape shape{0, n_heads, 0, kv_lora_rank, qk_nope_head_dim, qk_rope_head_dim, v_head_dim};
  return static_cast<double>(ropewalk::mla_scratch_size(shape, form, q_len, kv_len, with_weights, is_cache));
}

/// out: of project, expand and attend, the multiply-adds and the bytes.
Failure mla_cost(Size hidden_size, Size n_heads, Size q_lora_rank, Size kv_lora_rank, Size qk_nope_head_dim,
                 Size qk_rope_head_dim, Size v_head_dim, MlaForm form, CacheKind cached, Size batch,
                 Size q_len, Size kv_len, bool causal, F64Buffer& out) {
  Views views;
  const auto numbers = views.of(out, "out", shape(6));
  const MlaShape shape{hidden_size,      n_heads,          q_lora_rank, kv_lora_rank,
                       qk_nope_head_dim, qk_rope_head_dim, v_head_dim};
  return views.call([&] {
    const MlaCost cost = ropewalk::mla_cost(shape, form, cached, batch, q_len, kv_len, causal);
    double* number = numbers.data;
    for (const MlaWork& work : {cost.project, cost.expand, cost.attend}) {
      *number++ = work.multiply_adds;
      *number++ = work.bytes;
    }
    return Status{};
  });
}

Failure absorb_rotation(const F32Buffer& key_up, const F64Buffer& inv_freq, RopeLayout layout, Size head_dim,
                        Size kv_lora_rank, Size context_len, double first_distance, double step,
                        F32Buffer& absorbed, F32Buffer& error) {
  Views views;
  const auto up = views.of(key_up, "key_up", shape(head_dim, kv_lora_rank));
  const auto frequencies = views.row(inv_freq, "inv_freq");
  const auto matrix = views.of(absorbed, "absorbed", shape(head_dim, kv_lora_rank));
  const auto errors = views.row(error, "error");
  return views.call([&] {
    return ropewalk::absorb_rotation(up, frequencies, layout, context_len, first_distance, step, matrix,
                                     errors);
  });
}

Failure relative_errors(const F32Buffer& x, const F32Buffer& exact, Size rows, Size columns, F32Buffer& out) {
  Views views;
  const auto approximate = views.of(x, "x", shape(rows, columns));
  const auto wanted = views.of(exact, "exact", shape(rows, columns));
  const auto errors = views.row(out, "out");
  return views.call([&] { return ropewalk::relative_errors(approximate, wanted, errors); });
}

}  // namespace

EMSCRIPTEN_BINDINGS(mla) {
  using emscripten::allow_raw_pointers;
  using emscripten::function;

  emscripten::enum_<MlaForm>("MlaForm").value("naive", MlaForm::naive).value("absorbed", MlaForm::absorbed);

  function(
      "mla(hidden_size, n_heads, q_lora_rank, kv_lora_rank, qk_nope_head_dim, qk_rope_head_dim, v_head_dim, "
      "form, causal, softmax_scale, epsilon, batch, q_len, kv_len, latent_len, latent_capacity, "
      "expanded_capacity, is_cache, x, q_a_proj, q_a_layernorm, q_b_proj, kv_a_proj, "
      "kv_a_layernorm, kv_b_proj, "
      "o_proj, cos, sin, latents, q_latent, query, key, value, latent_query, latent_out, heads, out, "
      "weights, scores, scratch)",
      &mla, allow_raw_pointers());
  function(
      "mla_scratch_size(n_heads, kv_lora_rank, qk_nope_head_dim, qk_rope_head_dim, v_head_dim, form, q_len, "
      "kv_len, with_weights, is_cache)",
      &mla_scratch_size);
  function(
      "mla_cost(hidden_size, n_heads, q_lora_rank, kv_lora_rank, qk_nope_head_dim, qk_rope_head_dim, "
      "v_head_dim, form, cached, batch, q_len, kv_len, causal, out)",
      &mla_cost);
  function(
      "absorb_rotation(key_up, inv_freq, layout, head_dim, kv_lora_rank, context_len, first_distance, step, "
      "absorbed, error)",
      &absorb_rotation);
  function("relative_errors(x, exact, rows, columns, out)", &relative_errors);
}

}  // namespace ropewalk::bindings

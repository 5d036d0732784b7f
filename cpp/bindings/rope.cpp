#include "ropewalk/rope.hpp"

#include "ropewalk/rope_scaling.hpp"
#include "views.hpp"

namespace ropewalk::bindings {
namespace {

Failure rope_inv_freq(double rope_theta, F64Buffer& inv_freq) {
  Views views;
  const auto frequencies = views.row(inv_freq, "inv_freq");
  return views.call([&] { return ropewalk::rope_inv_freq(rope_theta, frequencies); });
}

Failure mrope_pair_axes(std::int32_t time, std::int32_t height, std::int32_t width, bool interleaved,
                        I32Buffer& pair_axes) {
  Views views;
  const std::array sections{time, height, width};
  const TensorView<const std::int32_t, 1> shares{sections.data(), shape(3)};
  const auto axes = views.row(pair_axes, "pair_axes");
  return views.call([&] { return ropewalk::mrope_pair_axes(shares, interleaved, axes); });
}

Failure axial_rope(double rope_theta, F64Buffer& inv_freq, I32Buffer& pair_axes) {
  Views views;
  const auto frequencies = views.row(inv_freq, "inv_freq");
  const auto axes = views.row(pair_axes, "pair_axes");
  return views.call([&] { return ropewalk::axial_rope(rope_theta, frequencies, axes); });
}

/// `pair_axes` may be null.
Failure build_rope_cache(const I32Buffer& position_ids, Size rows, const F64Buffer& inv_freq,
                         I32Buffer* pair_axes, double attention_factor, F32Buffer& cos, F32Buffer& sin) {
  Views views;
  const Size n_axes = rows == 0 ? 0 : position_ids.length() / rows;
  const auto positions = views.of(position_ids, "position_ids", shape(n_axes, rows));
  const auto frequencies = views.row(inv_freq, "inv_freq");
  const auto axes = views.row(pair_axes, "pair_axes");
  const auto cosines = views.of(cos, "cos", shape(rows, inv_freq.length()));
  const auto sines = views.of(sin, "sin", shape(rows, inv_freq.length()));
  return views.call([&] {
    return ropewalk::build_rope_cache(positions, frequencies, axes, attention_factor, cosines, sines);
  });
}

Failure build_xpos_cache(const I32Buffer& position_ids, const F64Buffer& inv_freq, double scale_base,
                         double gamma, XposSide side, F32Buffer& cos, F32Buffer& sin) {
  Views views;
  const auto positions = views.row(position_ids, "position_ids");
  const auto frequencies = views.row(inv_freq, "inv_freq");
  const auto cosines = views.of(cos, "cos", shape(position_ids.length(), inv_freq.length()));
  const auto sines = views.of(sin, "sin", shape(position_ids.length(), inv_freq.length()));
  return views.call([&] {
    return ropewalk::build_xpos_cache(positions, frequencies, scale_base, gamma, side, cosines, sines);
  });
}

/// `position_ids` may be null.
Failure apply_rope(F32Buffer& x, HeadsFormat format, Size batch, Size seq_len, Size n_heads, Size head_dim,
                   const F32Buffer& cos, const F32Buffer& sin, I32Buffer* position_ids, Size rotary_dim,
                   RopeLayout layout) {
  Views views;
  const std::size_t n_pairs = views.pairs_in(rotary_dim);
  const auto rotated = views.heads(x, "x", {format, batch, seq_len, seq_len, n_heads, head_dim});
  const std::size_t rows = n_pairs == 0 ? 0 : cos.length() / n_pairs;
  const auto cosines = views.of(cos, "cos", shape(rows, n_pairs));
  const auto sines = views.of(sin, "sin", shape(rows, n_pairs));
  const auto positions = views.row(position_ids, "position_ids");
  return views.call([&] { return ropewalk::apply_rope(rotated, cosines, sines, positions, layout); });
}

Failure convert_rope_layout(const F32Buffer& x, Size outer, Size head_dim, Size inner, Size rotary_dim,
                            RopeLayout to, F32Buffer& out) {
  Views views;
  const auto from = views.of(x, "x", shape(outer, head_dim, inner));
  const auto converted = views.of(out, "out", shape(outer, head_dim, inner));
  return views.call([&] { return ropewalk::convert_rope_layout(from, rotary_dim, to, converted); });
}

double rope_scaling_pairs(RopeType type, Size head_dim, double partial_rotary_factor) {
  return static_cast<double>(ropewalk::rope_scaling_pairs(
      {.type = type, .head_dim = head_dim, .partial_rotary_factor = partial_rotary_factor}));
}

/// Numbers that were not given are NaN; factors[0] is the attention factor, factors[1] the softmax factor; `short_factor`
/// and `long_factor` may be null.
Failure rope_scaling(RopeType type, double rope_theta, Size head_dim, double partial_rotary_factor,
                     double factor, double max_position_embeddings, double original_max_position_embeddings,
                     double seq_len, double attention_factor, double beta_fast, double beta_slow,
                     bool truncate, double mscale, double mscale_all_dim, double low_freq_factor,
                     double high_freq_factor, F64Buffer* short_factor, F64Buffer* long_factor,
                     F64Buffer& inv_freq, F64Buffer& factors) {
  Views views;
  const RopeScaling scaling{type,
                            rope_theta,
                            head_dim,
                            partial_rotary_factor,
                            factor,
                            max_position_embeddings,
                            original_max_position_embeddings,
                            seq_len,
                            attention_factor,
                            beta_fast,
                            beta_slow,
                            truncate,
                            mscale,
                            mscale_all_dim,
                            low_freq_factor,
                            high_freq_factor,
                            views.row(short_factor, "short_factor"),
                            views.row(long_factor, "long_factor")};
  const auto frequencies = views.row(inv_freq, "inv_freq");
  const auto both = views.of(factors, "factors", shape(2));
  return views.call([&] {
    RopeScalingFactors result;
    const Status status = ropewalk::rope_scaling(scaling, frequencies, result);
    if (status.ok()) {
      both.data[0] = result.attention_factor;
      both.data[1] = result.softmax_factor;
    }
    return status;
  });
}

}  // namespace

EMSCRIPTEN_BINDINGS(rope) {
  using emscripten::allow_raw_pointers;
  using emscripten::function;

  emscripten::enum_<RopeLayout>("RopeLayout")
      .value("interleaved", RopeLayout::interleaved)
      .value("half", RopeLayout::half);
  emscripten::enum_<XposSide>("XposSide").value("query", XposSide::query).value("key", XposSide::key);
  emscripten::enum_<RopeType>("RopeType")
      .value("default", RopeType::standard)
      .value("linear", RopeType::linear)
      .value("ntk", RopeType::ntk)
      .value("dynamic", RopeType::dynamic)
      .value("yarn", RopeType::yarn)
      .value("longrope", RopeType::longrope)
      .value("llama3", RopeType::llama3)
      .value("proportional", RopeType::proportional);

  function("rope_inv_freq(rope_theta, inv_freq)", &rope_inv_freq);
  function("mrope_pair_axes(time, height, width, interleaved, pair_axes)", &mrope_pair_axes);
  function("axial_rope(rope_theta, inv_freq, pair_axes)", &axial_rope);
  function("build_rope_cache(position_ids, rows, inv_freq, pair_axes, attention_factor, cos, sin)",
           &build_rope_cache, allow_raw_pointers());
  function("build_xpos_cache(position_ids, inv_freq, scale_base, gamma, side, cos, sin)", &build_xpos_cache);
  function(
      "apply_rope(x, format, batch, seq_len, n_heads, head_dim, cos, sin, position_ids, rotary_dim, layout)",
      &apply_rope, allow_raw_pointers());
  function("convert_rope_layout(x, outer, head_dim, inner, rotary_dim, to, out)", &convert_rope_layout);
  function("rope_scaling_pairs(type, head_dim, partial_rotary_factor)", &rope_scaling_pairs);
  function(
      "rope_scaling(type, rope_theta, head_dim, partial_rotary_factor, factor, max_position_embeddings, "
      "original_max_position_embeddings, seq_len, attention_factor, beta_fast, beta_slow, truncate, mscale, "
      "mscale_all_dim, low_freq_factor, high_freq_factor, short_factor, long_factor, inv_freq, factors)",
      &rope_scaling, allow_raw_pointers());
}

}  // namespace ropewalk::bindings

/// The reference as a wasm module, which the engine's property tests load beside the engine. Each function takes the
/// options of the engine's function of that name, none of them left out, and gives back doubles.

#include <emscripten/bind.h>
#include <emscripten/val.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "reference/absorption.hpp"
#include "reference/analysis.hpp"
#include "reference/attention.hpp"
#include "reference/embedding.hpp"
#include "reference/encodings.hpp"
#include "reference/kv_cache.hpp"
#include "reference/mla.hpp"
#include "reference/normalization.hpp"
#include "reference/position_bias.hpp"
#include "reference/rope.hpp"
#include "reference/rope_scaling.hpp"

namespace ropewalk::reference {
namespace {

using emscripten::val;

// ---- In and out ------------------------------------------------------------------------------------------------------

/// The named options of a call.
class Options {
 public:
  explicit Options(const val& object) : object_(object) {}

  bool has(const char* name) const { return !object_[name].isUndefined(); }
  double number(const char* name) const { return object_[name].as<double>(); }
  std::size_t size(const char* name) const { return object_[name].as<std::uint32_t>(); }
  std::int32_t int32(const char* name) const { return object_[name].as<std::int32_t>(); }
  std::uint32_t uint32(const char* name) const { return object_[name].as<std::uint32_t>(); }
  bool flag(const char* name) const { return object_[name].as<bool>(); }
  std::string word(const char* name) const { return object_[name].as<std::string>(); }

  double number_or_nan(const char* name) const {
    return has(name) ? number(name) : std::numeric_limits<double>::quiet_NaN();
  }

  /// Of an array of any kind; empty where there is none.
  template <class T>
  std::vector<T> list(const char* name) const {
    return has(name) ? emscripten::convertJSArrayToNumberVector<T>(object_[name]) : std::vector<T>{};
  }

  std::vector<double> doubles(const char* name) const { return list<double>(name); }

  std::vector<long double> long_doubles(const char* name) const {
    const std::vector<double> list = doubles(name);
    return {list.begin(), list.end()};
  }

  RopeLayout layout(const char* name) const {
    return word(name) == "half" ? RopeLayout::half : RopeLayout::interleaved;
  }

 private:
  val object_;
};

template <class T>
val array(const char* kind, const std::vector<T>& elements) {
  return val::global(kind).new_(val(emscripten::typed_memory_view(elements.size(), elements.data())));
}

val array(const std::vector<double>& elements) { return array("Float64Array", elements); }
val array(const std::vector<float>& elements) { return array("Float32Array", elements); }
val array(const std::vector<std::int32_t>& elements) { return array("Int32Array", elements); }

val array(const std::vector<long double>& elements) {
  return array(std::vector<double>(elements.begin(), elements.end()));
}

/// An object with a field for each name.
template <class... Field>
val object(const Field&... field) {
  val made = val::object();
  (made.set(field.first, field.second), ...);
  return made;
}

// ---- Attention, caches, normalization ----------------------------------------------------------------------------------

template <class T>
TensorView<const T, 4> broadcast(const std::vector<T>& elements, const std::vector<std::uint32_t>& extents) {
  if (elements.empty()) return {};
  return {elements.data(), {extents[0], extents[1], extents[2], extents[3]}};
}

/// Heads in bshd, whatever `format` says; maskShape and biasShape of rank 4. Without kvLens query_offset counts.
val attention(const Options& o) {
  const AttentionShape shape{o.size("batch"),    o.size("qLen"),    o.size("kvLen"),   o.size("nHeads"),
                             o.size("nKvHeads"), o.size("headDim"), o.size("vHeadDim")};
  const auto kv_lens = o.list<std::int32_t>("kvLens");
  const auto mask = o.list<std::uint8_t>("mask");
  const auto bias = o.list<float>("bias");
  AttentionOptions options;
  options.query_offset = o.int32("queryOffset");
  options.causal = o.flag("causal");
  options.left_window_size = o.int32("leftWindowSize");
  options.right_window_size = o.int32("rightWindowSize");
  options.softmax_scale = static_cast<float>(o.number("softmaxScale"));
  options.softcap = static_cast<float>(o.number("softcap"));
  if (!kv_lens.empty()) options.kv_lens = {kv_lens.data(), {kv_lens.size()}};
  options.mask = broadcast(mask, o.list<std::uint32_t>("maskShape"));
  options.bias = broadcast(bias, o.list<std::uint32_t>("biasShape"));
  const std::string stage = o.word("scoreStage");
  options.score_stage = stage == "raw"          ? ScoreStage::raw
                        : stage == "softcapped" ? ScoreStage::softcapped
                                                : ScoreStage::masked;
  const AttentionResult result =
      reference::attention(o.doubles("query"), o.doubles("key"), o.doubles("value"), shape, options);
  return object(std::pair("out", array(result.out)), std::pair("weights", array(result.weights)),
                std::pair("scores", array(result.scores)));
}

val write_cache(const Options& o) {
  return array(reference::write_cache(o.list<float>("cache"), o.list<float>("update"),
                                      o.list<std::int32_t>("writeIndices"), o.size("outer"),
                                      o.size("capacity"), o.size("rows"), o.size("inner")));
}

val rms_norm(const Options& o) {
  return array(reference::rms_norm(o.doubles("x"), o.doubles("weight"), o.number("epsilon"), o.size("rows"),
                                   o.size("dim")));
}

val softmax(const Options& o) {
  return array(reference::softmax(o.doubles("x"), o.size("outer"), o.size("size"), o.size("inner")));
}

// ---- Positions that are added ----------------------------------------------------------------------------------------

T5Buckets t5(const Options& o) {
  return {o.int32("numBuckets"), o.int32("maxDistance"), o.flag("bidirectional")};
}

val alibi_slopes(const Options& o) { return array(reference::alibi_slopes(o.size("nHeads"))); }

val alibi_bias(const Options& o) {
  return array(
      reference::alibi_bias(o.doubles("slopes"), o.size("qLen"), o.size("kvLen"), o.int32("queryOffset")));
}

val t5_buckets(const Options& o) {
  return array(reference::t5_buckets(o.size("qLen"), o.size("kvLen"), o.int32("queryOffset"), t5(o)));
}

val t5_bias(const Options& o) {
  return array(reference::t5_bias(o.doubles("table"), o.size("nHeads"), o.size("qLen"), o.size("kvLen"),
                                  o.int32("queryOffset"), t5(o)));
}

val integer_encoding(const Options& o) {
  return array(reference::integer_encoding(o.list<std::int32_t>("positionIds"), o.size("dim")));
}

val binary_encoding(const Options& o) {
  return array(reference::binary_encoding(o.list<std::int32_t>("positionIds"), o.size("dim")));
}

val sinusoidal_encoding(const Options& o) {
  return array(
      reference::sinusoidal_encoding(o.list<std::int32_t>("positionIds"), o.number("base"), o.size("dim")));
}

val add_encoding(const Options& o) {
  return array(reference::add_encoding(o.doubles("encoding"), o.doubles("x")));
}

val linear(const Options& o) {
  return array(reference::linear(o.doubles("x"), o.doubles("weight"), o.size("rows"), o.size("inDim"),
                                 o.size("outDim")));
}

// ---- Rotary ----------------------------------------------------------------------------------------------------------

val cache(const RopeCache& made) {
  return object(std::pair("cos", array(made.cos)), std::pair("sin", array(made.sin)));
}

val rope_inv_freq(const Options& o) {
  return array(reference::rope_inv_freq(o.number("ropeTheta"), o.size("rotaryDim")));
}

/// Those given, as the doubles that they are; or else the formula's, before any rounding to double.
std::vector<long double> frequencies(const Options& o) {
  if (o.has("invFreq")) return o.long_doubles("invFreq");
  std::vector<long double> exact;
  for (std::size_t pair = 0; pair < o.size("rotaryDim") / 2; ++pair) {
    exact.push_back(frequency(o.number("ropeTheta"), pair, o.size("rotaryDim")));
  }
  return exact;
}

val build_rope_cache(const Options& o) {
  return cache(reference::build_rope_cache(o.list<std::int32_t>("positionIds"), frequencies(o), 1, {},
                                           o.number("attentionFactor")));
}

val build_mrope_cache(const Options& o) {
  const auto axes = mrope_pair_axes(o.list<std::int32_t>("sections"), o.flag("interleaved"));
  return cache(reference::build_rope_cache(o.list<std::int32_t>("positionIds"), o.long_doubles("invFreq"), 3,
                                           axes, o.number("attentionFactor")));
}

val build_axial_rope_cache(const Options& o) {
  const AxialRope axial = axial_rope(o.number("ropeTheta"), o.size("rotaryDim"));
  const std::vector<long double> inv_freq(axial.inv_freq.begin(), axial.inv_freq.end());
  return cache(
      reference::build_rope_cache(o.list<std::int32_t>("positionIds"), inv_freq, 2, axial.pair_axes));
}

val build_xpos_cache(const Options& o) {
  return cache(reference::build_xpos_cache(o.list<std::int32_t>("positionIds"), o.long_doubles("invFreq"),
                                           o.number("scaleBase"), o.number("gamma"),
                                           o.word("side") == "query" ? XposSide::query : XposSide::key));
}

/// `positionIds` are never left out here.
val apply_rope(const Options& o) {
  std::vector<double> x = o.doubles("x");
  const HeadsShape shape{o.word("format") == "bhsd" ? HeadsFormat::bhsd : HeadsFormat::bshd, o.size("batch"),
                         o.size("seqLen"), o.size("nHeads"), o.size("headDim")};
  reference::apply_rope(x, shape, o.doubles("cos"), o.doubles("sin"), o.list<std::int32_t>("positionIds"),
                        o.size("rotaryDim"), o.layout("layout"));
  return array(x);
}

val convert_rope_layout(const Options& o) {
  return array(reference::convert_rope_layout(o.list<float>("x"), o.size("headDim"), o.size("inner"),
                                              o.size("rotaryDim"), o.layout("to")));
}

/// The fields of a configuration under their own names; what is not there is not given.
val rope_scaling(const Options& o) {
  constexpr std::array types{
      std::pair{"default", RopeType::standard}, std::pair{"linear", RopeType::linear},
      std::pair{"ntk", RopeType::ntk},          std::pair{"dynamic", RopeType::dynamic},
      std::pair{"yarn", RopeType::yarn},        std::pair{"longrope", RopeType::longrope},
      std::pair{"llama3", RopeType::llama3},    std::pair{"proportional", RopeType::proportional}};
  const auto short_factor = o.doubles("short_factor");
  const auto long_factor = o.doubles("long_factor");
  RopeScaling scaling;
  for (const auto& [name, type] : types) {
    if (o.word("rope_type") == name) scaling.type = type;
  }
  scaling.rope_theta = o.number("rope_theta");
  scaling.head_dim = o.uint32("head_dim");
  if (o.has("partial_rotary_factor")) scaling.partial_rotary_factor = o.number("partial_rotary_factor");
  scaling.factor = o.number_or_nan("factor");
  scaling.max_position_embeddings = o.number_or_nan("max_position_embeddings");
  scaling.original_max_position_embeddings = o.number_or_nan("original_max_position_embeddings");
  scaling.seq_len = o.number_or_nan("seq_len");
  scaling.attention_factor = o.number_or_nan("attention_factor");
  if (o.has("beta_fast")) scaling.beta_fast = o.number("beta_fast");
  if (o.has("beta_slow")) scaling.beta_slow = o.number("beta_slow");
  if (o.has("truncate")) scaling.truncate = o.flag("truncate");
  scaling.mscale = o.number_or_nan("mscale");
  scaling.mscale_all_dim = o.number_or_nan("mscale_all_dim");
  scaling.low_freq_factor = o.number_or_nan("low_freq_factor");
  scaling.high_freq_factor = o.number_or_nan("high_freq_factor");
  scaling.short_factor = {short_factor.data(), {short_factor.size()}};
  scaling.long_factor = {long_factor.data(), {long_factor.size()}};
  const ScaledRope rope = reference::rope_scaling(scaling);
  return object(std::pair("invFreq", array(rope.inv_freq)),
                std::pair("attentionFactor", static_cast<double>(rope.attention_factor)),
                std::pair("softmaxFactor", static_cast<double>(rope.softmax_factor)));
}

// ---- Analysis --------------------------------------------------------------------------------------------------------

std::vector<double> distances(const Options& o) {
  std::vector<double> all;
  for (std::size_t s = 0; s < o.size("count"); ++s) {
    all.push_back(o.number("firstDistance") + static_cast<double>(s) * o.number("step"));
  }
  return all;
}

RopeScore score_at(const Options& o, double distance) {
  return reference::rope_score(o.doubles("query"), o.doubles("key"), o.doubles("invFreq"), o.layout("layout"),
                               distance, o.number("softmaxScale"), o.list<std::uint8_t>("pairMask"));
}

val row_norms(const Options& o) {
  return array(reference::row_norms(o.doubles("x"), o.size("rows"), o.size("dim")));
}

val row_cosines(const Options& o) {
  return array(reference::row_cosines(o.doubles("a"), o.doubles("b"), o.size("rows"), o.size("dim")));
}

val neighbour_distances(const Options& o) {
  return array(reference::neighbour_distances(o.doubles("x"), o.size("rows"), o.size("dim")));
}

val similarity(const Options& o) {
  return array(reference::similarity(o.doubles("x"), o.size("rows"), o.size("dim"), o.flag("cosine")));
}

val max_abs_difference(const Options& o) {
  return val(reference::max_abs_difference(o.doubles("a"), o.doubles("b")));
}

val rope_angles(const Options& o) {
  return array(reference::rope_angles(o.number("firstPosition"), o.number("step"), o.size("count"),
                                      o.doubles("invFreq")));
}

val rope_periods(const Options& o) {
  const std::vector<double> wavelength = rope_wavelengths(o.doubles("invFreq"));
  std::vector<double> turns;
  for (const double length : wavelength) turns.push_back(o.number("contextLen") / length);
  return object(std::pair("wavelength", array(wavelength)), std::pair("turns", array(turns)));
}

val pair_polar(const Options& o) {
  const Polar polar = reference::pair_polar(o.doubles("x"), o.layout("layout"));
  return object(std::pair("magnitude", array(polar.magnitude)), std::pair("angle", array(polar.angle)));
}

val pair_scores(const Options& o) {
  return array(reference::pair_scores(o.doubles("query"), o.doubles("key"), o.layout("layout"),
                                      o.number("softmaxScale")));
}

val rope_score(const Options& o) {
  const RopeScore score = score_at(o, o.number("distance"));
  return object(std::pair("parts", array(score.parts)), std::pair("rest", score.rest),
                std::pair("score", score.score));
}

val rope_score_by_distance(const Options& o) {
  std::vector<double> scores;
  for (const double distance : distances(o)) scores.push_back(score_at(o, distance).score);
  return array(scores);
}

val rope_random_scores(const Options& o) {
  const RandomScores scores = reference::rope_random_scores(
      o.doubles("invFreq"), o.uint32("seed"), o.uint32("draws"), o.number("correlation"), distances(o));
  return object(std::pair("mean", array(scores.mean)), std::pair("deviation", array(scores.deviation)));
}

val rope_decay_bound(const Options& o) {
  std::vector<double> bounds;
  for (const double distance : distances(o)) {
    bounds.push_back(reference::rope_decay_bound(o.doubles("invFreq"), distance));
  }
  return array(bounds);
}

// ---- Latent attention ------------------------------------------------------------------------------------------------

/// Whole sequences of `len` tokens from their first on, and a row of cos and sin for each of them, as for all sequences.
val mla(const Options& o) {
  MlaLayer layer;
  layer.shape = {.hidden_size = o.uint32("hiddenSize"),
                 .n_heads = o.uint32("nHeads"),
                 .q_lora_rank = o.has("qLoraRank") ? o.uint32("qLoraRank") : 0,
                 .kv_lora_rank = o.uint32("kvLoraRank"),
                 .qk_nope_head_dim = o.uint32("qkNopeHeadDim"),
                 .qk_rope_head_dim = o.uint32("qkRopeHeadDim"),
                 .v_head_dim = o.uint32("vHeadDim")};
  layer.q_a_proj = o.doubles("qAProj");
  layer.q_a_layernorm = o.doubles("qALayernorm");
  layer.q_b_proj = o.doubles(o.has("qLoraRank") ? "qBProj" : "qProj");
  layer.kv_a_proj = o.doubles("kvAProj");
  layer.kv_a_layernorm = o.doubles("kvALayernorm");
  layer.kv_b_proj = o.doubles("kvBProj");
  layer.o_proj = o.doubles("oProj");
  const MlaResult result =
      reference::mla(o.doubles("x"), layer, o.doubles("cos"), o.doubles("sin"), o.size("batch"),
                     o.size("len"), o.number("softmaxScale"), o.number("epsilon"), o.flag("causal"));
  return object(std::pair("out", array(result.out)), std::pair("weights", array(result.weights)),
                std::pair("scores", array(result.scores)), std::pair("query", array(result.query)),
                std::pair("latents", array(result.latents)), std::pair("key", array(result.key)),
                std::pair("value", array(result.value)));
}

val absorb_rotation(const Options& o) {
  const Absorption found =
      reference::absorb_rotation(o.doubles("keyUp"), o.size("kvLoraRank"), o.doubles("invFreq"),
                                 o.layout("layout"), o.size("contextLen"), distances(o));
  return object(std::pair("absorbed", array(found.absorbed)), std::pair("error", array(found.error)));
}

val relative_errors(const Options& o) {
  return array(
      reference::relative_errors(o.doubles("x"), o.doubles("exact"), o.size("rows"), o.size("columns")));
}

template <val (*make)(const Options&)>
val call(const val& options) {
  return make(Options(options));
}

}  // namespace

EMSCRIPTEN_BINDINGS(reference) {
  using emscripten::function;
  function("attention", &call<attention>);
  function("writeCache", &call<write_cache>);
  function("rmsNorm", &call<rms_norm>);
  function("softmax", &call<softmax>);
  function("alibiSlopes", &call<alibi_slopes>);
  function("alibiBias", &call<alibi_bias>);
  function("t5Buckets", &call<t5_buckets>);
  function("t5Bias", &call<t5_bias>);
  function("integerEncoding", &call<integer_encoding>);
  function("binaryEncoding", &call<binary_encoding>);
  function("sinusoidalEncoding", &call<sinusoidal_encoding>);
  function("addEncoding", &call<add_encoding>);
  function("linear", &call<linear>);
  function("ropeInvFreq", &call<rope_inv_freq>);
  function("buildRopeCache", &call<build_rope_cache>);
  function("buildMropeCache", &call<build_mrope_cache>);
  function("buildAxialRopeCache", &call<build_axial_rope_cache>);
  function("buildXposCache", &call<build_xpos_cache>);
  function("applyRope", &call<apply_rope>);
  function("convertRopeLayout", &call<convert_rope_layout>);
  function("ropeScaling", &call<rope_scaling>);
  function("rowNorms", &call<row_norms>);
  function("rowCosines", &call<row_cosines>);
  function("neighbourDistances", &call<neighbour_distances>);
  function("similarity", &call<similarity>);
  function("maxAbsDifference", &call<max_abs_difference>);
  function("ropeAngles", &call<rope_angles>);
  function("ropePeriods", &call<rope_periods>);
  function("pairPolar", &call<pair_polar>);
  function("pairScores", &call<pair_scores>);
  function("ropeScore", &call<rope_score>);
  function("ropeScoreByDistance", &call<rope_score_by_distance>);
  function("ropeRandomScores", &call<rope_random_scores>);
  function("ropeDecayBound", &call<rope_decay_bound>);
  function("mla", &call<mla>);
  function("absorbRotation", &call<absorb_rotation>);
  function("relativeErrors", &call<relative_errors>);
}

}  // namespace ropewalk::reference

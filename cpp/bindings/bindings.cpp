/// The boundary: handles to buffers, and each kernel as a function of handles and numbers. Nothing is copied and nothing
/// is allocated on the way through; shapes are checked here against the buffers, and by the kernel against each other.

#include <emscripten/bind.h>
#include <emscripten/val.h>

#include <array>

#include "buffer.hpp"
#include "ropewalk/analysis.hpp"
#include "ropewalk/attention.hpp"
#include "ropewalk/embedding.hpp"
#include "ropewalk/encodings.hpp"
#include "ropewalk/rope.hpp"

namespace ropewalk::bindings {
namespace {

using emscripten::val;

using F32Buffer = Buffer<float>;
using F64Buffer = Buffer<double>;
using I32Buffer = Buffer<std::int32_t>;

EMSCRIPTEN_DECLARE_VAL_TYPE(Float32View)
EMSCRIPTEN_DECLARE_VAL_TYPE(Float64View)
EMSCRIPTEN_DECLARE_VAL_TYPE(Int32View)
EMSCRIPTEN_DECLARE_VAL_TYPE(Failure)

template <class View, class T>
View view_of(const Buffer<T>& buffer) {
  const std::span<const T> elements = buffer.elements();
  return View(val(emscripten::typed_memory_view(elements.size(), elements.data())));
}

/// Undefined when all is well: the usual case costs no object. The only way by which a Status reaches JavaScript.
Failure failure(const Status& status) {
  if (status.ok()) return Failure(val::undefined());
  val object = val::object();
  constexpr std::array codes{"ok", "bad_shape", "bad_value"};
  object.set("code", val(codes[static_cast<std::size_t>(status.code)]));
  object.set("argument", val(status.argument));
  object.set("given", val(status.given));
  object.set("allowed", val(status.allowed));
  return Failure(object);
}

/// Makes views of buffers and remembers the first that failed, so that a binding reads straight down.
class Views {
 public:
  template <class T, std::size_t Rank>
  TensorView<T, Rank> of(Buffer<T>& buffer, const char* argument,
                         const std::array<std::size_t, Rank>& shape) {
    return checked<T>(buffer.elements(), argument, shape);
  }

  template <class T, std::size_t Rank>
  TensorView<const T, Rank> of(const Buffer<T>& buffer, const char* argument,
                               const std::array<std::size_t, Rank>& shape) {
    return checked<const T>(buffer.elements(), argument, shape);
  }

  /// Pairs of components in rotary_dim.
  std::size_t pairs_in(std::uint32_t rotary_dim) {
    if (rotary_dim % 2 != 0 && status_.ok()) status_ = bad_shape("rotary_dim", rotary_dim, "an even number");
    return rotary_dim / 2;
  }

  /// What `kernel` answers, if all views were good.
  template <class Kernel>
  Failure call(Kernel&& kernel) const {
    return failure(status_.ok() ? kernel() : status_);
  }

 private:
  template <class T, std::size_t Rank>
  TensorView<T, Rank> checked(std::span<T> elements, const char* argument,
                              const std::array<std::size_t, Rank>& shape) {
    TensorView<T, Rank> view;
    if (status_.ok()) status_ = view_as(elements, shape, argument, view);
    return view;
  }

  Status status_;
};

using Size = std::uint32_t;

template <class... Extent>
constexpr std::array<std::size_t, sizeof...(Extent)> shape(Extent... extent) {
  return {static_cast<std::size_t>(extent)...};
}

// ---- Encodings -----------------------------------------------------------------------------------------------------

Failure integer_encoding(const I32Buffer& position_ids, Size dim, F32Buffer& out) {
  Views views;
  const auto positions = views.of(position_ids, "position_ids", shape(position_ids.length()));
  const auto encoding = views.of(out, "out", shape(position_ids.length(), dim));
  return views.call([&] { return ropewalk::integer_encoding(positions, encoding); });
}

Failure binary_encoding(const I32Buffer& position_ids, Size dim, F32Buffer& out) {
  Views views;
  const auto positions = views.of(position_ids, "position_ids", shape(position_ids.length()));
  const auto encoding = views.of(out, "out", shape(position_ids.length(), dim));
  return views.call([&] { return ropewalk::binary_encoding(positions, encoding); });
}

Failure sinusoidal_encoding(const I32Buffer& position_ids, Size dim, double base, F32Buffer& out) {
  Views views;
  const auto positions = views.of(position_ids, "position_ids", shape(position_ids.length()));
  const auto encoding = views.of(out, "out", shape(position_ids.length(), dim));
  return views.call([&] { return ropewalk::sinusoidal_encoding(positions, base, encoding); });
}

// ---- Rotary --------------------------------------------------------------------------------------------------------

Failure rope_inv_freq(double rope_theta, F64Buffer& inv_freq) {
  Views views;
  const auto frequencies = views.of(inv_freq, "inv_freq", shape(inv_freq.length()));
  return views.call([&] { return ropewalk::rope_inv_freq(rope_theta, frequencies); });
}

Failure build_rope_cache(const I32Buffer& position_ids, const F64Buffer& inv_freq, F32Buffer& cos,
                         F32Buffer& sin) {
  Views views;
  const auto positions = views.of(position_ids, "position_ids", shape(position_ids.length()));
  const auto frequencies = views.of(inv_freq, "inv_freq", shape(inv_freq.length()));
  const auto cosines = views.of(cos, "cos", shape(position_ids.length(), inv_freq.length()));
  const auto sines = views.of(sin, "sin", shape(position_ids.length(), inv_freq.length()));
  return views.call([&] { return ropewalk::build_rope_cache(positions, frequencies, cosines, sines); });
}

Failure apply_rope(F32Buffer& x, const F32Buffer& cos, const F32Buffer& sin, Size seq_len, Size n_heads,
                   Size head_dim, Size rotary_dim, RopeLayout layout) {
  Views views;
  const std::size_t n_pairs = views.pairs_in(rotary_dim);
  const auto heads = views.of(x, "x", shape(seq_len, n_heads, head_dim));
  const auto cosines = views.of(cos, "cos", shape(seq_len, n_pairs));
  const auto sines = views.of(sin, "sin", shape(seq_len, n_pairs));
  return views.call([&] { return ropewalk::apply_rope(heads, cosines, sines, layout); });
}

// ---- Attention -----------------------------------------------------------------------------------------------------

double attention_scratch_size(Size kv_len) {
  return static_cast<double>(ropewalk::attention_scratch_size(kv_len));
}

/// Either `weights` or `scratch`; the other is null.
Failure attention(const F32Buffer& query, const F32Buffer& key, const F32Buffer& value, Size q_len,
                  Size kv_len, Size n_heads, Size n_kv_heads, Size head_dim, bool causal,
                  std::int32_t causal_offset, float softmax_scale, F32Buffer& out, F32Buffer* weights,
                  F32Buffer* scratch) {
  Views views;
  const auto queries = views.of(query, "query", shape(q_len, n_heads, head_dim));
  const auto keys = views.of(key, "key", shape(kv_len, n_kv_heads, head_dim));
  const auto values = views.of(value, "value", shape(kv_len, n_kv_heads, head_dim));
  const auto outs = views.of(out, "out", shape(q_len, n_heads, head_dim));
  TensorView<float, 3> weight_rows;
  TensorView<float, 1> scratch_rows;
  if (weights != nullptr) weight_rows = views.of(*weights, "weights", shape(n_heads, q_len, kv_len));
  if (scratch != nullptr) scratch_rows = views.of(*scratch, "scratch", shape(scratch->length()));
  const AttentionOptions options{causal, causal_offset, softmax_scale};
  return views.call(
      [&] { return ropewalk::attention(queries, keys, values, options, outs, weight_rows, scratch_rows); });
}

// ---- Embedding -----------------------------------------------------------------------------------------------------

Failure seeded_embedding(const I32Buffer& token_ids, Size dim, std::uint32_t seed, F32Buffer& out) {
  Views views;
  const auto tokens = views.of(token_ids, "token_ids", shape(token_ids.length()));
  const auto embedding = views.of(out, "out", shape(token_ids.length(), dim));
  return views.call([&] { return ropewalk::seeded_embedding(tokens, seed, embedding); });
}

Failure seeded_projection(std::uint32_t seed, std::uint32_t stream, Size out_dim, Size in_dim,
                          F32Buffer& out) {
  Views views;
  const auto weight = views.of(out, "out", shape(out_dim, in_dim));
  return views.call([&] { return ropewalk::seeded_projection(seed, stream, weight); });
}

Failure add_encoding(const F32Buffer& encoding, F32Buffer& x, Size dim) {
  Views views;
  const std::size_t seq_len = dim == 0 ? 0 : x.length() / dim;
  const auto added = views.of(encoding, "encoding", shape(seq_len, dim));
  const auto embedding = views.of(x, "x", shape(seq_len, dim));
  return views.call([&] { return ropewalk::add_encoding(added, embedding); });
}

Failure linear(const F32Buffer& x, const F32Buffer& weight, Size rows, Size in_dim, Size out_dim,
               F32Buffer& out) {
  Views views;
  const auto inputs = views.of(x, "x", shape(rows, in_dim));
  const auto weights = views.of(weight, "weight", shape(out_dim, in_dim));
  const auto outputs = views.of(out, "out", shape(rows, out_dim));
  return views.call([&] { return ropewalk::linear(inputs, weights, outputs); });
}

// ---- Analysis ------------------------------------------------------------------------------------------------------

Failure row_norms(const F32Buffer& x, Size dim, F32Buffer& out) {
  Views views;
  const auto rows = views.of(x, "x", shape(out.length(), dim));
  const auto norms = views.of(out, "out", shape(out.length()));
  return views.call([&] { return ropewalk::row_norms(rows, norms); });
}

/// out[0] is the difference.
Failure max_abs_difference(const F32Buffer& a, const F32Buffer& b, F32Buffer& out) {
  Views views;
  const auto left = views.of(a, "a", shape(a.length()));
  const auto right = views.of(b, "b", shape(b.length()));
  const auto difference = views.of(out, "out", shape(1));
  return views.call([&] { return ropewalk::max_abs_difference(left, right, *difference.data); });
}

Failure rope_angles(double first_position, double step, const F64Buffer& inv_freq, Size count,
                    F32Buffer& out) {
  Views views;
  const auto frequencies = views.of(inv_freq, "inv_freq", shape(inv_freq.length()));
  const auto angles = views.of(out, "out", shape(count, inv_freq.length()));
  return views.call([&] { return ropewalk::rope_angles(first_position, step, frequencies, angles); });
}

Failure pair_polar(const F32Buffer& x, RopeLayout layout, F32Buffer& magnitude, F32Buffer& angle) {
  Views views;
  const auto components = views.of(x, "x", shape(x.length()));
  const auto magnitudes = views.of(magnitude, "magnitude", shape(magnitude.length()));
  const auto angles = views.of(angle, "angle", shape(angle.length()));
  return views.call([&] { return ropewalk::pair_polar(components, layout, magnitudes, angles); });
}

Failure pair_scores(const F32Buffer& query, const F32Buffer& key, RopeLayout layout, float softmax_scale,
                    F32Buffer& out) {
  Views views;
  const auto queries = views.of(query, "query", shape(query.length()));
  const auto keys = views.of(key, "key", shape(key.length()));
  const auto scores = views.of(out, "out", shape(out.length()));
  return views.call([&] { return ropewalk::pair_scores(queries, keys, layout, softmax_scale, scores); });
}

// ---- Memory --------------------------------------------------------------------------------------------------------

/// Whether `bytes` could be had now in one piece. A caller that needs several buffers asks for their sum first, so that
/// a failure leaves the memory as it was.
bool can_allocate(double bytes) {
  if (bytes > static_cast<double>(SIZE_MAX / 2)) return false;
  void* piece = std::malloc(static_cast<std::size_t>(bytes));
  std::free(piece);
  return piece != nullptr;
}

template <class View, class T>
void bind_buffer(const char* name) {
  emscripten::class_<Buffer<T>>(name)
      .class_function("allocate(length)", &Buffer<T>::allocate)
      .function("resize(length)", &Buffer<T>::resize)
      .function("view", &view_of<View, T>)
      .property("length", &Buffer<T>::length)
      .property("capacity", &Buffer<T>::capacity);
}

}  // namespace

EMSCRIPTEN_BINDINGS(ropewalk) {
  using emscripten::allow_raw_pointers;
  using emscripten::function;

  emscripten::register_type<Float32View>("Float32Array");
  emscripten::register_type<Float64View>("Float64Array");
  emscripten::register_type<Int32View>("Int32Array");
  emscripten::register_type<Failure>(
      "{ code: 'bad_shape' | 'bad_value'; argument: string; given: number; allowed: string } | undefined");

  bind_buffer<Float32View, float>("F32Buffer");
  bind_buffer<Float64View, double>("F64Buffer");
  bind_buffer<Int32View, std::int32_t>("I32Buffer");

  emscripten::enum_<RopeLayout>("RopeLayout")
      .value("interleaved", RopeLayout::interleaved)
      .value("half", RopeLayout::half);

  function("integer_encoding(position_ids, dim, out)", &integer_encoding);
  function("binary_encoding(position_ids, dim, out)", &binary_encoding);
  function("sinusoidal_encoding(position_ids, dim, base, out)", &sinusoidal_encoding);

  function("rope_inv_freq(rope_theta, inv_freq)", &rope_inv_freq);
  function("build_rope_cache(position_ids, inv_freq, cos, sin)", &build_rope_cache);
  function("apply_rope(x, cos, sin, seq_len, n_heads, head_dim, rotary_dim, layout)", &apply_rope);

  function("attention_scratch_size(kv_len)", &attention_scratch_size);
  function(
      "attention(query, key, value, q_len, kv_len, n_heads, n_kv_heads, head_dim, causal, causal_offset, "
      "softmax_scale, out, weights, scratch)",
      &attention, allow_raw_pointers());

  function("seeded_embedding(token_ids, dim, seed, out)", &seeded_embedding);
  function("seeded_projection(seed, stream, out_dim, in_dim, out)", &seeded_projection);
  function("add_encoding(encoding, x, dim)", &add_encoding);
  function("linear(x, weight, rows, in_dim, out_dim, out)", &linear);

  function("row_norms(x, dim, out)", &row_norms);
  function("max_abs_difference(a, b, out)", &max_abs_difference);
  function("rope_angles(first_position, step, inv_freq, count, out)", &rope_angles);
  function("pair_polar(x, layout, magnitude, angle)", &pair_polar);
  function("pair_scores(query, key, layout, softmax_scale, out)", &pair_scores);

  function("can_allocate(bytes)", &can_allocate);
}

}  // namespace ropewalk::bindings

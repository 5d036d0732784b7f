#include "ropewalk/encodings.hpp"

#include "ropewalk/embedding.hpp"
#include "views.hpp"

namespace ropewalk::bindings {
namespace {

Failure integer_encoding(const I32Buffer& position_ids, Size dim, F32Buffer& out) {
  Views views;
  const auto positions = views.row(position_ids, "position_ids");
  const auto encoding = views.of(out, "out", shape(position_ids.length(), dim));
  return views.call([&] { return ropewalk::integer_encoding(positions, encoding); });
}

Failure binary_encoding(const I32Buffer& position_ids, Size dim, F32Buffer& out) {
  Views views;
  const auto positions = views.row(position_ids, "position_ids");
  const auto encoding = views.of(out, "out", shape(position_ids.length(), dim));
  return views.call([&] { return ropewalk::binary_encoding(positions, encoding); });
}

Failure sinusoidal_encoding(const I32Buffer& position_ids, Size dim, double base, F32Buffer& out) {
  Views views;
  const auto positions = views.row(position_ids, "position_ids");
  const auto encoding = views.of(out, "out", shape(position_ids.length(), dim));
  return views.call([&] { return ropewalk::sinusoidal_encoding(positions, base, encoding); });
}

Failure seeded_embedding(const I32Buffer& token_ids, Size dim, std::uint32_t seed, F32Buffer& out) {
  Views views;
  const auto tokens = views.row(token_ids, "token_ids");
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

}  // namespace

EMSCRIPTEN_BINDINGS(encodings) {
  using emscripten::function;
  function("integer_encoding(position_ids, dim, out)", &integer_encoding);
  function("binary_encoding(position_ids, dim, out)", &binary_encoding);
  function("sinusoidal_encoding(position_ids, dim, base, out)", &sinusoidal_encoding);

  function("seeded_embedding(token_ids, dim, seed, out)", &seeded_embedding);
  function("seeded_projection(seed, stream, out_dim, in_dim, out)", &seeded_projection);
  function("add_encoding(encoding, x, dim)", &add_encoding);
  function("linear(x, weight, rows, in_dim, out_dim, out)", &linear);
}

}  // namespace ropewalk::bindings

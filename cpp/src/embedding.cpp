#include "ropewalk/embedding.hpp"

#include <cmath>

#include "matmul.hpp"
#include "random.hpp"

namespace ropewalk {
Status seeded_embedding(TensorView<const std::int32_t, 1> token_ids, std::uint32_t seed,
                        TensorView<float, 2> out) noexcept {
  if (out.shape[0] != token_ids.shape[0]) {
    return bad_shape("out", static_cast<double>(out.shape[0]), "a row for each of token_ids");
  }
  for (std::size_t s = 0; s < out.shape[0]; ++s) {
    const std::uint64_t start =
        random::sequence(seed ^ random::embedding_salt, static_cast<std::uint32_t>(token_ids.data[s]));
    for (std::size_t c = 0; c < out.shape[1]; ++c) out.row(s)[c] = random::normal(start, c);
  }
  return {};
}

Status seeded_projection(std::uint32_t seed, std::uint32_t stream, TensorView<float, 2> out) noexcept {
  const std::uint64_t start = random::sequence(seed, stream);
  const double width = 2 * std::sqrt(3.0 / static_cast<double>(out.shape[1]));
  for (std::size_t i = 0; i < out.size(); ++i) {
    out.data[i] = static_cast<float>((random::unit(random::draw(start, i) >> 32) - 0.5) * width);
  }
  return {};
}

Status add_encoding(TensorView<const float, 2> encoding, TensorView<float, 2> x) noexcept {
  if (encoding.shape != x.shape) {
    return bad_shape("encoding", static_cast<double>(encoding.size()), "the shape of x");
  }
  for (std::size_t i = 0; i < x.size(); ++i) x.data[i] += encoding.data[i];
  return {};
}

Status linear(TensorView<const float, 2> x, TensorView<const float, 2> weight,
              TensorView<float, 2> out) noexcept {
  const auto [rows, in_dim] = x.shape;
  const std::size_t out_dim = weight.shape[0];
  if (weight.shape[1] != in_dim) {
    return bad_shape("weight", static_cast<double>(weight.shape[1]),
                     "[out_dim, in_dim] with the in_dim of x");
  }
  if (out.shape != std::array{rows, out_dim}) {
    return bad_shape("out", static_cast<double>(out.size()), "[rows, out_dim]");
  }
  multiply_transposed({x.data, in_dim}, {weight.data, in_dim}, 1, {out.data, out_dim}, rows, out_dim, in_dim);
  return {};
}

}  // namespace ropewalk

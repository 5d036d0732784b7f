#include "ropewalk/embedding.hpp"

#include <cmath>

#include "matmul.hpp"

namespace ropewalk {
namespace {

/// The finaliser of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014): a
/// bijection of 64 bits that passes for random. A counter through it needs no state, so any element can be drawn by
/// itself.
constexpr std::uint64_t mix(std::uint64_t bits) noexcept {
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
  return bits ^ (bits >> 31);
}

constexpr std::uint64_t golden_gamma = 0x9e3779b97f4a7c15u;

/// The start of an independent sequence for this pair of numbers.
constexpr std::uint64_t sequence(std::uint32_t seed, std::uint32_t stream) noexcept {
  return mix(mix(seed + golden_gamma) + (stream + std::uint64_t{1}) * golden_gamma);
}

constexpr std::uint64_t draw(std::uint64_t start, std::uint64_t index) noexcept {
  return mix(start + (index + 1) * golden_gamma);
}

/// 32 random bits to the middle of one of 2^32 equal parts of (0, 1): never 0, never 1.
constexpr double unit(std::uint64_t bits32) noexcept { return (static_cast<double>(bits32) + 0.5) * 0x1p-32; }

/// The sum of twelve uniform numbers has variance 1 and is nearly normal (excess kurtosis -0.1, never past 6). It is
/// exact in integers, so every machine draws the same, as it would not from logarithms and cosines.
float normal(std::uint64_t start, std::uint64_t index) noexcept {
  constexpr int lanes = 4;
  constexpr int draws = 12 / lanes;
  std::int32_t sum = 0;
  for (std::uint64_t d = 0; d < draws; ++d) {
    const std::uint64_t bits = draw(start, draws * index + d);
    for (int lane = 0; lane < lanes; ++lane) sum += static_cast<std::int32_t>((bits >> (16 * lane)) & 0xffff);
  }
  // Each lane stands for the middle of its part, hence half a part more than its value.
  return static_cast<float>((sum - 12 * 0x8000 + 6) * 0x1p-16);
}

/// Tells embeddings apart from the streams of seeded_projection() under the same seed.
constexpr std::uint32_t embedding_salt = 0x80000000u;

}  // namespace

Status seeded_embedding(TensorView<const std::int32_t, 1> token_ids, std::uint32_t seed,
                        TensorView<float, 2> out) noexcept {
  if (out.shape[0] != token_ids.shape[0]) {
    return bad_shape("out", static_cast<double>(out.shape[0]), "a row for each of token_ids");
  }
  for (std::size_t s = 0; s < out.shape[0]; ++s) {
    const std::uint64_t start =
        sequence(seed ^ embedding_salt, static_cast<std::uint32_t>(token_ids.data[s]));
    for (std::size_t c = 0; c < out.shape[1]; ++c) out.row(s)[c] = normal(start, c);
  }
  return {};
}

Status seeded_projection(std::uint32_t seed, std::uint32_t stream, TensorView<float, 2> out) noexcept {
  const std::uint64_t start = sequence(seed, stream);
  const double width = 2 * std::sqrt(3.0 / static_cast<double>(out.shape[1]));
  for (std::size_t i = 0; i < out.size(); ++i) {
    out.data[i] = static_cast<float>((unit(draw(start, i) >> 32) - 0.5) * width);
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

#pragma once

#include <cstdint>

/// Seeded random numbers without state: any element can be drawn by itself, and every machine draws the same.
namespace ropewalk::random {

/// The finaliser of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014): a
/// bijection of 64 bits that passes for random. A counter through it needs no state.
constexpr std::uint64_t mix(std::uint64_t bits) noexcept {
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
  return bits ^ (bits >> 31);
}

inline constexpr std::uint64_t golden_gamma = 0x9e3779b97f4a7c15u;

/// Tell apart what is drawn under the same seed, XORed to it. Those of seeded_projection() have none.
inline constexpr std::uint32_t embedding_salt = 0x80000000u;
inline constexpr std::uint32_t scores_salt = 0x40000000u;

/// The start of an independent sequence for this pair of numbers.
constexpr std::uint64_t sequence(std::uint32_t seed, std::uint32_t stream) noexcept {
  return mix(mix(seed + golden_gamma) + (stream + std::uint64_t{1}) * golden_gamma);
}

constexpr std::uint64_t draw(std::uint64_t start, std::uint64_t index) noexcept {
  return mix(start + (index + 1) * golden_gamma);
}

/// 32 random bits to the middle of one of 2^32 equal parts of (0, 1): never 0, never 1.
constexpr double unit(std::uint64_t bits32) noexcept { return (static_cast<double>(bits32) + 0.5) * 0x1p-32; }

/// The sum of twelve uniform numbers has variance 1 and is nearly normal (excess kurtosis -0.1, never past
/// 6). It is exact in integers, so every machine draws the same, as it would not from logarithms and cosines.
constexpr float normal(std::uint64_t start, std::uint64_t index) noexcept {
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

}  // namespace ropewalk::random

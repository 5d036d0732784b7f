#include "reference/rope.hpp"

#include <cmath>

#include "reference/encodings.hpp"

namespace ropewalk::reference {

std::vector<double> rope_inv_freq(double rope_theta, std::size_t rotary_dim) {
  std::vector<double> inv_freq;
  for (std::size_t pair = 0; pair < rotary_dim / 2; ++pair) {
    inv_freq.push_back(static_cast<double>(frequency(rope_theta, pair, rotary_dim)));
  }
  return inv_freq;
}

RopeCache build_rope_cache(std::span<const std::int32_t> position_ids, std::span<const double> inv_freq) {
  RopeCache cache;
  for (const std::int32_t position : position_ids) {
    for (const double step : inv_freq) {
      const long double angle = static_cast<long double>(position) * step;
      cache.cos.push_back(static_cast<double>(std::cos(angle)));
      cache.sin.push_back(static_cast<double>(std::sin(angle)));
    }
  }
  return cache;
}

Pair pair_components(std::size_t pair, std::size_t rotary_dim, RopeLayout layout) {
  if (layout == RopeLayout::interleaved) return {2 * pair, 2 * pair + 1};
  return {pair, pair + rotary_dim / 2};
}

void apply_rope(std::span<double> x, std::size_t seq_len, std::size_t n_heads, std::size_t head_dim,
                std::span<const double> cos, std::span<const double> sin, std::size_t rotary_dim,
                RopeLayout layout) {
  const std::size_t n_pairs = rotary_dim / 2;
  for (std::size_t s = 0; s < seq_len; ++s) {
    for (std::size_t head = 0; head < n_heads; ++head) {
      const std::span<double> vector = x.subspan((s * n_heads + head) * head_dim, head_dim);
      for (std::size_t pair = 0; pair < n_pairs; ++pair) {
        const auto [first, second] = pair_components(pair, rotary_dim, layout);
        const double a = vector[first];
        const double b = vector[second];
        const double c = cos[s * n_pairs + pair];
        const double d = sin[s * n_pairs + pair];
        vector[first] = a * c - b * d;
        vector[second] = a * d + b * c;
      }
    }
  }
}

}  // namespace ropewalk::reference

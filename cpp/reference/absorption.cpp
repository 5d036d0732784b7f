#include "reference/absorption.hpp"

#include <cmath>

#include "reference/rope.hpp"

namespace ropewalk::reference {

std::vector<double> rotated_key_up(std::span<const double> key_up, std::size_t kv_lora_rank,
                                   std::span<const double> inv_freq, RopeLayout layout, double distance) {
  std::vector<double> rotated(key_up.begin(), key_up.end());
  for (std::size_t pair = 0; pair < inv_freq.size(); ++pair) {
    const auto [first, second] = pair_components(pair, 2 * inv_freq.size(), layout);
    const auto angle = -static_cast<long double>(distance) * inv_freq[pair];
    const auto cosine = static_cast<double>(std::cos(angle));
    const auto sine = static_cast<double>(std::sin(angle));
    for (std::size_t c = 0; c < kv_lora_rank; ++c) {
      const double a = key_up[first * kv_lora_rank + c];
      const double b = key_up[second * kv_lora_rank + c];
      rotated[first * kv_lora_rank + c] = a * cosine - b * sine;
      rotated[second * kv_lora_rank + c] = a * sine + b * cosine;
    }
  }
  return rotated;
}

Absorption absorb_rotation(std::span<const double> key_up, std::size_t kv_lora_rank,
                           std::span<const double> inv_freq, RopeLayout layout, std::size_t context_len,
                           std::span<const double> distances) {
  const auto at = [&](double distance) {
    return rotated_key_up(key_up, kv_lora_rank, inv_freq, layout, distance);
  };
  Absorption result;
  result.absorbed.resize(key_up.size());
  for (std::size_t distance = 0; distance < context_len; ++distance) {
    const std::vector<double> rotated = at(static_cast<double>(distance));
    for (std::size_t i = 0; i < rotated.size(); ++i) {
      result.absorbed[i] += rotated[i] / static_cast<double>(context_len);
    }
  }
  for (const double distance : distances) {
    const std::vector<double> rotated = at(distance);
    double errors = 0;
    double squares = 0;
    for (std::size_t i = 0; i < rotated.size(); ++i) {
      errors += (result.absorbed[i] - rotated[i]) * (result.absorbed[i] - rotated[i]);
      squares += key_up[i] * key_up[i];
    }
    result.error.push_back(squares == 0 ? 0 : std::sqrt(errors / squares));
  }
  return result;
}

std::vector<double> relative_errors(std::span<const double> x, std::span<const double> exact,
                                    std::size_t rows, std::size_t columns) {
  std::vector<double> out;
  for (std::size_t c = 0; c < columns; ++c) {
    double errors = 0;
    double squares = 0;
    for (std::size_t r = 0; r < rows; ++r) {
      const double difference = x[r * columns + c] - exact[r * columns + c];
      errors += difference * difference;
      squares += exact[r * columns + c] * exact[r * columns + c];
    }
    out.push_back(errors == 0 ? 0 : std::sqrt(errors / squares));
  }
  return out;
}

}  // namespace ropewalk::reference

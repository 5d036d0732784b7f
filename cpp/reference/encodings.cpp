#include "reference/encodings.hpp"

#include <cmath>

namespace ropewalk::reference {

long double frequency(long double base, std::size_t pair, std::size_t dim) {
  const auto order = static_cast<long double>(dim);
  const long double exponent = -2 * static_cast<long double>(pair) / order;
  const long double root = std::pow(base, exponent);

  // Where long double is software (wasm), the C library's pow has a double's precision only. What is sought
  // solves root^dim * base^(2 pair) = 1, so one step of Newton's method doubles the correct digits. Elsewhere
  // it is idle.
  long double one = 1;
  for (std::size_t c = 0; c < dim; ++c) one *= root;
  for (std::size_t c = 0; c < 2 * pair; ++c) one *= base;
  return root - root * (one - 1) / order;
}

std::vector<double> integer_encoding(std::span<const std::int32_t> position_ids, std::size_t dim) {
  std::vector<double> out;
  for (const std::int32_t position : position_ids) {
    for (std::size_t c = 0; c < dim; ++c) out.push_back(position);
  }
  return out;
}

std::vector<double> binary_encoding(std::span<const std::int32_t> position_ids, std::size_t dim) {
  std::vector<double> out;
  for (const std::int32_t position : position_ids) {
    // Halving, rounded down, moves every bit one place towards the front; -1 stays -1, which is a 1 for ever.
    std::int64_t rest = position;
    for (std::size_t c = 0; c < dim; ++c) {
      const std::int64_t bit = ((rest % 2) + 2) % 2;
      out.push_back(static_cast<double>(bit));
      rest = (rest - bit) / 2;
    }
  }
  return out;
}

std::vector<double> sinusoidal_encoding(std::span<const std::int32_t> position_ids, double base,
                                        std::size_t dim) {
  std::vector<long double> frequencies;
  for (std::size_t c = 0; c < dim; ++c) frequencies.push_back(frequency(base, c / 2, dim));

  std::vector<double> out;
  for (const std::int32_t position : position_ids) {
    for (std::size_t c = 0; c < dim; ++c) {
      const long double angle = position * frequencies[c];
      out.push_back(static_cast<double>(c % 2 == 0 ? std::sin(angle) : std::cos(angle)));
    }
  }
  return out;
}

}  // namespace ropewalk::reference

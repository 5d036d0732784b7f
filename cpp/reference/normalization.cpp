#include "reference/normalization.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ropewalk::reference {

std::vector<double> rms_norm(std::span<const double> x, std::span<const double> weight, double epsilon,
                             std::size_t rows, std::size_t dim) {
  std::vector<double> out(x.size());
  for (std::size_t r = 0; r < rows; ++r) {
    long double sum = 0;
    for (std::size_t c = 0; c < dim; ++c) sum += static_cast<long double>(x[r * dim + c]) * x[r * dim + c];
    const long double rms = std::sqrt(sum / static_cast<long double>(dim) + epsilon);
    for (std::size_t c = 0; c < dim; ++c) {
      out[r * dim + c] = rms == 0 ? 0 : static_cast<double>(x[r * dim + c] / rms * weight[c]);
    }
  }
  return out;
}

std::vector<double> softmax(std::span<const double> x, std::size_t outer, std::size_t size,
                            std::size_t inner) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  std::vector<double> out(x.size());
  for (std::size_t o = 0; o < outer; ++o) {
    for (std::size_t c = 0; c < inner; ++c) {
      const auto at = [&](std::size_t i) { return (o * size + i) * inner + c; };
      double maximum = -infinity;
      for (std::size_t i = 0; i < size; ++i) maximum = std::max(maximum, x[at(i)]);
      if (maximum == -infinity) continue;
      double sum = 0;
      for (std::size_t i = 0; i < size; ++i) sum += std::exp(x[at(i)] - maximum);
      for (std::size_t i = 0; i < size; ++i) out[at(i)] = std::exp(x[at(i)] - maximum) / sum;
    }
  }
  return out;
}

}  // namespace ropewalk::reference

#include "reference/embedding.hpp"

namespace ropewalk::reference {

std::vector<double> add_encoding(std::span<const double> encoding, std::span<const double> x) {
  std::vector<double> out;
  for (std::size_t i = 0; i < x.size(); ++i) out.push_back(x[i] + encoding[i]);
  return out;
}

std::vector<double> linear(std::span<const double> x, std::span<const double> weight, std::size_t rows,
                           std::size_t in_dim, std::size_t out_dim) {
  std::vector<double> out;
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t o = 0; o < out_dim; ++o) {
      double sum = 0;
      for (std::size_t c = 0; c < in_dim; ++c) sum += x[r * in_dim + c] * weight[o * in_dim + c];
      out.push_back(sum);
    }
  }
  return out;
}

}  // namespace ropewalk::reference

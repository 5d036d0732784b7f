#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace ropewalk::reference {

/// x / sqrt(mean(x²) + epsilon) * weight for each row of x [rows, dim] (arXiv:1910.07467, eq. 4); weight [dim]. A row
/// of zeros is zero.
std::vector<double> rms_norm(std::span<const double> x, std::span<const double> weight, double epsilon,
                             std::size_t rows, std::size_t dim);

/// exp(x) over its sum along the middle dimension of x [outer, size, inner]; zero where every x is -inf.
std::vector<double> softmax(std::span<const double> x, std::size_t outer, std::size_t size,
                            std::size_t inner);

}  // namespace ropewalk::reference

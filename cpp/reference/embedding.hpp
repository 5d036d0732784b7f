#pragma once

#include <cstddef>
#include <span>
#include <vector>

/// Seeded vectors have no formula to be held to; tests/cpp/embedding_test.cpp holds them to their statistics.
namespace ropewalk::reference {

/// [size]  x + encoding, component by component.
std::vector<double> add_encoding(std::span<const double> encoding, std::span<const double> x);

/// [rows, out_dim]  out[r][o] = sum over c of x[r][c] * weight[o][c].
///
/// x       [rows, in_dim]
/// weight  [out_dim, in_dim]
std::vector<double> linear(std::span<const double> x, std::span<const double> weight, std::size_t rows,
                           std::size_t in_dim, std::size_t out_dim);

}  // namespace ropewalk::reference

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ropewalk/rope.hpp"

namespace ropewalk::reference {

/// [head_dim, kv_lora_rank]  R(-distance) W_UK: the key of each of the latent's components, rotated by its position, as a
/// query that stands `distance` after it and is not rotated sees it.
std::vector<double> rotated_key_up(std::span<const double> key_up, std::size_t kv_lora_rank,
                                   std::span<const double> inv_freq, RopeLayout layout, double distance);

struct Absorption {
  std::vector<double> absorbed;  ///< [head_dim, kv_lora_rank]
  std::vector<double> error;     ///< [count]
};

/// The mean of rotated_key_up() over the distances 0 … context_len - 1, distance by distance, and how far from each of
/// `distances` it is, in parts of W_UK's own size (Frobenius).
Absorption absorb_rotation(std::span<const double> key_up, std::size_t kv_lora_rank,
                           std::span<const double> inv_freq, RopeLayout layout, std::size_t context_len,
                           std::span<const double> distances);

/// [columns]  sqrt(sum (x - exact)²  / sum exact²) of each column; 0 where x is exact.
std::vector<double> relative_errors(std::span<const double> x, std::span<const double> exact,
                                    std::size_t rows, std::size_t columns);

}  // namespace ropewalk::reference

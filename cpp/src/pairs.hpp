#pragma once

#include <cstddef>

#include "ropewalk/rope.hpp"

namespace ropewalk {

/// The two components of pair i of `n_pairs`.
struct Pair {
  std::size_t a;
  std::size_t b;
};

constexpr Pair pair_at(std::size_t i, std::size_t n_pairs, RopeLayout layout) noexcept {
  return layout == RopeLayout::half ? Pair{i, i + n_pairs} : Pair{2 * i, 2 * i + 1};
}

}  // namespace ropewalk

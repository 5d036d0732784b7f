#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ropewalk::reference {

/// `cache` [batch, outer, capacity, inner] with row write_indices[b] + r, by the remainder after capacity, replaced by
/// row r of `update` [batch, outer, rows, inner]. Without `circular` no index passes capacity, so that the remainder is
/// the index itself.
std::vector<float> write_cache(std::vector<float> cache, std::span<const float> update,
                               std::span<const std::int32_t> write_indices, std::size_t outer,
                               std::size_t capacity, std::size_t rows, std::size_t inner);

}  // namespace ropewalk::reference

#include "reference/kv_cache.hpp"

namespace ropewalk::reference {

std::vector<float> write_cache(std::vector<float> cache, std::span<const float> update,
                               std::span<const std::int32_t> write_indices, std::size_t outer,
                               std::size_t capacity, std::size_t rows, std::size_t inner) {
  for (std::size_t b = 0; b < write_indices.size(); ++b) {
    for (std::size_t o = 0; o < outer; ++o) {
      for (std::size_t r = 0; r < rows; ++r) {
        const std::size_t row = (static_cast<std::size_t>(write_indices[b]) + r) % capacity;
        for (std::size_t c = 0; c < inner; ++c) {
          cache[((b * outer + o) * capacity + row) * inner + c] =
              update[((b * outer + o) * rows + r) * inner + c];
        }
      }
    }
  }
  return cache;
}

}  // namespace ropewalk::reference

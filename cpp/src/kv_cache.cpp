#include "ropewalk/kv_cache.hpp"

#include <algorithm>
#include <cstddef>

namespace ropewalk {

Status write_cache(TensorView<const float, 4> update, TensorView<const std::int32_t, 1> write_indices,
                   bool circular, TensorView<float, 4> cache) noexcept {
  const auto [batch, outer, rows, inner] = update.shape;
  const std::size_t capacity = cache.shape[2];
  if (cache.shape != std::array{batch, outer, capacity, inner}) {
    return bad_shape("cache", static_cast<double>(cache.size()), "[batch, outer, capacity, inner]");
  }
  if (rows > capacity) return bad_shape("update", static_cast<double>(rows), "at most capacity rows");
  if (!write_indices.empty() && write_indices.size() != batch) {
    return bad_shape("write_indices", static_cast<double>(write_indices.size()), "[batch], or empty");
  }
  for (std::size_t b = 0; b < write_indices.size(); ++b) {
    const std::int32_t index = write_indices.data[b];
    if (index < 0 || (!circular && static_cast<std::size_t>(index) > capacity - rows)) {
      return bad_value("write_indices", index, circular ? "at least 0" : "from 0 to capacity - rows");
    }
  }
  for (std::size_t b = 0; b < batch; ++b) {
    const std::size_t index = write_indices.empty() ? 0 : static_cast<std::size_t>(write_indices.data[b]);
    const std::size_t start = index % capacity;
    // Rows up to the cache's end; the others, which only a circular write has, go on from its beginning.
    const std::size_t straight = std::min(rows, capacity - start);
    for (std::size_t o = 0; o < outer; ++o) {
      std::copy_n(update.row(b, o, 0u), straight * inner, cache.row(b, o, start));
      std::copy_n(update.row(b, o, straight), (rows - straight) * inner, cache.row(b, o, 0u));
    }
  }
  return {};
}

double cache_elements_per_token(const CacheShape& shape) noexcept {
  const double n_layers = shape.n_layers;
  if (shape.kind == CacheKind::latent) {
    return n_layers * (static_cast<double>(shape.kv_lora_rank) + shape.qk_rope_head_dim);
  }
  return n_layers * shape.n_kv_heads * (static_cast<double>(shape.head_dim) + shape.v_head_dim);
}

}  // namespace ropewalk

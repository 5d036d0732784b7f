#include "ropewalk/kv_cache.hpp"

#include <algorithm>
#include <cstddef>

namespace ropewalk {
namespace {

template <class Element>
Status append(const char* argument, const HeadsView<const float>& heads, std::size_t first, bool are_keys,
              const CachedHeads<Element>& cache) noexcept {
  const std::size_t room = are_keys ? cache.columns : cache.depth;
  const std::size_t head_dim = are_keys ? cache.depth : cache.columns;
  if (heads.batch != cache.batch || heads.n_heads != cache.n_heads || heads.head_dim != head_dim) {
    return bad_shape(argument, static_cast<double>(heads.size()), "the shape of the cache");
  }
  if (first > room || heads.len > room - first) {
    return bad_shape(argument, static_cast<double>(heads.len), "from 1 to as many rows as it has room for");
  }
  for (std::size_t b = 0; b < heads.batch; ++b) {
    for (std::size_t h = 0; h < heads.n_heads; ++h) {
      for (std::size_t s = 0; s < heads.len; ++s) {
        const float* const from = heads.row(b, s, h);
        // Down a column of the transpose, or along a row, panel by panel.
        const std::size_t run = are_keys ? head_dim : cached_columns;
        const std::size_t stride = are_keys ? cached_columns : 1;
        for (std::size_t c = 0; c < head_dim; c += run) {
          Element* to = are_keys ? &cache.at(b, h, 0, first + s) : &cache.at(b, h, first + s, c);
          for (std::size_t i = c; i < std::min(c + run, head_dim); ++i, to += stride) *to = Element(from[i]);
        }
      }
    }
  }
  return {};
}

}  // namespace

Status append_keys(HeadsView<const float> keys, std::size_t first, CachedHeads<float> cache) noexcept {
  return append("key", keys, first, true, cache);
}

Status append_keys(HeadsView<const float> keys, std::size_t first, CachedHeads<BFloat16> cache) noexcept {
  return append("key", keys, first, true, cache);
}

Status append_values(HeadsView<const float> values, std::size_t first, CachedHeads<float> cache) noexcept {
  return append("value", values, first, false, cache);
}

Status append_values(HeadsView<const float> values, std::size_t first, CachedHeads<BFloat16> cache) noexcept {
  return append("value", values, first, false, cache);
}

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

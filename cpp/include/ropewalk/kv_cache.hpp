#pragma once

#include <cstddef>
#include <cstdint>

#include "ropewalk/bfloat16.hpp"
#include "ropewalk/status.hpp"
#include "ropewalk/tensor_view.hpp"

/// Keys and values of tokens past, kept so that a new token need not compute them again.
namespace ropewalk {

/// Write new rows into a cache in place (ONNX TensorScatter-24): row r of `update` goes to row write_indices[b] + r of
/// `cache`, or with `circular` to the remainder of that by the capacity, as a sliding window wants it.
///
/// update         [batch, outer, rows, inner]; for keys in bshd outer is 1 and inner n_kv_heads * head_dim, in bhsd
///                outer is n_kv_heads and inner head_dim.
/// write_indices  [batch], each >= 0 and, without `circular`, at most capacity - rows; or empty for zeros.
/// cache          [batch, outer, capacity, inner]
/// Errors         bad_shape: sizes that disagree, or more rows than capacity. bad_value: write_indices. cache is untouched.
/// Memory         none allocated; cache overlaps nothing.
[[nodiscard]] Status write_cache(TensorView<const float, 4> update,
                                 TensorView<const std::int32_t, 1> write_indices, bool circular,
                                 TensorView<float, 4> cache) noexcept;

/// Columns that lie side by side in a panel of a cache.
inline constexpr std::size_t cached_columns = 32;

/// A matrix for each head of each sequence, as decoding reads it front to back: panels of cached_columns columns, each
/// [depth, cached_columns]. Of keys it is the transpose, a row for each component and a column for each token; of values
/// there is a row for each token.
template <class Element>
struct CachedHeads {
  Element* data = nullptr;
  std::size_t batch = 0;
  std::size_t n_heads = 0;
  std::size_t depth = 0;
  std::size_t columns = 0;

  constexpr std::size_t panel_size() const noexcept { return depth * cached_columns; }

  constexpr std::size_t head_size() const noexcept {
    return (columns + cached_columns - 1) / cached_columns * panel_size();
  }

  constexpr std::size_t size() const noexcept { return batch * n_heads * head_size(); }

  constexpr Element& at(std::size_t b, std::size_t h, std::size_t row, std::size_t column) const noexcept {
    return data[(b * n_heads + h) * head_size() + column / cached_columns * panel_size() +
                row * cached_columns + column % cached_columns];
  }
};

/// Put the keys of further tokens into a cache, from token `first` on: as the nearest bfloat16, if it is of these.
///
/// keys    [batch, len, n_heads, head_dim], in either format
/// cache   depth head_dim, and columns for the tokens that there is room for
/// Errors  bad_shape: sizes that disagree, or more tokens than there is room for. cache is untouched.
/// Memory  none allocated; cache overlaps nothing.
[[nodiscard]] Status append_keys(HeadsView<const float> keys, std::size_t first,
                                 CachedHeads<float> cache) noexcept;
[[nodiscard]] Status append_keys(HeadsView<const float> keys, std::size_t first,
                                 CachedHeads<BFloat16> cache) noexcept;

/// The same of values, whose depth is the tokens that there is room for, and columns are v_head_dim.
[[nodiscard]] Status append_values(HeadsView<const float> values, std::size_t first,
                                   CachedHeads<float> cache) noexcept;
[[nodiscard]] Status append_values(HeadsView<const float> values, std::size_t first,
                                   CachedHeads<BFloat16> cache) noexcept;

enum class CacheKind : std::uint8_t {
  heads,  ///< a key and a value for each of n_kv_heads: MHA with n_heads of them, GQA with fewer, MQA with one
  latent,  ///< DeepSeek's MLA: one latent and one rotary key for all heads (arXiv:2405.04434, section 2.1)
};

struct CacheShape {
  CacheKind kind = CacheKind::heads;
  std::uint32_t n_layers = 1;
  std::uint32_t n_kv_heads = 1;        ///< heads
  std::uint32_t head_dim = 1;          ///< heads: components of a key
  std::uint32_t v_head_dim = 1;        ///< heads: components of a value
  std::uint32_t kv_lora_rank = 0;      ///< latent
  std::uint32_t qk_rope_head_dim = 0;  ///< latent
};

/// Elements that a model caches for one token: n_layers * n_kv_heads * (head_dim + v_head_dim), or n_layers *
/// (kv_lora_rank + qk_rope_head_dim). Exact below 2^53.
double cache_elements_per_token(const CacheShape& shape) noexcept;

}  // namespace ropewalk

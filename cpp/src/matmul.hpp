#pragma once

#include <cstddef>
#include <type_traits>

/// The two products that attention and projections are made of, on rows at a stride (a head is a strided slice of
/// [len, n_heads, head_dim]). Both work in tiles of tile_rows by 2, and a single row by 8.
namespace ropewalk {

/// Rows that are multiplied at once: by 2 that is what V8 keeps in its 16 vector registers. By 6 rows, with relaxed SIMD,
/// it is a fifth slower, as each row takes a register for where it is.
inline constexpr std::size_t tile_rows = 4;

template <class T>
struct Rows {
  T* data = nullptr;
  std::size_t stride = 0;  ///< elements from one row to the next

  T* operator[](std::size_t row) const noexcept { return data + row * stride; }
  Rows from(std::size_t row) const noexcept { return {data + row * stride, stride}; }
  Rows columns(std::size_t first) const noexcept { return {data + first, stride}; }

  operator Rows<const T>() const noexcept
    requires(!std::is_const_v<T>)
  {
    return {data, stride};
  }
};

/// out[m, n] = scale * a[m, depth] · b[n, depth]ᵀ
void multiply_transposed(Rows<const float> a, Rows<const float> b, float scale, Rows<float> out,
                         std::size_t m, std::size_t n, std::size_t depth) noexcept;

/// out[m, n] += a[m, depth] · b[depth, n], term by term in the order of b's rows: a product in parts is the product.
void add_product(Rows<const float> a, Rows<const float> b, Rows<float> out, std::size_t m, std::size_t n,
                 std::size_t depth) noexcept;

}  // namespace ropewalk

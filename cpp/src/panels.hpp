#pragma once

#include <cstddef>

#include "matmul.hpp"
#include "ropewalk/bfloat16.hpp"
#include "simd.hpp"

/// A matrix that many rows are multiplied by, laid out so that the product reads it front to back: panels of
/// panel_width columns, each [depth, panel_width]; past the last column are zeros.
namespace ropewalk {

/// Two vectors: times panel_rows these are the accumulators that V8 keeps in registers.
inline constexpr std::size_t panel_width = 2 * simd::width;
/// Rows that are multiplied at once.
inline constexpr std::size_t panel_rows = simd::is_fused ? 6 : 4;

template <class Count>
constexpr Count whole_panels(Count columns) noexcept {
  constexpr Count width = panel_width;
  return (columns + width - 1) / width * width;
}

/// b[n, depth] as the panels of its transpose, [whole_panels(n) * depth].
void pack_transposed(Rows<const float> b, std::size_t n, std::size_t depth, float* panels) noexcept;

/// b[depth, n] as panels, [whole_panels(n) * depth]. A row that holds an infinity or a NaN is packed as zeros, and the
/// answer is then false: what has the weight zero must not show, and zero times these is NaN.
[[nodiscard]] bool pack(Rows<const float> b, std::size_t depth, std::size_t n, float* panels) noexcept;

/// Whether all are numbers: none infinite, none NaN.
bool is_finite(const float* row, std::size_t size) noexcept;

/// out[rows, columns] = scale * a[rows, depth] · panel, for columns <= panel_width.
void multiply_panel(Rows<const float> a, const float* panel, float scale, Rows<float> out, std::size_t rows,
                    std::size_t columns, std::size_t depth) noexcept;

/// out[rows, panel_width] += a[rows, depth] · panel, of which these may be some of the rows.
void add_panel_product(Rows<const float> a, const float* panel, Rows<float> out, std::size_t rows,
                       std::size_t depth) noexcept;

/// A panel of a cache, from some row or column on: of floats, or else of bfloat16.
struct CachedPanel {
  const float* floats = nullptr;
  const BFloat16* halves = nullptr;

  CachedPanel from(std::size_t element) const noexcept {
    if (floats != nullptr) return {.floats = floats + element};
    return {.halves = halves + element};
  }
};

/// As multiply_panel(), on a panel of a cache, for columns <= cached_columns.
void multiply_cached(Rows<const float> a, CachedPanel panel, float scale, Rows<float> out, std::size_t rows,
                     std::size_t columns, std::size_t depth) noexcept;

/// As add_panel_product(), on a panel of a cache, for whole_panels(columns) of out.
void add_cached_product(Rows<const float> a, CachedPanel panel, Rows<float> out, std::size_t rows,
                        std::size_t columns, std::size_t depth) noexcept;

}  // namespace ropewalk

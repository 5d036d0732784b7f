#pragma once

#include <cstddef>

#include "matmul.hpp"
#include "simd.hpp"

/// A matrix that many rows are multiplied by, laid out so that the product reads it front to back: panels of
/// panel_width columns, each [depth, panel_width]; past the last column are zeros.
namespace ropewalk {

/// Two vectors: with four rows they are the 4 x 2 accumulators that V8 keeps in registers.
inline constexpr std::size_t panel_width = 2 * simd::width;
/// Rows that one product takes at most.
inline constexpr std::size_t panel_rows = 4;

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

/// out[rows, n] = scale * a[rows, depth] · b, for rows <= panel_rows; `panels` are those of b[depth, n].
void multiply_panels(Rows<const float> a, const float* panels, float scale, Rows<float> out, std::size_t rows,
                     std::size_t n, std::size_t depth) noexcept;

/// out[rows, whole_panels(n)] += a[rows, depth] · b, for rows <= panel_rows; the panels of b[depth, n], of which this
/// may be some rows, are panel_stride floats from one another.
void add_panels_product(Rows<const float> a, const float* panels, std::size_t panel_stride, Rows<float> out,
                        std::size_t rows, std::size_t n, std::size_t depth) noexcept;

}  // namespace ropewalk

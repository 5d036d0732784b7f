#include "panels.hpp"

#include <algorithm>
#include <array>

#include "ropewalk/kv_cache.hpp"

namespace ropewalk {
namespace {

using simd::Vector;

/// The sums of R rows against a panel, and what is then done with them.
///
/// One step of depth is 2 loads of the panel, R broadcasts of a, and 2 R multiply-adds. The loop is not unrolled: LLVM
/// gathers the loads of all steps before the arithmetic, and V8 then spills. Measured, of 56 GFLOP/s that registers
/// alone reach: 4 x 2 50, unrolled by four 25 (Node 20) to 41 (Node 24); 5 x 2 39 to 51; 6 x 2 40 (Node 20), 30 (Node
/// 24), and 55 there with relaxed SIMD; 4 x 3 30 to 37.
template <std::size_t R, std::size_t Stride, class Element, class Finish>
inline void multiply_tile(Rows<const float> a, const Element* panel, std::size_t depth,
                          Finish&& finish) noexcept {
  Vector low[R];
  Vector high[R];
  const float* row[R];
  for (std::size_t r = 0; r < R; ++r) {
    low[r] = high[r] = Vector(0.0f);
    row[r] = a[r];
  }
  const Element* const end = panel + depth * Stride;
  ROPEWALK_DO_NOT_UNROLL
  for (; panel != end; panel += Stride) {
    const auto [b_low, b_high] = simd::load_two(panel);
    for (std::size_t r = 0; r < R; ++r) {
      const Vector va(*row[r]++);
      low[r] = simd::multiply_add(va, b_low, low[r]);
      high[r] = simd::multiply_add(va, b_high, high[r]);
    }
  }
  for (std::size_t r = 0; r < R; ++r) finish(r, low[r], high[r]);
}

// Functions of their own: inlined into all of attention, V8 would keep their pointers on the stack.

template <std::size_t R>
[[gnu::noinline]] void multiply(Rows<const float> a, const float* panel, const float& scale, Rows<float> out,
                                std::size_t columns, std::size_t depth) noexcept {
  multiply_tile<R, panel_width>(
      a, panel, depth, [&](std::size_t r, const Vector& low, const Vector& high) noexcept {
        const Vector factor = simd::constant(scale);  // Read here: kept, it would be one register too many.
        if (columns >= panel_width) {
          simd::store(out[r], low * factor);
          simd::store(out[r] + simd::width, high * factor);
        } else {
          simd::store_up_to(out[r], low * factor, columns);
          if (columns > simd::width)
            simd::store_partial(out[r] + simd::width, high * factor, columns - simd::width);
        }
      });
}

template <std::size_t R>
[[gnu::noinline]] void add_product(Rows<const float> a, const float* panel, Rows<float> out,
                                   std::size_t depth) noexcept {
  multiply_tile<R, panel_width>(a, panel, depth,
                                [&](std::size_t r, const Vector& low, const Vector& high) noexcept {
                                  simd::store(out[r], simd::load(out[r]) + low);
                                  simd::store(out[r] + simd::width, simd::load(out[r] + simd::width) + high);
                                });
}

/// Rows that are multiplied by a cache's panel at once, or else one by one.
constexpr std::size_t cached_rows = 4;

/// product[cached_columns] = scale * row[depth] · panel, which is read front to back: as many sums as keep the arithmetic
/// busy.
template <class Element>
[[gnu::noinline]] void multiply_row(const float* row, const Element* panel, const float& scale,
                                    float* product, std::size_t depth) noexcept {
  std::array<Vector, cached_columns / simd::width> sums;
  sums.fill(Vector(0.0f));
  const float* const end = row + depth;
  ROPEWALK_DO_NOT_UNROLL
  for (; row != end; ++row, panel += cached_columns) {
    const Vector va(*row);
    for (std::size_t c = 0; c < sums.size(); c += 2) {
      const auto [low, high] = simd::load_two(panel + c * simd::width);
      sums[c] = simd::multiply_add(va, low, sums[c]);
      sums[c + 1] = simd::multiply_add(va, high, sums[c + 1]);
    }
  }
  const Vector factor(scale);
  for (std::size_t c = 0; c < sums.size(); ++c) simd::store(product + c * simd::width, factor * sums[c]);
}

/// The same of cached_rows and panel_width columns.
template <class Element>
[[gnu::noinline]] void multiply_rows(Rows<const float> a, const Element* panel, const float& scale,
                                     Rows<float> product, std::size_t depth) noexcept {
  multiply_tile<cached_rows, cached_columns>(
      a, panel, depth, [&](std::size_t r, const Vector& low, const Vector& high) noexcept {
        const Vector factor = simd::constant(scale);
        simd::store(product[r], low * factor);
        simd::store(product[r] + simd::width, high * factor);
      });
}

/// `use` of the product of each row by a panel of a cache, [cached_columns].
template <class Use>
void multiply_each(Rows<const float> a, CachedPanel panel, float scale, std::size_t rows, std::size_t columns,
                   std::size_t depth, Use&& use) noexcept {
  const auto with_type = [](CachedPanel some, auto&& multiply_by) noexcept {
    if (some.floats != nullptr) return multiply_by(some.floats);
    multiply_by(some.halves);
  };
  std::array<float, cached_rows * cached_columns> room;
  const Rows<float> product{room.data(), cached_columns};
  for (std::size_t r = 0; r < rows;) {
    const std::size_t count = r + cached_rows <= rows ? cached_rows : 1;
    if (count == 1) {
      with_type(panel, [&](const auto* b) noexcept { multiply_row(a[r], b, scale, product[0], depth); });
    } else {
      for (std::size_t c = 0; c < columns; c += panel_width) {
        with_type(panel.from(c), [&](const auto* b) noexcept {
          multiply_rows(a.from(r), b, scale, product.columns(c), depth);
        });
      }
    }
    for (std::size_t i = 0; i < count; ++i) use(r + i, product[i]);
    r += count;
  }
}

/// The rows in tiles as large as they come.
template <std::size_t R = panel_rows, class Tile>
void in_tiles(std::size_t rows, Tile&& tile, std::size_t first = 0) noexcept {
  for (; first + R <= rows; first += R) tile.template operator()<R>(first);
  if constexpr (R > 1) in_tiles<R == 6 ? 4 : R / 2>(rows, tile, first);
}

}  // namespace

void pack_transposed(Rows<const float> b, std::size_t n, std::size_t depth, float* panels) noexcept {
  for (std::size_t j = 0; j < n; j += panel_width, panels += panel_width * depth) {
    for (std::size_t c = 0; c < panel_width; c += simd::width) {
      // Past the last row of b the last one stands in, and is then made zeros.
      const float* rows[simd::width];
      for (std::size_t i = 0; i < simd::width; ++i) rows[i] = b[std::min(j + c + i, n - 1)];
      std::size_t k = 0;
      const auto transpose = [&](auto&& load_at, std::size_t count) noexcept {
        Vector square[simd::width];
        for (std::size_t i = 0; i < simd::width; ++i) square[i] = load_at(rows[i] + k);
        xsimd::transpose(square, square + simd::width);
        for (std::size_t i = 0; i < count; ++i) simd::store(panels + (k + i) * panel_width + c, square[i]);
      };
      for (; k + simd::width <= depth; k += simd::width) transpose(simd::load, simd::width);
      if (k < depth) {
        transpose([&](const float* from) noexcept { return simd::load_partial(from, depth - k); }, depth - k);
      }
    }
    for (std::size_t c = n - j; c < panel_width; ++c) {
      for (std::size_t k = 0; k < depth; ++k) panels[k * panel_width + c] = 0;
    }
  }
}

bool is_finite(const float* row, std::size_t size) noexcept {
  // Zero times whatever is no number is NaN, which no sum loses.
  Vector sum(0.0f);
  for (std::size_t c = 0; c < size; c += simd::width) {
    sum = simd::multiply_add(Vector(0.0f), simd::load_up_to(row + c, size - c), sum);
  }
  return xsimd::reduce_add(sum) == 0;
}

bool pack(Rows<const float> b, std::size_t depth, std::size_t n, float* panels) noexcept {
  const std::size_t panel_stride = depth * panel_width;
  Vector zero(0.0f);
  for (std::size_t k = 0; k < depth; ++k) {
    const float* const row = b[k];
    float* to = panels + k * panel_width;
    std::size_t c = 0;
    for (; c + panel_width <= n; c += panel_width, to += panel_stride) {
      const Vector low = simd::load(row + c);
      const Vector high = simd::load(row + c + simd::width);
      simd::store(to, low);
      simd::store(to + simd::width, high);
      zero = simd::multiply_add(Vector(0.0f), low + high, zero);
    }
    if (c < n) {
      const Vector low = simd::load_up_to(row + c, n - c);
      const Vector high =
          n - c > simd::width ? simd::load_partial(row + c + simd::width, n - c - simd::width) : Vector(0.0f);
      simd::store(to, low);
      simd::store(to + simd::width, high);
      zero = simd::multiply_add(Vector(0.0f), low + high, zero);
    }
  }
  if (xsimd::reduce_add(zero) == 0) return true;
  bool all_finite = true;
  for (std::size_t k = 0; k < depth; ++k) {
    if (is_finite(b[k], n)) continue;
    all_finite = false;
    for (std::size_t c = 0; c < n; c += panel_width) {
      std::fill_n(panels + c * depth + k * panel_width, panel_width, 0.0f);
    }
  }
  return all_finite;
}

void multiply_panel(Rows<const float> a, const float* panel, float scale, Rows<float> out, std::size_t rows,
                    std::size_t columns, std::size_t depth) noexcept {
  in_tiles(rows, [&]<std::size_t R>(std::size_t r) noexcept {
    multiply<R>(a.from(r), panel, scale, out.from(r), columns, depth);
  });
}

void add_panel_product(Rows<const float> a, const float* panel, Rows<float> out, std::size_t rows,
                       std::size_t depth) noexcept {
  in_tiles(rows, [&]<std::size_t R>(std::size_t r) noexcept {
    add_product<R>(a.from(r), panel, out.from(r), depth);
  });
}

void multiply_cached(Rows<const float> a, CachedPanel panel, float scale, Rows<float> out, std::size_t rows,
                     std::size_t columns, std::size_t depth) noexcept {
  multiply_each(a, panel, scale, rows, columns, depth,
                [&](std::size_t r, const float* product) noexcept { simd::copy(product, columns, out[r]); });
}

void add_cached_product(Rows<const float> a, CachedPanel panel, Rows<float> out, std::size_t rows,
                        std::size_t columns, std::size_t depth) noexcept {
  multiply_each(a, panel, 1, rows, columns, depth, [&](std::size_t r, const float* product) noexcept {
    for (std::size_t c = 0; c < columns; c += simd::width)
      simd::store(out[r] + c, simd::load(out[r] + c) + simd::load(product + c));
  });
}

}  // namespace ropewalk

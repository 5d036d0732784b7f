#include "matmul.hpp"

#include <algorithm>
#include <array>

#include "simd.hpp"

namespace ropewalk {
namespace {

using simd::Vector;

/// Rows from this length on are read one after the other, each to its end, where there is a single one to multiply them
/// by: eight at once are too many for the memory to follow, and took 1.6 times as long for 2,048 rows of 2,048.
constexpr std::size_t long_row = 512;

/// Rows that a single one's weights sum up together, whatever their length: their cache lines stay near from one part of
/// the columns to the next. 5 to 8 % of a single query on rows.
constexpr std::size_t near_rows = 16;

/// Rows that a single one is multiplied by at once, and vectors of columns: sums that wait for no other keep the arithmetic
/// as busy as a tile's.
constexpr std::size_t rows_at_once = 8;
static_assert(rows_at_once % simd::width == 0);
constexpr std::size_t columns_at_once = 8 * simd::width;

/// The last 0 < `count` < width components of a row. A function of its own, as many call it and none often.
[[gnu::noinline]] Vector last_of(const float* row, std::size_t count) noexcept {
  return simd::load_partial(row, count);
}

Vector load_or_last(const float* row, std::size_t count) noexcept {
  return count < simd::width ? last_of(row, count) : simd::load(row);
}

/// R rows of a against C rows of b: each pair's products are summed lane by lane, the lanes at the end.
template <std::size_t R, std::size_t C>
void dot_tile(Rows<const float> a, Rows<const float> b, float scale, Rows<float> out,
              std::size_t depth) noexcept {
  Vector sums[R][C];
  for (auto& row : sums) {
    for (Vector& sum : row) sum = Vector(0.0f);
  }
  const auto step = [&](auto&& load_at) noexcept {
    Vector vb[C];
    for (std::size_t c = 0; c < C; ++c) vb[c] = load_at(b[c]);
    for (std::size_t r = 0; r < R; ++r) {
      const Vector va = load_at(a[r]);
      for (std::size_t c = 0; c < C; ++c) sums[r][c] = simd::multiply_add(va, vb[c], sums[r][c]);
    }
  };
  std::size_t k = 0;
  ROPEWALK_DO_NOT_UNROLL
  for (; k + simd::width <= depth; k += simd::width) {
    step([k](const float* row) noexcept { return simd::load(row + k); });
  }
  if (k < depth) {
    step([k, depth](const float* row) noexcept { return last_of(row + k, depth - k); });
  }
  for (std::size_t r = 0; r < R; ++r) {
    for (std::size_t c = 0; c < C; ++c) out[r][c] = scale * simd::sum(sums[r][c]);
  }
}

/// A single row against rows_at_once of b.
void dot_rows_at_once(const float* a, Rows<const float> b, float scale, float* out,
                      std::size_t depth) noexcept {
  std::array<Vector, rows_at_once> sums;
  sums.fill(Vector(0.0f));
  std::size_t k = 0;
  ROPEWALK_DO_NOT_UNROLL
  for (; k + 2 * simd::width <= depth; k += 2 * simd::width) {
    const auto [a_low, a_high] = simd::load_two(a + k);
    for (std::size_t c = 0; c < rows_at_once; ++c) {
      const auto [b_low, b_high] = simd::load_two(b[c] + k);
      sums[c] = simd::multiply_add(a_low, b_low, sums[c]);
      sums[c] = simd::multiply_add(a_high, b_high, sums[c]);
    }
  }
  for (; k < depth; k += simd::width) {
    const Vector va = load_or_last(a + k, depth - k);
    for (std::size_t c = 0; c < rows_at_once; ++c) {
      sums[c] = simd::multiply_add(va, load_or_last(b[c] + k, depth - k), sums[c]);
    }
  }
  for (std::size_t c = 0; c < rows_at_once; c += simd::width) {
    std::array<Vector, simd::width> some;
    std::copy_n(sums.begin() + c, simd::width, some.begin());
    simd::store(out + c, scale * simd::sums(some));
  }
}

float dot(const float* a, const float* b, std::size_t depth) noexcept {
  constexpr std::size_t stride = 4 * simd::width;
  Vector sums[4] = {Vector(0.0f), Vector(0.0f), Vector(0.0f), Vector(0.0f)};
  std::size_t k = 0;
  ROPEWALK_DO_NOT_UNROLL
  for (; k + stride <= depth; k += stride) {
    for (std::size_t i = 0; i < 4; ++i) {
      const std::size_t at = k + i * simd::width;
      sums[i] = simd::multiply_add(simd::load(a + at), simd::load(b + at), sums[i]);
    }
  }
  for (; k < depth; k += simd::width) {
    sums[0] = simd::multiply_add(load_or_last(a + k, depth - k), load_or_last(b + k, depth - k), sums[0]);
  }
  return simd::sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

template <std::size_t R>
void dot_rows(Rows<const float> a, Rows<const float> b, float scale, Rows<float> out, std::size_t n,
              std::size_t depth) noexcept {
  std::size_t j = 0;
  if (R == 1 && depth >= long_row) {
    for (; j < n; ++j) out.data[j] = scale * dot(a.data, b[j], depth);
    return;
  }
  for (; R == 1 && j + rows_at_once <= n; j += rows_at_once)
    dot_rows_at_once(a.data, b.from(j), scale, out.data + j, depth);
  for (; j + 2 <= n; j += 2) dot_tile<R, 2>(a, b.from(j), scale, {out.data + j, out.stride}, depth);
  if (j < n) dot_tile<R, 1>(a, b.from(j), scale, {out.data + j, out.stride}, depth);
}

/// R rows of a against C vectors' width of columns of b, whose last vector may have `tail` < width lanes.
template <std::size_t R, std::size_t C, bool Tail>
void sum_tile(Rows<const float> a, Rows<const float> b, Rows<float> out, std::size_t tail,
              std::size_t depth) noexcept {
  const auto load_at = [tail](const float* row, std::size_t c) noexcept {
    return Tail && c + 1 == C ? simd::load_partial(row + c * simd::width, tail)
                              : simd::load(row + c * simd::width);
  };
  Vector sums[R][C];
  for (std::size_t r = 0; r < R; ++r) {
    for (std::size_t c = 0; c < C; ++c) sums[r][c] = load_at(out[r], c);
  }
  ROPEWALK_DO_NOT_UNROLL
  for (std::size_t k = 0; k < depth; ++k) {
    Vector vb[C];
    for (std::size_t c = 0; c < C; ++c) vb[c] = load_at(b[k], c);
    for (std::size_t r = 0; r < R; ++r) {
      const Vector va(a[r][k]);
      for (std::size_t c = 0; c < C; ++c) sums[r][c] = simd::multiply_add(va, vb[c], sums[r][c]);
    }
  }
  for (std::size_t r = 0; r < R; ++r) {
    for (std::size_t c = 0; c < C; ++c) {
      if (Tail && c + 1 == C) {
        simd::store_partial(out[r] + c * simd::width, sums[r][c], tail);
      } else {
        simd::store(out[r] + c * simd::width, sums[r][c]);
      }
    }
  }
}

/// out[n] += a[depth] · b[depth, n], for as many of the columns as are whole columns_at_once.
void sum_columns_at_once(const float* a, Rows<const float> b, float* out, std::size_t n,
                         std::size_t depth) noexcept {
  for (std::size_t first = 0; first < depth; first += near_rows) {
    const std::size_t end = std::min(first + near_rows, depth);
    for (std::size_t j = 0; j + columns_at_once <= n; j += columns_at_once) {
      std::array<Vector, 8> sums;
      for (std::size_t c = 0; c < 8; ++c) sums[c] = simd::load(out + j + c * simd::width);
      ROPEWALK_DO_NOT_UNROLL
      for (std::size_t k = first; k < end; ++k) {
        const Vector va(a[k]);
        for (std::size_t c = 0; c < 8; c += 2) {
          const auto [low, high] = simd::load_two(b[k] + j + c * simd::width);
          sums[c] = simd::multiply_add(va, low, sums[c]);
          sums[c + 1] = simd::multiply_add(va, high, sums[c + 1]);
        }
      }
      for (std::size_t c = 0; c < 8; ++c) simd::store(out + j + c * simd::width, sums[c]);
    }
  }
}

template <std::size_t R>
void sum_rows(Rows<const float> a, Rows<const float> b, Rows<float> out, std::size_t n,
              std::size_t depth) noexcept {
  const auto columns_from = [](auto rows, std::size_t j) noexcept {
    rows.data += j;
    return rows;
  };
  std::size_t j = 0;
  if (R == 1) {
    sum_columns_at_once(a.data, b, out.data, n, depth);
    j = n / columns_at_once * columns_at_once;
  }
  for (; j + 2 * simd::width <= n; j += 2 * simd::width) {
    sum_tile<R, 2, false>(a, columns_from(b, j), columns_from(out, j), 0, depth);
  }
  if (j + simd::width <= n) {
    sum_tile<R, 1, false>(a, columns_from(b, j), columns_from(out, j), 0, depth);
    j += simd::width;
  }
  if (j < n) sum_tile<R, 1, true>(a, columns_from(b, j), columns_from(out, j), n - j, depth);
}

}  // namespace

void multiply_transposed(Rows<const float> a, Rows<const float> b, float scale, Rows<float> out,
                         std::size_t m, std::size_t n, std::size_t depth) noexcept {
  std::size_t i = 0;
  for (; i + tile_rows <= m; i += tile_rows) dot_rows<tile_rows>(a.from(i), b, scale, out.from(i), n, depth);
  for (; i < m; ++i) dot_rows<1>(a.from(i), b, scale, out.from(i), n, depth);
}

void add_product(Rows<const float> a, Rows<const float> b, Rows<float> out, std::size_t m, std::size_t n,
                 std::size_t depth) noexcept {
  std::size_t i = 0;
  for (; i + tile_rows <= m; i += tile_rows) sum_rows<tile_rows>(a.from(i), b, out.from(i), n, depth);
  for (; i < m; ++i) sum_rows<1>(a.from(i), b, out.from(i), n, depth);
}

}  // namespace ropewalk

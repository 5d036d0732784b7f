#include "panels.hpp"

#include <algorithm>

namespace ropewalk {
namespace {

using simd::Vector;

/// The sums of R rows against a panel, and what is then done with them.
///
/// One step of depth is 2 loads of the panel, R broadcasts of a, and 2 R multiply-adds. The loop is not unrolled: LLVM
/// gathers the loads of all steps before the arithmetic, and V8 then spills. Measured, of 56 GFLOP/s that registers
/// alone reach: 4 x 2 50, unrolled by four 25 (Node 20) to 41 (Node 24); 5 x 2 39 to 51; 6 x 2 40 (Node 20), 30 (Node
/// 24), and 55 there with relaxed SIMD; 4 x 3 30 to 37.
template <std::size_t R, class Finish>
inline void multiply_tile(Rows<const float> a, const float* panel, std::size_t depth, Finish&& finish) noexcept {
  Vector low[R];
  Vector high[R];
  const float* row[R];
  for (std::size_t r = 0; r < R; ++r) {
    low[r] = high[r] = Vector(0.0f);
    row[r] = a[r];
  }
  const float* const end = panel + depth * panel_width;
  ROPEWALK_DO_NOT_UNROLL
  for (; panel != end; panel += panel_width) {
    const Vector b_low = simd::load(panel);
    const Vector b_high = simd::load(panel + simd::width);
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
[[gnu::noinline]] void multiply(Rows<const float> a, const float* panels, float scale, Rows<float> out,
                                std::size_t n, std::size_t depth) noexcept {
  const Vector factor(scale);
  for (std::size_t j = 0; j < n; j += panel_width, panels += panel_width * depth) {
    multiply_tile<R>(a, panels, depth, [&](std::size_t r, const Vector& low, const Vector& high) noexcept {
      float* const to = out[r] + j;
      if (n - j >= panel_width) {
        simd::store(to, low * factor);
        simd::store(to + simd::width, high * factor);
      } else {
        simd::store_up_to(to, low * factor, n - j);
        if (n - j > simd::width) simd::store_partial(to + simd::width, high * factor, n - j - simd::width);
      }
    });
  }
}

template <std::size_t R>
[[gnu::noinline]] void add_product(Rows<const float> a, const float* panels, std::size_t panel_stride,
                                   Rows<float> out, std::size_t n, std::size_t depth) noexcept {
  for (std::size_t j = 0; j < n; j += panel_width, panels += panel_stride) {
    multiply_tile<R>(a, panels, depth, [&](std::size_t r, const Vector& low, const Vector& high) noexcept {
      float* const to = out[r] + j;
      simd::store(to, simd::load(to) + low);
      simd::store(to + simd::width, simd::load(to + simd::width) + high);
    });
  }
}

}  // namespace

void pack_transposed(Rows<const float> b, std::size_t n, std::size_t depth, float* panels) noexcept {
  for (std::size_t j = 0; j < n; j += panel_width, panels += panel_width * depth) {
    const std::size_t columns = std::min(panel_width, n - j);
    for (std::size_t c = 0; c < panel_width; c += simd::width) {
      for (std::size_t k = 0; k < depth; k += simd::width) {
        Vector square[simd::width];
        for (std::size_t i = 0; i < simd::width; ++i) {
          square[i] = c + i < columns ? simd::load_up_to(b[j + c + i] + k, depth - k) : Vector(0.0f);
        }
        xsimd::transpose(square, square + simd::width);
        for (std::size_t i = 0; i < std::min(simd::width, depth - k); ++i) {
          simd::store(panels + (k + i) * panel_width + c, square[i]);
        }
      }
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
  bool all_finite = true;
  for (std::size_t k = 0; k < depth; ++k) {
    const float* const row = b[k];
    const bool finite = is_finite(row, n);
    all_finite = all_finite && finite;
    for (std::size_t c = 0; c < whole_panels(n); c += simd::width) {
      const Vector values = finite && c < n ? simd::load_up_to(row + c, n - c) : Vector(0.0f);
      simd::store(panels + (c / panel_width * depth + k) * panel_width + c % panel_width, values);
    }
  }
  return all_finite;
}

void multiply_panels(Rows<const float> a, const float* panels, float scale, Rows<float> out, std::size_t rows,
                     std::size_t n, std::size_t depth) noexcept {
  std::size_t r = 0;
  for (; r + panel_rows <= rows; r += panel_rows) multiply<panel_rows>(a.from(r), panels, scale, out.from(r), n, depth);
  for (; r < rows; ++r) multiply<1>(a.from(r), panels, scale, out.from(r), n, depth);
}

void add_panels_product(Rows<const float> a, const float* panels, std::size_t panel_stride, Rows<float> out,
                        std::size_t rows, std::size_t n, std::size_t depth) noexcept {
  std::size_t r = 0;
  for (; r + panel_rows <= rows; r += panel_rows) {
    add_product<panel_rows>(a.from(r), panels, panel_stride, out.from(r), n, depth);
  }
  for (; r < rows; ++r) add_product<1>(a.from(r), panels, panel_stride, out.from(r), n, depth);
}

}  // namespace ropewalk

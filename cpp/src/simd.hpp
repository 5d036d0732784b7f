#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <xsimd/xsimd.hpp>

#include "ropewalk/bfloat16.hpp"

/// Before a loop whose body fills the registers as it stands.
#if defined(__clang__)
#define ROPEWALK_DO_NOT_UNROLL _Pragma("clang loop unroll(disable)")
#else
#define ROPEWALK_DO_NOT_UNROLL _Pragma("GCC unroll 1")
#endif

/// The only file that knows which SIMD the kernels run on. Everything else says Vector and width.
namespace ropewalk::simd {

using Vector = xsimd::batch<float>;
inline constexpr std::size_t width = Vector::size;

inline Vector load(const float* from) noexcept { return Vector::load_unaligned(from); }
inline void store(float* to, const Vector& vector) noexcept { vector.store_unaligned(to); }

/// Two vectors from memory.
inline std::array<Vector, 2> load_two(const float* from) noexcept { return {load(from), load(from + width)}; }
/// With a single load: zeros become the lower halves.
inline std::array<Vector, 2> load_two(const BFloat16* from) noexcept {
  using Halves = xsimd::batch<std::uint16_t>;
  static_assert(Halves::size == 2 * width);
  const Halves upper = Halves::load_unaligned(&from->bits);
  const Halves lower(0);
  return {xsimd::bitwise_cast<float>(xsimd::zip_lo(lower, upper)),
          xsimd::bitwise_cast<float>(xsimd::zip_hi(lower, upper))};
}

namespace detail {

/// `count` < width numbers, one by one where they are three at most: memcpy() costs a call, and takes longer.
inline void copy_few(const float* from, std::size_t count, float* to) noexcept {
  if constexpr (width == 4) {
    to[0] = from[0];
    if (count > 1) to[1] = from[1];
    if (count > 2) to[2] = from[2];
  } else {
    std::copy_n(from, count, to);
  }
}

}  // namespace detail

/// The first 0 < `count` < width lanes from memory, the others `fill`: a tail takes the same path as whole vectors, with
/// no read past its end.
inline Vector load_partial(const float* from, std::size_t count, float fill = 0) noexcept {
  std::array<float, width> lanes;
  lanes.fill(fill);
  detail::copy_few(from, count, lanes.data());
  return load(lanes.data());
}

inline void store_partial(float* to, const Vector& vector, std::size_t count) noexcept {
  std::array<float, width> lanes;
  store(lanes.data(), vector);
  detail::copy_few(lanes.data(), count, to);
}

/// The first `count` lanes, or all where there are more: for a loop whose body is better there once than twice, for the
/// whole vectors and for the tail.
inline Vector load_up_to(const float* from, std::size_t count, float fill = 0) noexcept {
  return count < width ? load_partial(from, count, fill) : load(from);
}

inline void store_up_to(float* to, const Vector& vector, std::size_t count) noexcept {
  if (count < width) {
    store_partial(to, vector, count);
  } else {
    store(to, vector);
  }
}

inline void copy(const float* from, std::size_t count, float* to) noexcept {
  std::size_t i = 0;
  for (; i + width <= count; i += width) store(to + i, load(from + i));
  for (; i < count; ++i) to[i] = from[i];
}

/// Whether multiply_add() is one instruction.
#if defined(__wasm_relaxed_simd__)
inline constexpr bool is_fused = true;
#else
inline constexpr bool is_fused = false;
#endif

/// a * b + c: in one rounding where there is an instruction for it, else in two.
inline Vector multiply_add(const Vector& a, const Vector& b, const Vector& c) noexcept {
#if defined(__wasm_relaxed_simd__)
  return wasm_f32x4_relaxed_madd(a, b, c);
#else
  return xsimd::fma(a, b, c);
#endif
}

/// `value` in every lane, read from where it stands. V8 makes a constant vector anew wherever it is used, in five
/// instructions; to read one is a single one, and by the assembler that emits nothing it does not know what is read.
inline Vector constant(const float& value) noexcept {
  const float* from = &value;
  asm("" : "+r"(from));
  return Vector(*from);
}

/// x, or the bound where x is less; NaN stays NaN.
inline Vector at_least(const Vector& x, const Vector& bound) noexcept {
#if defined(__wasm_simd128__)
  return wasm_f32x4_pmax(x, bound);
#else
  return xsimd::select(x < bound, bound, x);
#endif
}

/// (a0, b0, a1, b1, …): the low half of the lanes, and the high half.
inline Vector interleave_low(const Vector& a, const Vector& b) noexcept { return xsimd::zip_lo(a, b); }
inline Vector interleave_high(const Vector& a, const Vector& b) noexcept { return xsimd::zip_hi(a, b); }

/// Of each of `width` vectors the sum of its lanes: the upper half is added to the lower one, until a lane is left.
inline Vector sums(std::array<Vector, width> vectors) noexcept {
  for (std::size_t half = width / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) {
      vectors[i] =
          interleave_low(vectors[i], vectors[i + half]) + interleave_high(vectors[i], vectors[i + half]);
    }
  }
  return vectors[0];
}

/// The same of one vector, in the same order.
inline float sum(const Vector& vector) noexcept {
  std::array<Vector, width> vectors;
  vectors.fill(vector);
  return sums(vectors).get(0);
}

namespace detail {

// Spelled out, since the order of make_batch_constant's parameters differs between versions of xsimd.
template <std::size_t First, std::size_t... Lane>
constexpr auto every_second(std::index_sequence<Lane...>) noexcept {
  return xsimd::batch_constant<std::uint32_t, Vector::arch_type,
                               static_cast<std::uint32_t>(2 * Lane + First)...>();
}

}  // namespace detail

/// (a0, a2, …, b0, b2, …), and (a1, a3, …, b1, b3, …): what the two above have interleaved.
inline Vector even_lanes(const Vector& a, const Vector& b) noexcept {
  return xsimd::shuffle(a, b, detail::every_second<0>(std::make_index_sequence<width>()));
}
inline Vector odd_lanes(const Vector& a, const Vector& b) noexcept {
  return xsimd::shuffle(a, b, detail::every_second<1>(std::make_index_sequence<width>()));
}

}  // namespace ropewalk::simd

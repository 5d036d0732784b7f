#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <xsimd/xsimd.hpp>

/// The only file that knows which SIMD the kernels run on. Everything else says Vector and width.
namespace ropewalk::simd {

using Vector = xsimd::batch<float>;
inline constexpr std::size_t width = Vector::size;

inline Vector load(const float* from) noexcept { return Vector::load_unaligned(from); }
inline void store(float* to, const Vector& vector) noexcept { vector.store_unaligned(to); }

/// The first `count` < width lanes from memory, the others `fill`: a tail takes the same path as whole vectors, with
/// no read past its end.
inline Vector load_partial(const float* from, std::size_t count, float fill = 0) noexcept {
  std::array<float, width> lanes;
  lanes.fill(fill);
  std::copy_n(from, count, lanes.begin());
  return load(lanes.data());
}

inline void store_partial(float* to, const Vector& vector, std::size_t count) noexcept {
  std::array<float, width> lanes;
  store(lanes.data(), vector);
  std::copy_n(lanes.begin(), count, to);
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

/// a * b + c. On wasm SIMD128 this is two roundings, and on relaxed SIMD one where the machine has an instruction for it.
inline Vector multiply_add(const Vector& a, const Vector& b, const Vector& c) noexcept {
#ifdef __wasm_relaxed_simd__
  return wasm_f32x4_relaxed_madd(a, b, c);
#else
  return xsimd::fma(a, b, c);
#endif
}

/// (a0, b0, a1, b1, …): the low half of the lanes, and the high half.
inline Vector interleave_low(const Vector& a, const Vector& b) noexcept { return xsimd::zip_lo(a, b); }
inline Vector interleave_high(const Vector& a, const Vector& b) noexcept { return xsimd::zip_hi(a, b); }

namespace detail {

// Spelled out, since the order of make_batch_constant's parameters differs between versions of xsimd.
template <std::size_t... Lane>
constexpr auto neighbours(std::index_sequence<Lane...>) noexcept {
  return xsimd::batch_constant<std::uint32_t, Vector::arch_type, static_cast<std::uint32_t>(Lane ^ 1)...>();
}

}  // namespace detail

/// (v1, v0, v3, v2, …)
inline Vector swap_neighbours(const Vector& vector) noexcept {
  return xsimd::swizzle(vector, detail::neighbours(std::make_index_sequence<width>()));
}

}  // namespace ropewalk::simd

#pragma once

#include "simd.hpp"

namespace ropewalk::simd {

/// e^x of each lane of N vectors, in place, for x <= 0, as the softmax takes it: 1 at 0, and 0 from -87.7 on, where
/// float32 has no normal number left. NaN stays NaN.
///
/// x is cut into n ln 2 + r, |r| <= ln 2 / 2, so that e^x = 2^n e^r: ln 2 in two parts, of which n times the first is
/// exact (Cody and Waite), and a polynomial for e^r whose relative error is 2^-28.5 at most.
/// Accuracy  2 ulp where e^x >= 2^-126, tests/cpp/exp_test.cpp.
///
/// Several vectors at once, for they share the loading of the constants, a good part of the work: measured in V8, 1.0
/// numbers a nanosecond one by one, 1.3 by fours, 1.7 with relaxed SIMD.
template <std::size_t N>
inline void exp(Vector (&x)[N]) noexcept {
  static constexpr float log2_e = 1.44269504f;
  static constexpr float shifter =
      12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, in the lowest bits
  static constexpr float ln_2_high = 0.693359375f;
  static constexpr float ln_2_low = -2.12194440e-4f;
  static constexpr float coefficients[] = {
      1.40612762e-3f, 8.37902070e-3f, 4.16647765e-2f, 1.66663653e-1f, 5.00000043e-1f, 1.00000005f, 1.0f};
  // 2^-127 has no bits of its own in float32: less than that becomes the zero that is meant.
  static constexpr float least = -88.0f;
  static constexpr float minus_ln_2_high = -ln_2_high;
  static constexpr float minus_ln_2_low = -ln_2_low;

  Vector shifted[N];
  Vector r[N];
  Vector e_r[N];
  for (std::size_t i = 0; i < N; ++i) {
    x[i] = at_least(x[i], constant(least));
    shifted[i] = multiply_add(x[i], constant(log2_e), constant(shifter));
  }
  for (std::size_t i = 0; i < N; ++i) {
    const Vector n = shifted[i] - constant(shifter);
    r[i] = multiply_add(n, constant(minus_ln_2_low), multiply_add(n, constant(minus_ln_2_high), x[i]));
    e_r[i] = constant(coefficients[0]);
  }
  for (std::size_t k = 1; k < std::size(coefficients); ++k) {
    for (std::size_t i = 0; i < N; ++i) e_r[i] = multiply_add(e_r[i], r[i], constant(coefficients[k]));
  }
  for (std::size_t i = 0; i < N; ++i) {
    const auto exponent = (xsimd::bitwise_cast<std::int32_t>(shifted[i]) << 23) +
                          xsimd::bitwise_cast<std::int32_t>(constant(coefficients[6]));
    // A product, and not a sum of exponents: what was NaN stays so.
    x[i] = e_r[i] * xsimd::bitwise_cast<float>(exponent);
  }
}

/// The same of one vector.
inline Vector exp(const Vector& x) noexcept {
  Vector single[] = {x};
  exp(single);
  return single[0];
}

}  // namespace ropewalk::simd

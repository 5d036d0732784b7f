#pragma once

#include <cstddef>

namespace ropewalk {

/// An unevaluated sum of two doubles, the low one less than an ulp of the high one: some 106 bits, for where a double's
/// own rounding would show.
struct DoubleDouble {
  double high;
  double low;
};

/// The sum of a number and a much smaller one.
inline DoubleDouble add_small(double high, double low) noexcept {
  const double sum = high + low;
  return {sum, low - (sum - high)};
}

/// In two parts of at most 26 bits, whose products with such parts are exact (Veltkamp, 1968).
inline DoubleDouble split(double value) noexcept {
  const double shifted = 0x1.000002p27 * value;
  const double high = shifted - (shifted - value);
  return {high, value - high};
}

/// a * b, exactly (Dekker, 1971), without the fused instruction that wasm does not have; unless a part overflows or
/// underflows.
inline DoubleDouble exact_product(double a, double b) noexcept {
  const double product = a * b;
  const DoubleDouble x = split(a);
  const DoubleDouble y = split(b);
  return {product, ((x.high * y.high - product) + x.high * y.low + x.low * y.high) + x.low * y.low};
}

/// To 2^-102 or so.
inline DoubleDouble operator*(const DoubleDouble& a, const DoubleDouble& b) noexcept {
  const DoubleDouble product = exact_product(a.high, b.high);
  return add_small(product.high, product.low + (a.high * b.low + a.low * b.high));
}

/// base^exponent, by squaring.
inline DoubleDouble power(DoubleDouble base, std::size_t exponent) noexcept {
  DoubleDouble result{1, 0};
  for (; exponent != 0; exponent >>= 1) {
    if ((exponent & 1) != 0) result = result * base;
    base = base * base;
  }
  return result;
}

}  // namespace ropewalk

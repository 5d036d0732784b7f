#pragma once

#include <cmath>
#include <cstddef>
#include <numbers>

namespace ropewalk {

/// base^(-2i/dim) to 2 ulp of double, the one formula that sinusoidal and rotary encodings share.
///
/// The rounding of the exponent alone would cost up to 9 ulp, for pow multiplies it by ln(base). So what it lost is put
/// back to first order, for which a logarithm good to one binary digit is enough.
inline double inverse_frequency(double base, std::size_t i, std::size_t dim) noexcept {
  const double numerator = -2.0 * static_cast<double>(i);
  const double denominator = static_cast<double>(dim);
  const double exponent = numerator / denominator;
  // In two parts of few digits each, so that both products are exact.
  const double high = static_cast<double>(static_cast<float>(exponent));
  const double low = exponent - high;
  const double lost = ((numerator - high * denominator) - low * denominator) / denominator;
  return std::pow(base, exponent) * (1 + lost * std::ilogb(base) * std::numbers::ln2);
}

inline bool is_base(double base) noexcept { return base > 0 && std::isfinite(base); }

}  // namespace ropewalk

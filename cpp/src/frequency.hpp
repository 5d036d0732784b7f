#pragma once

#include <cmath>
#include <cstddef>

#include "double_double.hpp"
#include "ropewalk/status.hpp"
#include "ropewalk/tensor_view.hpp"

namespace ropewalk {

/// Within these bounds no step of InverseFrequencies overflows or underflows.
inline constexpr const char* base_bounds = "a number from 1e-100 to 1e100";
inline bool is_base(double base) noexcept { return base >= 1e-100 && base <= 1e100; }

/// A frequency or a distance within these bounds: their product is then a finite angle.
inline constexpr const char* angle_factor_bounds = "a number from -1e100 to 1e100";
inline bool is_angle_factor(double value) noexcept { return value >= -1e100 && value <= 1e100; }

inline Status check_frequencies(TensorView<const double, 1> inv_freq) noexcept {
  for (std::size_t i = 0; i < inv_freq.shape[0]; ++i) {
    if (!is_angle_factor(inv_freq.data[i]))
      return bad_value("inv_freq", inv_freq.data[i], angle_factor_bounds);
  }
  return {};
}

/// ln(value), value > 0, to 2^-52 * (1 + |ln|). By log1p, for log brings 4 KB of tables into the module.
inline double natural_log(double value) noexcept {
  return value < 1 ? -std::log1p(1 / value - 1) : std::log1p(value - 1);
}

/// base^(-2i/dim) to 0.51 ulp of double, for any number of i: the one formula that sinusoidal and rotary encodings share.
///
/// pow would not do: what its argument -2i/dim is rounded by, it multiplies by ln(base), and its tables are larger
/// still. So base^(-1/dim) is found as the root of x^dim * base = 1, in double-double, and its powers are what is sought.
class InverseFrequencies {
 public:
  InverseFrequencies(double base, std::size_t dim) noexcept {
    // 50 bits of the root, and by a step of Newton's method 100.
    const double order = static_cast<double>(dim);
    const double near = std::exp(-natural_log(base) / order);
    const DoubleDouble one = power({near, 0}, dim) * DoubleDouble{base, 0};
    root_ = add_small(near, near * ((1 - one.high - one.low) / order));
  }

  double operator[](std::size_t i) const noexcept { return power(root_, 2 * i).high; }

 private:
  DoubleDouble root_;
};

}  // namespace ropewalk

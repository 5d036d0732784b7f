#pragma once

#include "double_double.hpp"

namespace ropewalk {

struct Point {
  double cos;
  double sin;
};

/// Where an angle in radians leads on the unit circle. NaN for one that is not finite.
///
/// Accuracy  2^-51 * |cos| + 2^-105 * |angle|, and so for the sine, up to 2^45 radians: next to a zero too a float of it
///           is right. Farther out, where whole turns are taken off in double, 2^-52 * |angle|.
///
/// The C library's functions would not do: they take an angle in one double, which for a position of 2^31 is off by
/// 2^-22; and they bring 2.7 KB of digits of 2/pi into the module.
Point unit_point(const DoubleDouble& angle) noexcept;

inline Point unit_point(double angle) noexcept { return unit_point(DoubleDouble{angle, 0}); }

}  // namespace ropewalk

#include "unit_circle.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

namespace ropewalk {
namespace {

/// A quarter of a turn, pi / 2, to 2^-107.
constexpr DoubleDouble quarter_turn{0x1.921fb54442d18p0, 0x1.1a62633145c07p-54};

/// Up to an eighth of a turn, what is left out after so many terms is below 2^-57 of the sum.
constexpr std::size_t n_terms = 8;
using Series = std::array<double, n_terms>;

/// Taylor's coefficients (-1)^k / (2k + offset)!, k = 1, 2, …: of the cosine with offset 0, of the sine with 1.
constexpr Series taylor(int offset) noexcept {
  Series terms{};
  double term = 1;
  int factor = offset;
  for (double& coefficient : terms) {
    for (int i = 0; i < 2; ++i) term /= ++factor;
    term = -term;
    coefficient = term;
  }
  return terms;
}

double evaluate(const Series& series, double square) noexcept {
  double sum = 0;
  for (std::size_t k = n_terms; k-- > 0;) sum = sum * square + series[k];
  return sum;
}

}  // namespace

Point unit_point(const DoubleDouble& angle) noexcept {
  constexpr Series cosine = taylor(0);
  constexpr Series sine = taylor(1);
  if (!(std::abs(angle.high) < 0x1p45)) {
    if (std::isfinite(angle.high)) return unit_point(std::remainder(angle.high, 2 * std::numbers::pi));
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    return {nan, nan};
  }

  // Less whole quarters. The first difference is exact, for the two are nearly equal, or the second is zero.
  const double quarters = std::rint(angle.high / quarter_turn.high);
  const DoubleDouble whole = exact_product(quarters, quarter_turn.high);
  const double rest = (angle.high - whole.high) + (angle.low - whole.low - quarters * quarter_turn.low);

  const double square = rest * rest;
  const Point point{1 + square * evaluate(cosine, square), rest + rest * square * evaluate(sine, square)};
  switch (static_cast<std::int64_t>(quarters) & 3) {
    case 0:
      return point;
    case 1:
      return {-point.sin, point.cos};
    case 2:
      return {-point.cos, -point.sin};
    default:
      return {point.sin, -point.cos};
  }
}

}  // namespace ropewalk

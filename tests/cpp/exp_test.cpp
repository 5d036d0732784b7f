#include "exp.hpp"

#include <array>
#include <bit>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <cstdint>
#include <limits>

namespace ropewalk {
namespace {

std::array<float, 4 * simd::width> exp_of(std::array<float, 4 * simd::width> x) {
  simd::Vector vectors[4];
  for (std::size_t i = 0; i < 4; ++i) vectors[i] = simd::load(x.data() + i * simd::width);
  simd::exp(vectors);
  for (std::size_t i = 0; i < 4; ++i) simd::store(x.data() + i * simd::width, vectors[i]);
  return x;
}

/// One unit in the last place of the float32 next to `value`.
double ulp(double value) {
  int exponent = 0;
  std::frexp(value, &exponent);
  return std::ldexp(1.0, exponent - 24);
}

TEST_CASE("exp is within 2 ulp as long as the result is a normal number", "[exp]") {
  // Every 1,009th float32 from -0 to -87.3365.
  constexpr std::uint32_t first = 0x80000000;
  const std::uint32_t last = std::bit_cast<std::uint32_t>(-87.3365f);
  std::array<float, 4 * simd::width> x{};
  std::size_t lane = 0;
  double worst = 0;
  for (std::uint32_t bits = first; bits <= last; bits += 1'009) {
    x[lane++] = std::bit_cast<float>(bits);
    if (lane < x.size()) continue;
    lane = 0;
    const auto result = exp_of(x);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double exact = std::exp(static_cast<double>(x[i]));
      const double error = std::abs(static_cast<double>(result[i]) - exact) / ulp(exact);
      if (!(error <= worst)) worst = error;
    }
  }
  CAPTURE(worst);
  REQUIRE(worst <= 2);
  REQUIRE(worst > 0);
}

TEST_CASE("exp is one at zero, zero where no normal number is left, and NaN of NaN", "[exp]") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  for (const float one : {0.0f, -0.0f}) REQUIRE(simd::exp(simd::Vector(one)).get(0) == 1);
  for (const float far : {-88.0f, -104.0f, -1e30f, -infinity}) {
    CAPTURE(far);
    REQUIRE(simd::exp(simd::Vector(far)).get(0) == 0);
  }
  const float between = simd::exp(simd::Vector(-87.5f)).get(0);
  REQUIRE(between >= 0);
  REQUIRE(between < 2e-38f);
  REQUIRE(std::isnan(simd::exp(simd::Vector(std::numeric_limits<float>::quiet_NaN())).get(0)));
}

TEST_CASE("exp takes each lane by itself", "[exp]") {
  std::array<float, 4 * simd::width> x{};
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = i % 3 == 1 ? -std::numeric_limits<float>::infinity() : -0.37f * static_cast<float>(i);
  const auto together = exp_of(x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    CAPTURE(i);
    REQUIRE(together[i] == simd::exp(simd::Vector(x[i])).get(0));
  }
}

}  // namespace
}  // namespace ropewalk

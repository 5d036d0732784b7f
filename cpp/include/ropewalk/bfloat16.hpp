#pragma once

#include <bit>
#include <cstdint>

namespace ropewalk {

/// The upper half of a float: all of its range, in half of its memory, with 8 bits of precision.
struct BFloat16 {
  std::uint16_t bits = 0;

  BFloat16() = default;

  /// The nearest to `value`, which is off by 2^-8 of it at most where it is no smaller than 2^-126, and of two as near the
  /// even one. From 2^128 - 2^119 on it is an infinity. NaN stays NaN.
  constexpr explicit BFloat16(float value) noexcept {
    const auto whole = std::bit_cast<std::uint32_t>(value);
    const bool is_nan = (whole & 0x7fff'ffff) > 0x7f80'0000;
    // What is dropped of a NaN may be all that made it one.
    const std::uint32_t rounded = is_nan ? whole | 0x0040'0000 : whole + 0x7fff + (whole >> 16 & 1);
    bits = static_cast<std::uint16_t>(rounded >> 16);
  }

  /// Just what it stands for.
  constexpr explicit operator float() const noexcept {
    return std::bit_cast<float>(std::uint32_t{bits} << 16);
  }
};

}  // namespace ropewalk

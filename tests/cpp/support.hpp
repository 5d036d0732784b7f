#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <catch2/catch_test_macros.hpp>
#include <catch2/catch_tostring.hpp>
#include <catch2/matchers/catch_matchers_templated.hpp>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "ropewalk/bfloat16.hpp"
#include "ropewalk/status.hpp"
#include "ropewalk/tensor_view.hpp"

namespace ropewalk::test {

using Sizes = std::vector<std::size_t>;

/// Around the SIMD widths 4 and 8, odd, and long.
inline constexpr std::array<std::size_t, 10> sizes = {1, 3, 4, 5, 7, 8, 9, 17, 33, 300};

/// Where angles are hardest: about 0, at the end of a long context, where float stops counting, at the ends
/// of int32.
inline constexpr std::array<std::int32_t, 16> far_positions = {0,
                                                               1,
                                                               -1,
                                                               7,
                                                               8,
                                                               4'095,
                                                               100'000,
                                                               131'071,
                                                               -131'071,
                                                               999'983,
                                                               1 << 24,
                                                               (1 << 24) + 1,
                                                               -(1 << 24) - 1,
                                                               1'999'999'973,
                                                               std::numeric_limits<std::int32_t>::max(),
                                                               std::numeric_limits<std::int32_t>::min()};

inline constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
inline constexpr float infinity = std::numeric_limits<float>::infinity();

// ---- Data -------------------------------------------------------------------------------------------------

/// Seeded, and the same on every machine: the standard's engines are, its distributions are not.
class Random {
 public:
  explicit Random(std::uint32_t seed) : engine_(seed) {}

  double uniform() { return static_cast<double>(engine_()) / 0x1p32; }

  /// Near enough to standard normal for test data (Irwin-Hall); never beyond 6.
  float normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += uniform();
    return static_cast<float>(sum);
  }

  std::vector<float> normals(std::size_t size) {
    std::vector<float> values(size);
    for (float& value : values) value = normal();
    return values;
  }

  /// Over all of int32.
  std::vector<std::int32_t> positions(std::size_t size) {
    std::vector<std::int32_t> values(size);
    for (std::int32_t& value : values) value = static_cast<std::int32_t>(engine_());
    return values;
  }

 private:
  std::mt19937 engine_;
};

/// The spacing of floats about a number, of denormal ones about 0.
inline double float_ulp(double value) { return std::ldexp(1, std::max(std::ilogb(value), -126) - 23); }

inline std::vector<double> to_double(std::span<const float> values) { return {values.begin(), values.end()}; }

/// first, first + 1, ...
inline std::vector<std::int32_t> consecutive(std::size_t size, std::int32_t first = 0) {
  std::vector<std::int32_t> values(size);
  for (std::size_t i = 0; i < size; ++i) values[i] = first + static_cast<std::int32_t>(i);
  return values;
}

template <class T>
bool same_bits(T a, T b) {
  return std::bit_cast<std::array<std::byte, sizeof(T)>>(a) ==
         std::bit_cast<std::array<std::byte, sizeof(T)>>(b);
}

/// A tensor's storage between canaries, at an address no wider aligned than its elements. It starts out full
/// of canaries too, NaN where T has one, so that an element left out or only added to shows.
template <class T>
class Buffer {
 public:
  explicit Buffer(std::size_t size) : size_(size), storage_(front + size + back, canary()) {}

  explicit Buffer(const std::vector<T>& values) : Buffer(values.size()) {
    std::copy(values.begin(), values.end(), this->values().begin());
  }

  std::span<T> values() { return std::span(storage_).subspan(front, size_); }
  std::vector<T> copy() { return {values().begin(), values().end()}; }
  T& operator[](std::size_t i) { return values()[i]; }

  template <class... Extent>
  TensorView<T, sizeof...(Extent)> view(Extent... extents) {
    const TensorView<T, sizeof...(Extent)> view{values().data(), {static_cast<std::size_t>(extents)...}};
    REQUIRE(view.size() == size_);
    return view;
  }

  /// Nothing was written before or behind the elements.
  bool intact() const {
    for (std::size_t i = 0; i < storage_.size(); ++i) {
      const bool outside = i < front || i >= front + size_;
      if (outside && !same_bits(storage_[i], canary())) return false;
    }
    return true;
  }

  /// Nothing was written at all, since the buffer was made from its size.
  bool untouched() const {
    return std::all_of(storage_.begin(), storage_.end(), [](T value) { return same_bits(value, canary()); });
  }

 private:
  static constexpr std::size_t front = 3;
  // The address sanitizer stands guard behind the elements itself, against reads as well.
#if defined(__SANITIZE_ADDRESS__)
  static constexpr std::size_t back = 0;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
  static constexpr std::size_t back = 0;
#else
  static constexpr std::size_t back = 16;
#endif
#else
  static constexpr std::size_t back = 16;
#endif

  static T canary() {
    if constexpr (std::same_as<T, float>) return std::bit_cast<float>(0x7fca11edU);
    if constexpr (std::same_as<T, double>) return std::bit_cast<double>(0x7ffca11edca11edcU);
    if constexpr (std::same_as<T, BFloat16>) return BFloat16(not_a_number);
    if constexpr (std::integral<T>) return static_cast<T>(0x5ca11edc);
  }

  std::size_t size_;
  std::vector<T> storage_;
};

// ---- Matchers ---------------------------------------------------------------------------------------------

/// Holds if every |got - want| <= bound; NaN on either side never holds. The bound is one for all or one for
/// each.
class IsWithin : public Catch::Matchers::MatcherGenericBase {
 public:
  IsWithin(std::vector<double> want, std::function<double(std::size_t)> bound)
      : want_(std::move(want)), bound_(std::move(bound)) {}

  template <class Range>
  bool match(const Range& got) const {
    if (std::size(got) != want_.size()) {
      complaint_ = "sizes differ";
      return false;
    }
    for (std::size_t i = 0; i < want_.size(); ++i) {
      const double error = std::abs(static_cast<double>(got[i]) - want_[i]);
      const double tolerance = bound_(i);
      if (!(error <= tolerance)) {
        std::ostringstream text;
        text.precision(17);
        text << "[" << i << "] " << got[i] << " is not " << want_[i] << ": off by " << error << ", allowed "
             << tolerance;
        complaint_ = text.str();
        return false;
      }
    }
    return true;
  }

  std::string describe() const override { return "is within the bound; " + complaint_; }

 private:
  std::vector<double> want_;
  std::function<double(std::size_t)> bound_;
  mutable std::string complaint_;
};

inline IsWithin is_within(std::vector<double> want, double bound) {
  return {std::move(want), [bound](std::size_t) { return bound; }};
}

inline IsWithin is_within(std::vector<double> want, std::function<double(std::size_t)> bound) {
  return {std::move(want), std::move(bound)};
}

/// Holds if the two are the same in every bit: NaN equals itself, -0 is not 0.
template <class T>
class HasBitsOf : public Catch::Matchers::MatcherGenericBase {
 public:
  explicit HasBitsOf(std::vector<T> want) : want_(std::move(want)) {}

  template <class Range>
  bool match(const Range& got) const {
    if (std::size(got) != want_.size()) {
      complaint_ = "sizes differ";
      return false;
    }
    for (std::size_t i = 0; i < want_.size(); ++i) {
      if (!same_bits<T>(got[i], want_[i])) {
        std::ostringstream text;
        text.precision(17);
        text << "[" << i << "] " << got[i] << " is not " << want_[i];
        complaint_ = text.str();
        return false;
      }
    }
    return true;
  }

  std::string describe() const override { return "has the very bits; " + complaint_; }

 private:
  std::vector<T> want_;
  mutable std::string complaint_;
};

template <class T>
HasBitsOf<T> has_bits_of(std::vector<T> want) {
  return HasBitsOf<T>(std::move(want));
}

class IsOk : public Catch::Matchers::MatcherGenericBase {
 public:
  bool match(const Status& status) const { return status.ok(); }
  std::string describe() const override { return "is ok"; }
};

inline IsOk is_ok() { return {}; }

/// Holds if the kernel refused, blames this argument, tells its size or value, and says what is allowed.
class Refuses : public Catch::Matchers::MatcherGenericBase {
 public:
  Refuses(StatusCode code, std::string_view argument, double given)
      : code_(code), argument_(argument), given_(given) {}

  bool match(const Status& status) const {
    return status.code == code_ && status.argument == argument_ && *status.allowed != '\0' &&
           (status.given == given_ || (std::isnan(status.given) && std::isnan(given_)));
  }

  std::string describe() const override {
    return "refuses " + std::string(argument_) + " = " + Catch::Detail::stringify(given_) +
           (code_ == StatusCode::bad_shape ? " (bad_shape)" : " (bad_value)");
  }

 private:
  StatusCode code_;
  std::string_view argument_;
  double given_;
};

inline Refuses refuses_shape(std::string_view argument, std::size_t given) {
  return {StatusCode::bad_shape, argument, static_cast<double>(given)};
}

inline Refuses refuses_value(std::string_view argument, double given) {
  return {StatusCode::bad_value, argument, given};
}

}  // namespace ropewalk::test

template <>
struct Catch::StringMaker<ropewalk::Status> {
  static std::string convert(const ropewalk::Status& status) {
    constexpr std::array names = {"ok", "bad_shape", "bad_value"};
    std::ostringstream text;
    text << names[static_cast<std::size_t>(status.code)] << " (" << status.argument << " = " << status.given
         << ", allowed: " << status.allowed << ")";
    return text.str();
  }
};

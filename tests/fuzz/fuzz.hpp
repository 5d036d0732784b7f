#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <limits>
#include <source_location>
#include <span>
#include <string_view>
#include <vector>

#include "ropewalk/status.hpp"
#include "ropewalk/tensor_view.hpp"

/// What the fuzzers have in common. Each of them makes shapes, options and numbers of its input, calls a
/// kernel, and ends the process when the contract is broken: a call within it is taken, one outside of it is
/// refused and has written nothing, and what the header promises of the results holds. All tensors are
/// vectors of exactly their size, so that the address sanitizer stands behind the last element.
namespace ropewalk::fuzz {

inline constexpr float infinity = std::numeric_limits<float>::infinity();

/// The bounds of bases, and of whatever frequencies are multiplied or divided by.
inline bool is_base(double base) { return base >= 1e-100 && base <= 1e100; }
inline bool is_angle_factor(double value) { return value >= -1e100 && value <= 1e100; }

// ---- Verdicts ---------------------------------------------------------------------------------------------

/// End the process, which libFuzzer reports together with the input, unless `holds`.
inline void require(bool holds, const char* what,
                    const std::source_location& where = std::source_location::current()) {
  if (holds) return;
  std::fprintf(stderr, "BROKEN: %s (%s:%u)\n", what, where.file_name(), static_cast<unsigned>(where.line()));
  std::abort();
}

/// |got - want| <= bound, which NaN never is.
inline void require_near(double got, double want, double bound, const char* what,
                         const std::source_location& where = std::source_location::current()) {
  if (std::abs(got - want) <= bound) return;
  std::fprintf(stderr, "%.17g is not %.17g: off by %.3g, allowed %.3g\n", got, want, std::abs(got - want),
               bound);
  require(false, what, where);
}

/// A call is taken if and only if it is `valid`, and a refusal names one of the function's arguments and what
/// is allowed.
inline void require_verdict(const Status& status, bool valid,
                            std::initializer_list<std::string_view> arguments,
                            const std::source_location& where = std::source_location::current()) {
  if (!status.ok()) {
    const bool exists = std::find(arguments.begin(), arguments.end(), status.argument) != arguments.end();
    if (valid || !exists) {
      std::fprintf(stderr, "refused: %s = %.17g, allowed: %s\n", status.argument, status.given,
                   status.allowed);
    }
    require(exists, "a refusal names an argument", where);
    require(*status.allowed != '\0', "a refusal says what is allowed", where);
  }
  require(status.ok() || !valid, "a call within the contract is taken", where);
  require(!status.ok() || valid, "a call outside of the contract is refused", where);
}

// ---- Tensors ----------------------------------------------------------------------------------------------

/// What an output holds before the call: NaN where T has one, so that an element left out shows.
template <class T>
constexpr T canary() {
  if constexpr (std::same_as<T, float>) return std::bit_cast<float>(0x7fca11edU);
  if constexpr (std::same_as<T, double>) return std::bit_cast<double>(0x7ffca11edca11edcU);
  if constexpr (std::integral<T>) return static_cast<T>(0x5ca11edc);
}

template <class T>
bool same_bits(T a, T b) {
  return std::bit_cast<std::array<std::byte, sizeof(T)>>(a) ==
         std::bit_cast<std::array<std::byte, sizeof(T)>>(b);
}

/// The same bits, or NaN both: which NaN a sum of two has depends on the order of its operands.
inline bool same_number(float a, float b) { return same_bits(a, b) || (std::isnan(a) && std::isnan(b)); }

inline bool same_numbers(const std::vector<float>& a, const std::vector<float>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same_number);
}

template <class T>
bool untouched(const std::vector<T>& values) {
  return std::all_of(values.begin(), values.end(), [](T value) { return same_bits(value, canary<T>()); });
}

template <std::floating_point T>
bool all_finite(const std::vector<T>& values) {
  return std::all_of(values.begin(), values.end(), [](T value) { return std::isfinite(value); });
}

inline bool are_angle_factors(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), is_angle_factor);
}

inline std::vector<double> to_double(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

/// Are tensors of these shapes small enough to be made, and their rows few enough to be gone through where
/// they are empty?
template <std::size_t... Rank>
bool is_reasonable(const std::array<std::size_t, Rank>&... shapes) {
  const auto is_small = [](const auto& shape) {
    std::size_t most = 1 << 16;
    for (const std::size_t extent : shape) most /= std::max<std::size_t>(extent, 1);
    return most > 0;
  };
  return (is_small(shapes) && ...);
}

/// Elements that are there for a shape: all of them, or none where that is out of reason, for such a shape
/// belongs to a call that has to be refused unread.
template <std::size_t Rank>
std::size_t room(const std::array<std::size_t, Rank>& shape) {
  return is_reasonable(shape) ? TensorView<const char, Rank>{nullptr, shape}.size() : 0;
}

template <class T>
std::vector<T> unwritten(std::size_t size) {
  return std::vector<T>(size, canary<T>());
}

template <class T, std::size_t Rank>
std::vector<T> canaries(const std::array<std::size_t, Rank>& shape) {
  return unwritten<T>(room(shape));
}

/// Where a vector begins: never null, so that a view of no elements may have rows.
template <class T>
T* begin_of(std::vector<T>& values) {
  values.reserve(1);
  return values.data();
}

template <class T, std::size_t Rank>
TensorView<T, Rank> view(std::vector<T>& values, const std::array<std::size_t, Rank>& shape) {
  return {begin_of(values), shape};
}

// ---- Input ------------------------------------------------------------------------------------------------

/// The fuzzer's bytes as decisions. Past their end come random ones that depend on all bytes, so that a short
/// input is a whole case too, and a longer one the same sort of case with more of it held fast.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : bytes_(data, size) {
    for (const std::uint8_t byte : bytes_) state_ = mix(state_ ^ byte);
  }

  std::uint8_t byte() {
    if (next_ < bytes_.size()) return bytes_[next_++];
    return static_cast<std::uint8_t>(mix(state_++));
  }

  bool flip() { return byte() % 2 == 0; }
  bool rarely() { return byte() % 32 == 0; }
  std::size_t below(std::size_t end) { return byte() % end; }

  template <class T, std::size_t N>
  T one_of(const T (&choices)[N]) {
    return choices[below(N)];
  }

  /// From 1 to `most` < 256, and rarely 0.
  std::size_t extent(std::size_t most) { return rarely() ? 0 : 1 + below(most); }

  std::uint64_t bits() {
    std::uint64_t bits = 0;
    for (int i = 0; i < 8; ++i) bits = bits << 8 | byte();
    return bits;
  }

  /// Any int32, often a small one or one of the ends.
  std::int32_t integer() {
    constexpr std::int32_t lowest = std::numeric_limits<std::int32_t>::min();
    constexpr std::int32_t highest = std::numeric_limits<std::int32_t>::max();
    if (flip()) return static_cast<std::int32_t>(below(64)) - 32;
    if (flip()) return one_of({lowest, lowest + 1, -(1 << 24) - 1, 1 << 24, highest - 1, highest});
    return static_cast<std::int32_t>(bits());
  }

  /// A number that nobody would wonder at, in [-range, range).
  double moderate(double range = 2) { return range * (static_cast<double>(bits() >> 11) * 0x1p-52 - 1); }

  /// Any bit pattern, often a moderate number or one of the strange ones.
  template <std::floating_point T>
  T number() {
    using Limits = std::numeric_limits<T>;
    if (flip()) return static_cast<T>(moderate(flip() ? 2 : 1000));
    if (flip()) {
      return one_of({T{0}, -T{0}, T{1}, T{-1}, Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN(),
                     Limits::max(), Limits::lowest(), Limits::min(), Limits::denorm_min()});
    }
    if constexpr (sizeof(T) == 4) return std::bit_cast<float>(static_cast<std::uint32_t>(bits()));
    if constexpr (sizeof(T) == 8) return std::bit_cast<double>(bits());
  }

  /// Moderate numbers, or unless `tame` some of any kind among them. One draw makes them all.
  template <std::floating_point T>
  std::vector<T> numbers(std::size_t size, bool tame) {
    Input random = fork();
    const std::size_t wild = tame ? 0 : byte();
    std::vector<T> values(size);
    for (T& value : values) {
      value = random.below(256) < wild ? random.number<T>() : static_cast<T>(random.moderate());
    }
    return values;
  }

  std::vector<std::int32_t> integers(std::size_t size) {
    Input random = fork();
    std::vector<std::int32_t> values(size);
    for (std::int32_t& value : values) value = random.integer();
    return values;
  }

  /// Numbers from 0 to below `end`, and now and then one beyond.
  std::vector<std::int32_t> indices(std::size_t size, std::size_t end) {
    constexpr std::int32_t lowest = std::numeric_limits<std::int32_t>::min();
    constexpr std::int32_t highest = std::numeric_limits<std::int32_t>::max();
    std::vector<std::int32_t> values(size);
    for (std::int32_t& value : values) value = end == 0 ? 0 : static_cast<std::int32_t>(below(end));
    if (size > 0 && rarely()) {
      const auto beyond = static_cast<std::int32_t>(std::min<std::size_t>(end, highest));
      values[below(size)] = one_of({-1, beyond, lowest, highest});
    }
    return values;
  }

  /// Now and then one extent of a shape becomes another: none, one off, double, or once for each input
  /// absurdly many, so that no two shapes agree on that.
  template <std::size_t Rank>
  std::array<std::size_t, Rank> disturbed(std::array<std::size_t, Rank> shape) {
    if (!rarely()) return shape;
    std::size_t& extent = shape[below(Rank)];
    if (!was_absurd_ && flip()) {
      extent = one_of({std::size_t{1} << 31, std::size_t{1} << 32, std::numeric_limits<std::size_t>::max()});
      was_absurd_ = true;
    } else {
      extent = one_of({std::size_t{0}, extent + 1, extent - (extent > 0 ? 1 : 0), 2 * extent});
    }
    return shape;
  }

 private:
  explicit Input(std::uint64_t seed) : state_(seed) {}

  Input fork() { return Input(mix(bits())); }

  /// One step of SplitMix64 (Steele, Lea and Flood, 2014).
  static std::uint64_t mix(std::uint64_t x) {
    x += 0x9e3779b97f4a7c15U;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
  }

  std::span<const std::uint8_t> bytes_;
  std::size_t next_ = 0;
  std::uint64_t state_ = 0;
  bool was_absurd_ = false;
};

/// Heads with storage of their own, which may have room for more than `len` rows of each sequence.
template <class T>
struct Heads {
  std::array<std::size_t, 4> shape;  ///< batch, len, n_heads, head_dim
  std::size_t capacity;
  HeadsFormat format;
  std::vector<T> storage;

  /// `make` gives as many elements as are asked of it.
  template <class Make>
  Heads(Input& input, const std::array<std::size_t, 4>& shape, Make make)
      : shape(shape),
        capacity(shape[1] + (input.flip() ? 0 : input.below(3))),
        format(input.flip() ? HeadsFormat::bshd : HeadsFormat::bhsd),
        storage(make(room(std::array{shape[0], capacity, shape[2], shape[3]}))) {}

  HeadsView<T> view() {
    const auto [batch, len, n_heads, head_dim] = shape;
    const bool rows_first = format == HeadsFormat::bshd;
    return {begin_of(storage),
            batch,
            len,
            n_heads,
            head_dim,
            capacity * n_heads * head_dim,
            rows_first ? n_heads * head_dim : head_dim,
            rows_first ? head_dim : capacity * head_dim};
  }

  /// What it holds, as [batch, len, n_heads, head_dim].
  std::vector<T> packed() const {
    Heads copy = *this;
    std::vector<T> values;
    copy.for_each_head([&](T* head) { values.insert(values.end(), head, head + shape[3]); });
    return values;
  }

  void unpack(const std::vector<T>& values) {
    const T* from = values.data();
    for_each_head([&](T* head) {
      std::copy_n(from, shape[3], head);
      from += shape[3];
    });
  }

  /// Nothing was written into the rows that are not in use.
  bool rest_untouched() const {
    Heads copy = *this;
    copy.for_each_head([&](T* head) { std::fill_n(head, shape[3], canary<T>()); });
    return untouched(copy.storage);
  }

 private:
  template <class Visit>
  void for_each_head(Visit visit) {
    const HeadsView<T> heads = view();
    for (std::size_t b = 0; b < heads.batch; ++b) {
      for (std::size_t s = 0; s < heads.len; ++s) {
        for (std::size_t h = 0; h < heads.n_heads; ++h) visit(heads.row(b, s, h));
      }
    }
  }
};

}  // namespace ropewalk::fuzz

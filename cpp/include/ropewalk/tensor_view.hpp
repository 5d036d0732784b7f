#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "ropewalk/status.hpp"

namespace ropewalk {

/// Elements that one tensor may have: a count then fits a 32-bit size and an int32 alike.
inline constexpr std::uint64_t max_elements = (std::uint64_t{1} << 31) - 1;

/// A row-major tensor that somebody else owns: a pointer and a shape, outermost dimension first.
template <class T, std::size_t Rank>
struct TensorView {
  static_assert(Rank >= 1);

  T* data = nullptr;
  std::array<std::size_t, Rank> shape{};

  constexpr std::size_t size() const noexcept {
    std::size_t product = 1;
    for (const std::size_t extent : shape) product *= extent;
    return product;
  }

  constexpr bool empty() const noexcept { return size() == 0; }

  /// Where the innermost run at these outer indices begins.
  template <class... Index>
  constexpr T* row(Index... index) const noexcept {
    static_assert(sizeof...(Index) == Rank - 1);
    std::size_t offset = 0;
    std::size_t dimension = 0;
    ((offset = offset * shape[dimension++] + static_cast<std::size_t>(index)), ...);
    return data + offset * shape[Rank - 1];
  }

  constexpr operator TensorView<const T, Rank>() const noexcept
    requires(!std::is_const_v<T>)
  {
    return {data, shape};
  }
};

/// See `storage` as a tensor of `shape`, if it has just that many elements.
///
/// Errors  bad_shape: an extent is 0, the product passes max_elements, or it is not storage.size(); `view` is
///         untouched. The status names `argument`.
template <class T, std::size_t Rank>
[[nodiscard]] constexpr Status view_as(std::span<T> storage, const std::array<std::size_t, Rank>& shape,
                                       const char* argument, TensorView<T, Rank>& view) noexcept {
  std::uint64_t product = 1;
  for (const std::size_t extent : shape) {
    if (extent == 0) return bad_shape(argument, 0, "extents of at least 1");
    if (extent > max_elements / product) {
      return bad_shape(argument, static_cast<double>(extent), "fewer than 2^31 elements in all");
    }
    product *= extent;
  }
  if (product != storage.size()) {
    return bad_shape(argument, static_cast<double>(storage.size()), "as many elements as its shape has");
  }
  view = {storage.data(), shape};
  return {};
}

}  // namespace ropewalk

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

namespace detail {

/// Whether `shape` has just `size` elements. Apart from view_as(), so that it is compiled once and not for each type.
[[nodiscard]] constexpr Status check_extents(std::size_t size, std::span<const std::size_t> shape,
                                             const char* argument) noexcept {
  std::uint64_t product = 1;
  for (const std::size_t extent : shape) {
    if (extent == 0) return bad_shape(argument, 0, "extents of at least 1");
    if (extent > max_elements / product) {
      return bad_shape(argument, static_cast<double>(extent), "fewer than 2^31 elements in all");
    }
    product *= extent;
  }
  if (product != size) {
    return bad_shape(argument, static_cast<double>(size), "as many elements as its shape has");
  }
  return {};
}

}  // namespace detail

/// See `storage` as a tensor of `shape`, if it has just that many elements.
///
/// Errors  bad_shape: an extent is 0, the product passes max_elements, or it is not storage.size(); `view` is
///         untouched. The status names `argument`.
template <class T, std::size_t Rank>
[[nodiscard]] constexpr Status view_as(std::span<T> storage, const std::array<std::size_t, Rank>& shape,
                                       const char* argument, TensorView<T, Rank>& view) noexcept {
  const Status status = detail::check_extents(storage.size(), shape, argument);
  if (status.ok()) view = {storage.data(), shape};
  return status;
}

/// In which order the heads of a batch stand: [batch, len, n_heads, head_dim], where a row's heads lie side by side and
/// may as well be read as one row of n_heads * head_dim; or [batch, n_heads, len, head_dim].
enum class HeadsFormat : std::uint8_t { bshd, bhsd };

/// Heads of a batch of sequences in either format, or the first rows of a longer tensor (a cache that is not yet full):
/// the components of a head are neighbours, and all else is a stride away.
template <class T>
struct HeadsView {
  T* data = nullptr;
  std::size_t batch = 0;
  std::size_t len = 0;
  std::size_t n_heads = 0;
  std::size_t head_dim = 0;
  std::size_t batch_stride = 0;  ///< elements from one sequence to the next
  std::size_t row_stride = 0;    ///< elements from one token to the next
  std::size_t head_stride = 0;   ///< elements from one head to the next

  constexpr T* row(std::size_t b, std::size_t s, std::size_t h) const noexcept {
    return data + b * batch_stride + s * row_stride + h * head_stride;
  }

  constexpr std::size_t size() const noexcept { return batch * len * n_heads * head_dim; }

  constexpr operator HeadsView<const T>() const noexcept
    requires(!std::is_const_v<T>)
  {
    return {data, batch, len, n_heads, head_dim, batch_stride, row_stride, head_stride};
  }
};

/// See the first `len` rows of each sequence in `storage` as heads; storage holds `capacity` >= len rows of each.
///
/// Errors  bad_shape: an extent is 0, len > capacity, or storage has not batch * capacity * n_heads * head_dim
///         elements; `view` is untouched. The status names `argument`.
template <class T>
[[nodiscard]] constexpr Status heads_as(std::span<T> storage, HeadsFormat format, std::size_t batch,
                                        std::size_t capacity, std::size_t len, std::size_t n_heads,
                                        std::size_t head_dim, const char* argument,
                                        HeadsView<T>& view) noexcept {
  TensorView<T, 4> whole;
  const Status status = view_as(storage, {batch, capacity, n_heads, head_dim}, argument, whole);
  if (!status.ok()) return status;
  if (len == 0 || len > capacity) {
    return bad_shape(argument, static_cast<double>(len), "from 1 to as many rows as it has room for");
  }
  const bool rows_first = format == HeadsFormat::bshd;
  view = {storage.data(),
          batch,
          len,
          n_heads,
          head_dim,
          capacity * n_heads * head_dim,
          rows_first ? n_heads * head_dim : head_dim,
          rows_first ? head_dim : capacity * head_dim};
  return {};
}

}  // namespace ropewalk

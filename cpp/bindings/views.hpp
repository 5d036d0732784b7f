#pragma once

#include <emscripten/bind.h>
#include <emscripten/val.h>

#include <array>
#include <cmath>

#include "buffer.hpp"
#include "ropewalk/bfloat16.hpp"
#include "ropewalk/kv_cache.hpp"
#include "ropewalk/status.hpp"
#include "ropewalk/tensor_view.hpp"

namespace ropewalk::bindings {

using F32Buffer = Buffer<float>;
using F64Buffer = Buffer<double>;
using I32Buffer = Buffer<std::int32_t>;
using U8Buffer = Buffer<std::uint8_t>;

using Size = std::uint32_t;

EMSCRIPTEN_DECLARE_VAL_TYPE(Failure)

/// Undefined when all is well: the usual case costs no object. The only way by which a Status reaches JavaScript.
Failure failure(const Status& status);

template <class... Extent>
constexpr std::array<std::size_t, sizeof...(Extent)> shape(Extent... extent) {
  return {static_cast<std::size_t>(extent)...};
}

/// The extents of [batch, len, n_heads, head_dim], and how many rows there is room for.
struct Heads {
  HeadsFormat format;
  Size batch;
  Size capacity;
  Size len;
  Size n_heads;
  Size head_dim;
};

/// A scale that was not given is NaN, for JavaScript would make an object of the number: 1 / sqrt(head_dim) then.
inline double scale_or_default(double softmax_scale, std::size_t head_dim) {
  return std::isnan(softmax_scale) ? 1 / std::sqrt(static_cast<double>(head_dim)) : softmax_scale;
}

/// Makes views of buffers and remembers the first that failed, so that a binding reads straight down.
class Views {
 public:
  template <class T, std::size_t Rank>
  TensorView<T, Rank> of(Buffer<T>& buffer, const char* argument,
                         const std::array<std::size_t, Rank>& shape) {
    return checked<T>(buffer.elements(), argument, shape);
  }

  template <class T, std::size_t Rank>
  TensorView<const T, Rank> of(const Buffer<T>& buffer, const char* argument,
                               const std::array<std::size_t, Rank>& shape) {
    return checked<const T>(buffer.elements(), argument, shape);
  }

  /// Empty where there is no buffer: what the kernels take for "not given".
  template <class T, std::size_t Rank>
  TensorView<T, Rank> of(Buffer<T>* buffer, const char* argument,
                         const std::array<std::size_t, Rank>& shape) {
    return buffer == nullptr ? TensorView<T, Rank>{} : of(*buffer, argument, shape);
  }

  /// All of a buffer, as a row.
  template <class T>
  TensorView<T, 1> row(Buffer<T>& buffer, const char* argument) {
    return of(buffer, argument, shape(buffer.length()));
  }

  template <class T>
  TensorView<const T, 1> row(const Buffer<T>& buffer, const char* argument) {
    return of(buffer, argument, shape(buffer.length()));
  }

  template <class T>
  TensorView<T, 1> row(Buffer<T>* buffer, const char* argument) {
    return buffer == nullptr ? TensorView<T, 1>{} : row(*buffer, argument);
  }

  template <class T>
  HeadsView<T> heads(Buffer<T>& buffer, const char* argument, const Heads& heads) {
    return checked_heads<T>(buffer.elements(), argument, heads);
  }

  template <class T>
  HeadsView<const T> heads(const Buffer<T>& buffer, const char* argument, const Heads& heads) {
    return checked_heads<const T>(buffer.elements(), argument, heads);
  }

  /// The keys or values of a cache in such a buffer.
  CachedHeads<float> cached(F32Buffer& buffer, const char* argument, CachedHeads<float> cache) {
    check_cached(buffer.length(), argument, cache.size());
    cache.data = buffer.elements().data();
    return cache;
  }

  /// Of bfloat16: a buffer is aligned for any element.
  CachedHeads<BFloat16> cached(U8Buffer& buffer, const char* argument, CachedHeads<BFloat16> cache) {
    check_cached(buffer.length() / sizeof(BFloat16), argument, cache.size());
    cache.data = reinterpret_cast<BFloat16*>(buffer.elements().data());
    return cache;
  }

  /// Pairs of components in rotary_dim.
  std::size_t pairs_in(std::uint32_t rotary_dim) {
    if (rotary_dim % 2 != 0 && status_.ok()) status_ = bad_shape("rotary_dim", rotary_dim, "an even number");
    return rotary_dim / 2;
  }

  /// What `kernel` answers, if all views were good.
  template <class Kernel>
  Failure call(Kernel&& kernel) const {
    return failure(status_.ok() ? kernel() : status_);
  }

 private:
  void check_cached(std::size_t size, const char* argument, std::size_t wanted) {
    if (size != wanted && status_.ok()) {
      status_ = bad_shape(argument, static_cast<double>(size), "as many elements as its shape has");
    }
  }

  template <class T, std::size_t Rank>
  TensorView<T, Rank> checked(std::span<T> elements, const char* argument,
                              const std::array<std::size_t, Rank>& shape) {
    TensorView<T, Rank> view;
    if (status_.ok()) status_ = view_as(elements, shape, argument, view);
    return view;
  }

  template <class T>
  HeadsView<T> checked_heads(std::span<T> elements, const char* argument, const Heads& heads) {
    HeadsView<T> view;
    if (status_.ok()) {
      status_ = heads_as(elements, heads.format, heads.batch, heads.capacity, heads.len, heads.n_heads,
                         heads.head_dim, argument, view);
    }
    return view;
  }

  Status status_;
};

}  // namespace ropewalk::bindings

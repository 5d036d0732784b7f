#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <span>

namespace ropewalk::bindings {

/// Elements of T in wasm memory, which JavaScript holds by a handle. Zeros to begin with; aligned for any vector.
template <class T>
class Buffer {
 public:
  /// A buffer of `length` elements, or null where the memory cannot be had.
  static std::unique_ptr<Buffer> allocate(std::uint32_t length) noexcept {
    std::unique_ptr<Buffer> buffer(new (std::nothrow) Buffer);
    if (!buffer || !buffer->resize(length)) return nullptr;
    return buffer;
  }

  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { std::free(data_); }

  /// Change the length. Within the capacity what is there stays; past it all is zeros. Where the memory cannot be had
  /// the answer is false and the buffer is empty.
  [[nodiscard]] bool resize(std::uint32_t length) noexcept {
    if (length > capacity_) {
      std::free(data_);
      length_ = capacity_ = 0;
      // aligned_alloc wants whole multiples of the alignment.
      const std::uint64_t bytes = (std::uint64_t{length} * sizeof(T) + alignment - 1) / alignment * alignment;
      data_ = bytes <= SIZE_MAX / 2
                  ? static_cast<T*>(std::aligned_alloc(alignment, static_cast<std::size_t>(bytes)))
                  : nullptr;
      if (data_ == nullptr) return false;
      std::fill_n(data_, length, T{});
      capacity_ = length;
    }
    length_ = length;
    return true;
  }

  std::uint32_t length() const noexcept { return length_; }
  std::uint32_t capacity() const noexcept { return capacity_; }
  std::span<T> elements() noexcept { return {data_, length_}; }
  std::span<const T> elements() const noexcept { return {data_, length_}; }

 private:
  static constexpr std::size_t alignment = 64;

  Buffer() = default;

  T* data_ = nullptr;
  std::uint32_t length_ = 0;
  std::uint32_t capacity_ = 0;
};

}  // namespace ropewalk::bindings

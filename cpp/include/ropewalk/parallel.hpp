#pragma once

#include <cstddef>

/// Work in parts that do not depend on one another. In a module whose memory is shared other threads help with it; elsewhere
/// it is a loop, and costs no more than one. parallel_for() does not stand within another, and one thread alone calls it.
namespace ropewalk {

#ifdef __wasm_atomics__

/// Threads that may be at work, the caller's included.
std::size_t n_threads() noexcept;

/// Before the first of them helps. With 1 all that help go home.
void set_threads(std::size_t count) noexcept;

/// Help the caller of parallel_for(), as thread 1 … n_threads() - 1, until sent home.
void help(std::size_t thread) noexcept;

namespace detail {
using Task = void (*)(const void* context, std::size_t index, std::size_t thread) noexcept;
void share(std::size_t count, Task task, const void* context) noexcept;
}  // namespace detail

#else

constexpr std::size_t n_threads() noexcept { return 1; }

#endif

/// task(index, thread) for every index < count, each on some thread < n_threads().
template <class F>
void parallel_for(std::size_t count, const F& task) noexcept {
#ifdef __wasm_atomics__
  if (count > 1 && n_threads() > 1) {
    detail::share(
        count,
        [](const void* context, std::size_t index, std::size_t thread) noexcept {
          (*static_cast<const F*>(context))(index, thread);
        },
        &task);
    return;
  }
#endif
  for (std::size_t i = 0; i < count; ++i) task(i, std::size_t{0});
}

}  // namespace ropewalk

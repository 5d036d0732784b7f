#include "ropewalk/parallel.hpp"

#ifdef __wasm_atomics__

#include <atomic>
#include <cstdint>

// The caller lays out a job, opens it, takes tasks of it like everybody else, closes it, and waits for those inside: it
// never waits for a thread to come, as one may still be starting. A page's own thread must not sleep, so that it spins;
// but no longer than one task takes.
namespace ropewalk {
namespace {

/// How often a thread without work looks for some before it sleeps: for about a tenth of a millisecond, as to be woken
/// takes nearly as long.
constexpr int looks = 1 << 16;

std::atomic<std::size_t> threads = 1;

/// Changed only while it is closed and nobody is inside.
struct Job {
  detail::Task task = nullptr;
  const void* context = nullptr;
  std::size_t count = 0;
} job;

std::atomic<std::size_t> next_task = 0;
/// Counts up whenever a job is opened or closed: odd while one is open.
std::atomic<std::uint32_t> phase = 0;
/// Helpers that may be at the job.
std::atomic<std::uint32_t> inside = 0;

void take_tasks(std::size_t thread) noexcept {
  for (std::size_t i = next_task++; i < job.count; i = next_task++) job.task(job.context, i, thread);
}

std::int32_t* phase_address() noexcept { return reinterpret_cast<std::int32_t*>(&phase); }

void advance_and_wake(std::uint32_t steps) noexcept {
  phase += steps;
  __builtin_wasm_memory_atomic_notify(phase_address(), ~0u);
}

void wait_for_another_phase(std::uint32_t seen) noexcept {
  for (int i = 0; i < looks; ++i) {
    if (phase != seen) return;
  }
  __builtin_wasm_memory_atomic_wait32(phase_address(), static_cast<std::int32_t>(seen), -1);
}

}  // namespace

std::size_t n_threads() noexcept { return threads; }

void set_threads(std::size_t count) noexcept {
  threads = count;
  advance_and_wake(2);
}

void help(std::size_t thread) noexcept {
  while (threads > 1) {
    const std::uint32_t seen = phase;
    if (seen % 2 == 1) {
      ++inside;
      // Still open: then the caller, once it has closed the job, waits for this thread. Or else it may not know of it.
      if (phase == seen) take_tasks(thread);
      --inside;
    }
    wait_for_another_phase(seen);
  }
}

void detail::share(std::size_t count, Task task, const void* context) noexcept {
  job = {task, context, count};
  next_task = 0;
  advance_and_wake(1);
  take_tasks(0);
  ++phase;
  while (inside != 0) {
  }
}

}  // namespace ropewalk

#endif

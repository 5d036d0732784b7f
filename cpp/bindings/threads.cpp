#ifdef __wasm_atomics__

#include "ropewalk/parallel.hpp"
#include "views.hpp"

namespace ropewalk::bindings {
namespace {

void set_threads(Size count) { ropewalk::set_threads(count); }

/// What a thread runs, in an instance of its own: no more of the boundary is there.
extern "C" EMSCRIPTEN_KEEPALIVE void help(Size thread) { ropewalk::help(thread); }

}  // namespace

EMSCRIPTEN_BINDINGS(threads) { emscripten::function("set_threads(count)", &set_threads); }

}  // namespace ropewalk::bindings

#endif

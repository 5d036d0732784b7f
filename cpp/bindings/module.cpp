/// The boundary: handles to buffers, and, in the files beside this one, each kernel as a function of handles and numbers.
/// Nothing is copied and nothing is allocated on the way through, so that numbers cross one by one: of an object Embind
/// would make a copy in wasm memory. Shapes are checked here against the buffers, and by the kernel against each other.

#include <cstdlib>

#include "views.hpp"

namespace ropewalk::bindings {

using emscripten::val;

EMSCRIPTEN_DECLARE_VAL_TYPE(Float32View)
EMSCRIPTEN_DECLARE_VAL_TYPE(Float64View)
EMSCRIPTEN_DECLARE_VAL_TYPE(Int32View)
EMSCRIPTEN_DECLARE_VAL_TYPE(Uint8View)

Failure failure(const Status& status) {
  if (status.ok()) return Failure(val::undefined());
  val object = val::object();
  constexpr std::array codes{"ok", "bad_shape", "bad_value"};
  object.set("code", val(codes[static_cast<std::size_t>(status.code)]));
  object.set("argument", val(status.argument));
  object.set("given", val(status.given));
  object.set("allowed", val(status.allowed));
  return Failure(object);
}

namespace {

template <class View, class T>
View view_of(const Buffer<T>& buffer) {
  const std::span<const T> elements = buffer.elements();
  return View(val(emscripten::typed_memory_view(elements.size(), elements.data())));
}

/// Whether `bytes` could be had now in one piece. A caller that needs several buffers asks for their sum first, so that
/// a failure leaves the memory as it was.
bool can_allocate(double bytes) {
  if (bytes > static_cast<double>(SIZE_MAX / 2)) return false;
  void* piece = std::malloc(static_cast<std::size_t>(bytes));
  std::free(piece);
  return piece != nullptr;
}

/// Which of the two binaries this is: what the engine tells of itself, whoever chose it.
bool has_relaxed_simd() {
#ifdef __wasm_relaxed_simd__
  return true;
#else
  return false;
#endif
}

template <class View, class T>
void bind_buffer(const char* name) {
  emscripten::class_<Buffer<T>>(name)
      .class_function("allocate(length)", &Buffer<T>::allocate)
      .function("resize(length)", &Buffer<T>::resize)
      .function("view", &view_of<View, T>)
      .property("length", &Buffer<T>::length)
      .property("capacity", &Buffer<T>::capacity);
}

}  // namespace

EMSCRIPTEN_BINDINGS(module) {
  emscripten::register_type<Float32View>("Float32Array");
  emscripten::register_type<Float64View>("Float64Array");
  emscripten::register_type<Int32View>("Int32Array");
  emscripten::register_type<Uint8View>("Uint8Array");
  emscripten::register_type<Failure>(
      "{ code: 'bad_shape' | 'bad_value'; argument: string; given: number; allowed: string } | undefined");

  bind_buffer<Float32View, float>("F32Buffer");
  bind_buffer<Float64View, double>("F64Buffer");
  bind_buffer<Int32View, std::int32_t>("I32Buffer");
  bind_buffer<Uint8View, std::uint8_t>("U8Buffer");

  emscripten::enum_<HeadsFormat>("HeadsFormat")
      .value("bshd", HeadsFormat::bshd)
      .value("bhsd", HeadsFormat::bhsd);

  emscripten::function("can_allocate(bytes)", &can_allocate);
  emscripten::function("has_relaxed_simd", &has_relaxed_simd);
}

}  // namespace ropewalk::bindings

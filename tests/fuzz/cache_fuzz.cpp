#include "fuzz.hpp"
#include "reference/kv_cache.hpp"
#include "ropewalk/kv_cache.hpp"

namespace ropewalk::fuzz {
namespace {

using Shape4 = std::array<std::size_t, 4>;

void fuzz_write(Input& input) {
  const std::size_t batch = input.extent(4);
  const std::size_t outer = input.extent(3);
  const std::size_t rows = input.extent(6);
  const std::size_t inner = input.extent(9);
  const bool circular = input.flip();
  const Shape4 update_shape = input.disturbed(Shape4{batch, outer, rows, inner});
  const Shape4 cache_shape = input.disturbed(Shape4{batch, outer, rows + input.below(6), inner});
  const std::size_t capacity = cache_shape[2];
  if (capacity == 0) return;  // No index is right there, and none does harm.
  const std::array indices_shape = input.disturbed(std::array{input.flip() ? batch : 0});
  const std::size_t n_indices = circular ? 3 * capacity : rows > capacity ? 1 : capacity - rows + 1;
  std::vector<std::int32_t> indices = input.indices(room(indices_shape), n_indices);
  std::vector<float> update = input.numbers<float>(room(update_shape), false);
  std::vector<float> cache = input.numbers<float>(room(cache_shape), false);
  const std::vector<float> before = cache;

  bool valid = cache_shape == Shape4{update_shape[0], update_shape[1], capacity, update_shape[3]} &&
               update_shape[2] <= capacity && (indices_shape[0] == 0 || indices_shape[0] == update_shape[0]);
  if (valid && !is_reasonable(update_shape, indices_shape, cache_shape)) return;
  if (valid && indices_shape[0] != 0) {
    for (const std::int32_t index : indices) {
      const auto end = circular
                           ? std::int64_t{std::numeric_limits<std::int32_t>::max()}
                           : static_cast<std::int64_t>(capacity) - static_cast<std::int64_t>(update_shape[2]);
      valid = valid && index >= 0 && index <= end;
    }
  }
  const Status status = write_cache(view(update, update_shape), view(indices, indices_shape), circular,
                                    view(cache, cache_shape));
  require_verdict(status, valid, {"update", "write_indices", "cache"});
  if (!status.ok()) {
    return require(std::equal(cache.begin(), cache.end(), before.begin(), same_bits<float>),
                   "a refused call writes nothing");
  }
  if (cache.empty()) return;
  if (indices.empty()) indices.resize(update_shape[0]);
  const std::vector<float> want = reference::write_cache(before, update, indices, update_shape[1], capacity,
                                                         update_shape[2], update_shape[3]);
  require(std::equal(cache.begin(), cache.end(), want.begin(), want.end(), same_bits<float>),
          "the rows are where they belong, and the others as they were");
}

void fuzz_elements(Input& input) {
  const auto number = [&] { return static_cast<std::uint32_t>(input.integer()); };
  const CacheShape shape{.kind = input.one_of({CacheKind::heads, CacheKind::latent}),
                         .n_layers = number(),
                         .n_kv_heads = number(),
                         .head_dim = number(),
                         .v_head_dim = number(),
                         .kv_lora_rank = number(),
                         .qk_rope_head_dim = number()};
  const auto exact = [&](std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d) {
    return static_cast<long double>(a * b) * static_cast<long double>(c + d);
  };
  const long double want = shape.kind == CacheKind::heads
                               ? exact(shape.n_layers, shape.n_kv_heads, shape.head_dim, shape.v_head_dim)
                               : exact(shape.n_layers, 1, shape.kv_lora_rank, shape.qk_rope_head_dim);
  const double got = cache_elements_per_token(shape);
  require_near(got, static_cast<double>(want), want < 0x1p53L ? 0 : static_cast<double>(want) * 0x1p-51,
               "elements are counted exactly below 2^53");
}

}  // namespace
}  // namespace ropewalk::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ropewalk::fuzz;
  Input input(data, size);
  input.one_of({fuzz_write, fuzz_write, fuzz_write, fuzz_elements})(input);
  return 0;
}

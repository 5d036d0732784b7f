#include "ropewalk/kv_cache.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "reference/kv_cache.hpp"
#include "support.hpp"

namespace {

using namespace ropewalk;
using namespace ropewalk::test;

/// Calls the kernel on a copy of `cache` between canaries.
std::vector<float> written(const std::vector<float>& cache, const std::vector<float>& update,
                           const std::vector<std::int32_t>& write_indices, bool circular,
                           const std::array<std::size_t, 4>& cache_shape, std::size_t rows) {
  const auto [batch, outer, capacity, inner] = cache_shape;
  Buffer<float> to(cache);
  Buffer<float> from(update);
  Buffer<std::int32_t> indices(write_indices);
  REQUIRE_THAT(write_cache(from.view(batch, outer, rows, inner), indices.view(write_indices.size()), circular,
                           to.view(batch, outer, capacity, inner)),
               is_ok());
  REQUIRE(to.intact());
  return to.copy();
}

// ---- write_cache ------------------------------------------------------------------------------------------

TEST_CASE("write_cache puts every row where it belongs, and touches no other", "[kv_cache]") {
  Random random(1);
  for (const std::size_t capacity : Sizes{1, 2, 5, 8}) {
    for (std::size_t rows = 1; rows <= capacity; ++rows) {
      for (const std::size_t outer : Sizes{1, 3}) {
        for (const std::size_t inner : Sizes{1, 4, 7}) {
          constexpr std::size_t batch = 2;
          const std::vector<float> cache = random.normals(batch * outer * capacity * inner);
          const std::vector<float> update = random.normals(batch * outer * rows * inner);
          const std::vector<std::int32_t> zeros(batch, 0);
          for (std::size_t first = 0; first < capacity; ++first) {
            for (const bool circular : {false, true}) {
              const std::size_t starts = circular ? 3 * capacity : capacity - rows + 1;
              if (first >= starts) continue;
              CAPTURE(capacity, rows, outer, inner, first, circular);
              const std::vector<std::int32_t> indices = {static_cast<std::int32_t>(first),
                                                         static_cast<std::int32_t>(starts - 1 - first)};
              REQUIRE_THAT(
                  written(cache, update, indices, circular, {batch, outer, capacity, inner}, rows),
                  has_bits_of(reference::write_cache(cache, update, indices, outer, capacity, rows, inner)));
            }
          }
          REQUIRE_THAT(
              written(cache, update, {}, false, {batch, outer, capacity, inner}, rows),
              has_bits_of(reference::write_cache(cache, update, zeros, outer, capacity, rows, inner)));
        }
      }
    }
  }
}

TEST_CASE("write_cache by hand", "[kv_cache]") {
  const std::vector<float> cache = {0, 1, 2, 3, 4};
  REQUIRE(written(cache, {7, 8}, {3}, false, {1, 1, 5, 1}, 2) == std::vector<float>{0, 1, 2, 7, 8});
  REQUIRE(written(cache, {7, 8}, {4}, true, {1, 1, 5, 1}, 2) == std::vector<float>{8, 1, 2, 3, 7});
  REQUIRE(written(cache, {7, 8}, {}, true, {1, 1, 5, 1}, 2) == std::vector<float>{7, 8, 2, 3, 4});
}

TEST_CASE("write_cache refuses what does not fit, and writes nothing", "[kv_cache][errors]") {
  constexpr std::int32_t most = std::numeric_limits<std::int32_t>::max();
  constexpr std::int32_t least = std::numeric_limits<std::int32_t>::min();
  Buffer<float> cache(1'000);
  Buffer<float> update(std::vector<float>(1'000, 1));
  const auto attempt = [&](const std::array<std::size_t, 4>& from, std::vector<std::int32_t> indices,
                           bool circular, const std::array<std::size_t, 4>& to = {2, 3, 5, 4}) {
    return write_cache({update.values().data(), from}, {indices.data(), {indices.size()}}, circular,
                       {cache.values().data(), to});
  };
  for (const bool circular : {false, true}) {
    REQUIRE_THAT(attempt({1, 3, 2, 4}, {0}, circular), refuses_shape("cache", 2 * 3 * 5 * 4));
    REQUIRE_THAT(attempt({2, 2, 2, 4}, {0, 0}, circular), refuses_shape("cache", 2 * 3 * 5 * 4));
    REQUIRE_THAT(attempt({2, 3, 2, 5}, {0, 0}, circular), refuses_shape("cache", 2 * 3 * 5 * 4));
    REQUIRE_THAT(attempt({2, 3, 6, 4}, {0, 0}, circular), refuses_shape("update", 6));
    REQUIRE_THAT(attempt({2, 3, 6, 4}, {}, circular), refuses_shape("update", 6));
    REQUIRE_THAT(attempt({2, 3, 2, 4}, {0}, circular), refuses_shape("write_indices", 1));
    REQUIRE_THAT(attempt({2, 3, 2, 4}, {0, 0, 0}, circular), refuses_shape("write_indices", 3));
    REQUIRE_THAT(attempt({2, 3, 2, 4}, {-1, 0}, circular), refuses_value("write_indices", -1));
    REQUIRE_THAT(attempt({2, 3, 2, 4}, {0, least}, circular), refuses_value("write_indices", least));
    if (circular) continue;
    REQUIRE_THAT(attempt({2, 3, 2, 4}, {most, 0}, circular), refuses_value("write_indices", most));
    REQUIRE_THAT(attempt({2, 3, 2, 4}, {0, 5}, circular), refuses_value("write_indices", 5));
  }
  REQUIRE_THAT(attempt({2, 3, 2, 4}, {3, 4}, false), refuses_value("write_indices", 4));
  REQUIRE(cache.untouched());
  REQUIRE_THAT(attempt({2, 3, 2, 4}, {3, 4}, true), is_ok());
  REQUIRE_THAT(attempt({2, 3, 2, 4}, {3, 0}, false), is_ok());
}

// ---- cache_elements_per_token -----------------------------------------------------------------------------

TEST_CASE("a token's share of the cache, for models in life", "[kv_cache]") {
  // Llama 2 7B: 32 layers of 32 heads of 128, keys and values. Llama 3 8B: 8 key and value heads.
  REQUIRE(cache_elements_per_token({.n_layers = 32, .n_kv_heads = 32, .head_dim = 128, .v_head_dim = 128}) ==
          262'144);
  REQUIRE(cache_elements_per_token({.n_layers = 32, .n_kv_heads = 8, .head_dim = 128, .v_head_dim = 128}) ==
          65'536);
  // DeepSeek-V3: 61 layers of a latent of 512 and a rotary key of 64; as heads it would be 128 of 192 and 128.
  REQUIRE(cache_elements_per_token(
              {.kind = CacheKind::latent, .n_layers = 61, .kv_lora_rank = 512, .qk_rope_head_dim = 64}) ==
          35'136);
  REQUIRE(cache_elements_per_token({.n_layers = 61, .n_kv_heads = 128, .head_dim = 192, .v_head_dim = 128}) ==
          2'498'560);
  // Either kind minds nothing of the other.
  REQUIRE(cache_elements_per_token({.kv_lora_rank = 512, .qk_rope_head_dim = 64}) == 2);
}

TEST_CASE("a token's share of the cache does not wrap around at 2^32", "[kv_cache]") {
  constexpr std::uint32_t most = std::numeric_limits<std::uint32_t>::max();
  REQUIRE(cache_elements_per_token(
              {.n_layers = 1'000, .n_kv_heads = 1'000, .head_dim = 4'000, .v_head_dim = 2'000}) == 6e9);
  REQUIRE(cache_elements_per_token({.head_dim = most, .v_head_dim = most}) == 2 * static_cast<double>(most));
  REQUIRE(
      cache_elements_per_token({.kind = CacheKind::latent, .kv_lora_rank = most, .qk_rope_head_dim = most}) ==
      2 * static_cast<double>(most));
}

}  // namespace

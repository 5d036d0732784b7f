#include "ropewalk/kv_cache.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
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

// ---- bfloat16 ---------------------------------------------------------------------------------------------

/// The nearest number of 8 bits of precision, of two as near the even one.
double rounded(float value) {
  int exponent = 0;
  std::frexp(value, &exponent);
  const double quantum = std::ldexp(1.0, std::max(exponent, -125) - 8);
  return std::nearbyint(static_cast<double>(value) / quantum) * quantum;
}

TEST_CASE("bfloat16 is the nearest there is", "[bfloat16]") {
  const auto there_and_back = [](float value) { return static_cast<float>(BFloat16(value)); };
  // Every upper half, with lower halves that are rounded down, up, and to the even one.
  for (std::uint32_t upper = 0; upper < 0x10000; ++upper) {
    for (const std::uint32_t lower : {0x0000u, 0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
      const auto value = std::bit_cast<float>(upper << 16 | lower);
      const float got = there_and_back(value);
      CAPTURE(value, got);
      if (std::isnan(value)) {
        REQUIRE(std::isnan(got));
      } else if (std::isinf(value) || std::abs(value) >= 0x1.ffp127f) {
        REQUIRE(got == std::copysign(infinity, value));
      } else {
        REQUIRE(static_cast<double>(got) == rounded(value));
        REQUIRE(std::signbit(got) == std::signbit(value));
        if (std::abs(value) >= 0x1p-126f) {
          REQUIRE(std::abs(static_cast<double>(got) - value) <=
                  0x1p-8 * std::abs(static_cast<double>(value)));
        }
      }
      if (lower == 0 && !std::isnan(value)) REQUIRE(same_bits(got, value));
    }
  }
}

// ---- append_keys, append_values ---------------------------------------------------------------------------

/// Tokens in two goes into a cache whose room they do not fill; then each number is where the panels have it, and all
/// else is as it was.
template <class Element>
void require_appended(bool are_keys, HeadsFormat format, std::size_t batch, std::size_t n_heads,
                      std::size_t dim, std::size_t len, std::size_t capacity, Random& random) {
  CAPTURE(are_keys, format, batch, n_heads, dim, len, capacity);
  const std::size_t depth = are_keys ? dim : capacity;
  const std::size_t columns = are_keys ? capacity : dim;
  const std::size_t head_size = (columns + 31) / 32 * 32 * depth;
  Buffer<Element> storage(batch * n_heads * head_size);
  const std::vector<Element> before = storage.copy();
  const CachedHeads<Element> cache{storage.values().data(), batch, n_heads, depth, columns};
  REQUIRE(cache.size() == before.size());
  std::vector<Element> want = before;
  for (const auto& [first, end] : {std::pair<std::size_t, std::size_t>{0, len / 2}, {len / 2, len}}) {
    if (first == end) continue;
    const std::size_t count = end - first;
    Buffer<float> added(random.normals(batch * count * n_heads * dim));
    HeadsView<float> heads;
    REQUIRE_THAT(heads_as(added.values(), format, batch, count, count, n_heads, dim, "added", heads),
                 is_ok());
    REQUIRE_THAT(are_keys ? append_keys(heads, first, cache) : append_values(heads, first, cache), is_ok());
    for (std::size_t b = 0; b < batch; ++b) {
      for (std::size_t h = 0; h < n_heads; ++h) {
        for (std::size_t s = 0; s < count; ++s) {
          for (std::size_t c = 0; c < dim; ++c) {
            const std::size_t row = are_keys ? c : first + s;
            const std::size_t column = are_keys ? first + s : c;
            want[(b * n_heads + h) * head_size + column / 32 * 32 * depth + row * 32 + column % 32] =
                Element(heads.row(b, s, h)[c]);
          }
        }
      }
    }
  }
  REQUIRE(storage.intact());
  const std::vector<Element> got = storage.copy();
  REQUIRE(std::equal(got.begin(), got.end(), want.begin(), want.end(), same_bits<Element>));
}

TEST_CASE("what is appended to a cache is where its panels have it, and nothing else is touched",
          "[kv_cache]") {
  Random random(5);
  for (const bool are_keys : {true, false}) {
    for (const HeadsFormat format : {HeadsFormat::bshd, HeadsFormat::bhsd}) {
      for (const std::size_t dim : Sizes{1, 5, 31, 32, 33, 64, 70}) {
        for (const std::size_t len : Sizes{1, 2, 9, 33, 40}) {
          require_appended<float>(are_keys, format, 2, 3, dim, len, len + 2, random);
          require_appended<BFloat16>(are_keys, format, 1, 2, dim, len, len, random);
        }
      }
    }
  }
}

TEST_CASE("a cache refuses what it has no room for, or what is not its shape", "[kv_cache][errors]") {
  Buffer<float> storage(2 * 3 * 32 * 4);
  Buffer<float> added(2 * 5 * 3 * 4);
  const CachedHeads<float> keys{storage.values().data(), 2, 3, 4, 7};
  const HeadsView<const float> heads{added.values().data(), 2, 5, 3, 4, 60, 12, 4};
  const auto refused = [&](HeadsView<const float> view, std::size_t first, std::size_t given) {
    REQUIRE_THAT(append_keys(view, first, keys), refuses_shape("key", given));
    REQUIRE(storage.untouched());
  };
  refused(heads, 3, 5);
  refused(heads, 8, 5);
  refused(heads, std::numeric_limits<std::size_t>::max(), 5);
  for (const auto member : {&HeadsView<const float>::batch, &HeadsView<const float>::n_heads,
                            &HeadsView<const float>::head_dim}) {
    HeadsView<const float> other = heads;
    --(other.*member);
    refused(other, 0, other.size());
  }
  const CachedHeads<float> values{storage.values().data(), 2, 3, 7, 4};
  REQUIRE_THAT(append_values(heads, 3, values), refuses_shape("value", 5));
  REQUIRE(storage.untouched());
  REQUIRE_THAT(append_keys(heads, 2, keys), is_ok());
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
          const std::vector<float> want =
              reference::write_cache(cache, update, zeros, outer, capacity, rows, inner);
          REQUIRE_THAT(written(cache, update, {}, false, {batch, outer, capacity, inner}, rows),
                       has_bits_of(want));
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

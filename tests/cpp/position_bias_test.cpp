#include "ropewalk/position_bias.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "reference/position_bias.hpp"
#include "support.hpp"

namespace {

using namespace ropewalk;
using namespace ropewalk::test;

constexpr std::int32_t first_int32 = std::numeric_limits<std::int32_t>::min();
constexpr std::int32_t last_int32 = std::numeric_limits<std::int32_t>::max();

struct Lengths {
  std::size_t q_len;
  std::size_t kv_len;
};

constexpr std::array<Lengths, 8> lengths = {
    {{1, 1}, {1, 9}, {9, 1}, {2, 2}, {5, 5}, {3, 40}, {40, 3}, {33, 34}}};

// ---- ALiBi -----------------------------------------------------------------------------------------------

std::vector<float> slopes_of(std::size_t n_heads) {
  Buffer<float> out(n_heads);
  alibi_slopes(out.view(n_heads));
  REQUIRE(out.intact());
  return out.copy();
}

TEST_CASE("ALiBi's slopes are those of the paper and of its published code", "[position_bias][alibi]") {
  REQUIRE(slopes_of(8) ==
          std::vector<float>{0x1p-1F, 0x1p-2F, 0x1p-3F, 0x1p-4F, 0x1p-5F, 0x1p-6F, 0x1p-7F, 0x1p-8F});
  REQUIRE(slopes_of(1) == std::vector<float>{0x1p-8F});
  REQUIRE(slopes_of(2) == std::vector<float>{0x1p-4F, 0x1p-8F});
  // Those of four heads, and the first and third of eight.
  REQUIRE(slopes_of(6) == std::vector<float>{0x1p-2F, 0x1p-4F, 0x1p-6F, 0x1p-8F, 0x1p-1F, 0x1p-3F});
  const std::vector<float> sixteen = slopes_of(16);
  for (std::size_t h = 0; h < 16; ++h) {
    REQUIRE(sixteen[h] == static_cast<float>(std::exp2(-0.5 * static_cast<double>(h + 1))));
  }
}

TEST_CASE("ALiBi's slopes are rounded once, for any number of heads", "[position_bias][alibi]") {
  for (std::size_t n_heads = 1; n_heads <= 140; ++n_heads) {
    CAPTURE(n_heads);
    const std::vector<double> exact = reference::alibi_slopes(n_heads);
    // The reference's repeated rounding is within 2^-44 of it.
    REQUIRE_THAT(slopes_of(n_heads),
                 is_within(exact, [&](std::size_t h) { return exact[h] * (0x1p-24 + 0x1p-44); }));
  }
}

std::vector<float> alibi(const std::vector<float>& slopes, std::size_t q_len, std::size_t kv_len,
                         std::int32_t query_offset) {
  Buffer<float> slope_buffer(slopes);
  Buffer<float> out(slopes.size() * q_len * kv_len);
  REQUIRE_THAT(
      alibi_bias(slope_buffer.view(slopes.size()), query_offset, out.view(slopes.size(), q_len, kv_len)),
      is_ok());
  REQUIRE(out.intact());
  return out.copy();
}

TEST_CASE("ALiBi grows by its slope with each token between", "[position_bias][alibi]") {
  REQUIRE_THAT(alibi({0.5F, 2}, 2, 3, 1),
               has_bits_of(std::vector<float>{-0.5F, 0, -0.5F, -1, -0.5F, 0, -2, 0, -2, -4, -2, 0}));
}

TEST_CASE("ALiBi is rounded once, at any offset", "[position_bias][alibi]") {
  Random random(1);
  for (const auto& [q_len, kv_len] : lengths) {
    for (const std::int32_t query_offset :
         {0, 1, -1, 7, 31, -40, 99'991, -(1 << 29) + 3, last_int32, first_int32}) {
      for (const std::size_t n_heads : Sizes{1, 3, 8}) {
        CAPTURE(q_len, kv_len, query_offset, n_heads);
        const std::vector<float> slopes = random.normals(n_heads);
        const std::vector<double> exact =
            reference::alibi_bias(to_double(slopes), q_len, kv_len, query_offset);
        REQUIRE_THAT(alibi(slopes, q_len, kv_len, query_offset), is_within(exact, [&](std::size_t i) {
                       return std::abs(exact[i]) * (0x1p-24 + 0x1p-50);
                     }));
      }
    }
  }
}

TEST_CASE("ALiBi refuses slopes for other heads, writes nothing, and works again",
          "[position_bias][alibi][errors]") {
  Buffer<float> slopes(std::vector<float>(4, 1));
  Buffer<float> out(3 * 2 * 5);
  const auto attempt = [&](std::size_t n_heads) {
    return alibi_bias({slopes.values().data(), {n_heads}}, 0, out.view(3, 2, 5));
  };
  REQUIRE_THAT(attempt(2), refuses_shape("slopes", 2));
  REQUIRE_THAT(attempt(4), refuses_shape("slopes", 4));
  REQUIRE(out.untouched());
  REQUIRE_THAT(attempt(3), is_ok());
}

// ---- T5 --------------------------------------------------------------------------------------------------

std::vector<std::int32_t> buckets_of(std::size_t q_len, std::size_t kv_len, std::int32_t query_offset,
                                     const T5Buckets& options) {
  Buffer<std::int32_t> out(q_len * kv_len);
  REQUIRE_THAT(t5_buckets(options, query_offset, out.view(q_len, kv_len)), is_ok());
  REQUIRE(out.intact());
  return out.copy();
}

/// begins  the first distance of each bucket of keys behind the query, and one past the farthest that is
///         looked at.
void require_buckets_begin_at(const std::vector<std::int32_t>& begins, const T5Buckets& options) {
  CAPTURE(options.num_buckets, options.max_distance, options.bidirectional);
  std::vector<std::int32_t> want;
  for (std::size_t b = 0; b + 1 < begins.size(); ++b) {
    want.insert(want.end(), static_cast<std::size_t>(begins[b + 1] - begins[b]),
                static_cast<std::int32_t>(b));
  }
  // Keys at 0, 1, …, and the query at 0, so many tokens before them or behind them.
  const std::size_t count = want.size();
  std::vector<std::int32_t> behind = buckets_of(1, count, static_cast<std::int32_t>(count) - 1, options);
  std::reverse(behind.begin(), behind.end());
  REQUIRE(behind == want);
  for (std::int32_t& bucket : want) bucket = options.bidirectional ? bucket + options.num_buckets / 2 : 0;
  want[0] = 0;
  REQUIRE(buckets_of(1, count, 0, options) == want);
}

TEST_CASE("T5's buckets begin where the published code has them", "[position_bias][t5]") {
  require_buckets_begin_at({0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91, 130}, {});
  require_buckets_begin_at({0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14,  15, 16,
                            19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113, 130},
                           {.bidirectional = false});
}

TEST_CASE("T5's buckets that begin at whole powers begin there exactly", "[position_bias][t5]") {
  // 8 * 2^k, 1 * 3^k, 2 * 10^k: a logarithm rounded down would put the first distance into the bucket before.
  require_buckets_begin_at({0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64, 128, 256, 512, 1024, 2050},
                           {.max_distance = 2'048});
  require_buckets_begin_at({0, 1, 3, 11}, {.num_buckets = 3, .max_distance = 9, .bidirectional = false});
  require_buckets_begin_at({0, 1, 2, 20, 202},
                           {.num_buckets = 4, .max_distance = 200, .bidirectional = false});
  require_buckets_begin_at({0, 1, 2, 20, 202}, {.num_buckets = 8, .max_distance = 200});
  // 2 * 32767^2 is below 2^31; its root is whole, and that of the next number is not.
  const T5Buckets square = {.num_buckets = 4, .max_distance = 2 * 32'767 * 32'767, .bidirectional = false};
  REQUIRE(buckets_of(1, 3, 65'535, square) == std::vector<std::int32_t>{3, 3, 2});
  const T5Buckets more = {.num_buckets = 4, .max_distance = square.max_distance + 1, .bidirectional = false};
  REQUIRE(buckets_of(1, 3, 65'535, more) == std::vector<std::int32_t>{3, 2, 2});
  const T5Buckets less = {.num_buckets = 4, .max_distance = square.max_distance - 1, .bidirectional = false};
  REQUIRE(buckets_of(1, 3, 65'535, less) == std::vector<std::int32_t>{3, 3, 2});
}

/// Smallest and odd ones, those of published models, and ones whose bounds are far apart.
constexpr std::array<T5Buckets, 16> all_options = {{{},
                                                    {.bidirectional = false},
                                                    {4, 2, true},
                                                    {2, 2, false},
                                                    {2, last_int32, false},
                                                    {3, 2, false},
                                                    {5, 17, false},
                                                    {6, 2, true},
                                                    {6, 1'000, true},
                                                    {32, 9, true},
                                                    {33, 100, false},
                                                    {64, 256, true},
                                                    {320, 800, true},
                                                    {32, last_int32, true},
                                                    {101, 1'000'003, false},
                                                    {158, 999'999'937, true}}};

/// Those with few buckets, for which the reference is fast.
constexpr std::span<const T5Buckets> small_options = std::span(all_options).first(11);

TEST_CASE("T5's buckets are the reference's, at any offset", "[position_bias][t5]") {
  for (const T5Buckets& options : small_options) {
    for (const auto& [q_len, kv_len] : lengths) {
      for (const std::int32_t query_offset : {0, 1, -1, 5, -20, 200, last_int32, first_int32}) {
        CAPTURE(options.num_buckets, options.max_distance, options.bidirectional, q_len, kv_len,
                query_offset);
        REQUIRE(buckets_of(q_len, kv_len, query_offset, options) ==
                reference::t5_buckets(q_len, kv_len, query_offset, options));
      }
    }
  }
}

TEST_CASE("T5's buckets change where the reference's do", "[position_bias][t5]") {
  for (const T5Buckets& options : all_options) {
    const std::int32_t side = options.bidirectional ? options.num_buckets / 2 : options.num_buckets;
    // All bounds of few buckets; a handful of those of many.
    const std::int32_t stride = 1 + side / 20;
    for (std::int32_t bucket = 1; bucket < side; bucket += stride) {
      std::int64_t begin = 0;
      for (std::int64_t end = options.max_distance; begin < end;) {
        const std::int64_t middle = (begin + end) / 2;
        if (reference::t5_bucket(-middle, options) >= bucket) {
          end = middle;
        } else {
          begin = middle + 1;
        }
      }
      // From three tokens before the bound to two after it; with max_distance as the end of int32 perhaps
      // fewer.
      const std::int64_t farthest = std::min<std::int64_t>(begin + 2, last_int32);
      CAPTURE(options.num_buckets, options.max_distance, options.bidirectional, bucket, begin);
      REQUIRE(buckets_of(1, 6, static_cast<std::int32_t>(farthest), options) ==
              reference::t5_buckets(1, 6, static_cast<std::int32_t>(farthest), options));
      if (farthest > 5) {
        // As far ahead: key 5 is the farthest.
        const auto offset = static_cast<std::int32_t>(5 - farthest);
        REQUIRE(buckets_of(1, 6, offset, options) == reference::t5_buckets(1, 6, offset, options));
      }
    }
  }
}

TEST_CASE("T5's buckets reach from 0 to the last and never fall with distance", "[position_bias][t5]") {
  // The most buckets that there may be, and the farthest: the largest numbers that come up.
  for (const T5Buckets& options : {T5Buckets{512, last_int32, false}, T5Buckets{511, 300, false},
                                   T5Buckets{512, last_int32, true}, T5Buckets{512, 129, true}}) {
    const std::int32_t side = options.bidirectional ? options.num_buckets / 2 : options.num_buckets;
    CAPTURE(options.num_buckets, options.max_distance, options.bidirectional);
    std::vector<std::int32_t> buckets = buckets_of(1, 1'000, 999, options);
    std::reverse(buckets.begin(), buckets.end());
    REQUIRE(std::is_sorted(buckets.begin(), buckets.end()));
    for (std::int32_t distance = 0; distance <= side / 2; ++distance) {
      REQUIRE(buckets[static_cast<std::size_t>(distance)] == distance);
    }
    REQUIRE(buckets_of(1, 2, options.max_distance, options)[0] == side - 1);
    REQUIRE(buckets_of(2, 1, last_int32, options) == std::vector<std::int32_t>(2, side - 1));
    REQUIRE(buckets_of(1, 2, first_int32, options) ==
            std::vector<std::int32_t>(2, options.bidirectional ? 2 * side - 1 : 0));
  }
}

std::vector<float> t5(const std::vector<float>& table, std::size_t n_heads, std::size_t q_len,
                      std::size_t kv_len, std::int32_t query_offset, const T5Buckets& options) {
  Buffer<float> table_buffer(table);
  Buffer<float> out(n_heads * q_len * kv_len);
  REQUIRE_THAT(t5_bias(table_buffer.view(table.size() / n_heads, n_heads), options, query_offset,
                       out.view(n_heads, q_len, kv_len)),
               is_ok());
  REQUIRE(out.intact());
  return out.copy();
}

TEST_CASE("T5's bias is the bucket's number of each head", "[position_bias][t5]") {
  Random random(2);
  for (const T5Buckets& options : small_options) {
    for (const auto& [q_len, kv_len] : lengths) {
      for (const std::size_t n_heads : Sizes{1, 2, 5}) {
        for (const std::int32_t query_offset : {0, -3, 150, first_int32}) {
          CAPTURE(options.num_buckets, options.max_distance, options.bidirectional, q_len, kv_len, n_heads,
                  query_offset);
          const std::vector<float> table =
              random.normals(static_cast<std::size_t>(options.num_buckets) * n_heads);
          REQUIRE_THAT(
              t5(table, n_heads, q_len, kv_len, query_offset, options),
              is_within(reference::t5_bias(to_double(table), n_heads, q_len, kv_len, query_offset, options),
                        0));
        }
      }
    }
  }
}

TEST_CASE("T5 refuses what disagrees, writes nothing, and works again", "[position_bias][t5][errors]") {
  Buffer<std::int32_t> buckets(6);
  Buffer<float> table(std::vector<float>(40 * 4, 1));
  Buffer<float> out(3 * 2 * 3);
  const auto biased = [&](std::size_t rows, std::size_t columns, const T5Buckets& options) {
    return t5_bias({table.values().data(), {rows, columns}}, options, 0, out.view(3, 2, 3));
  };
  const auto both_refuse = [&](const T5Buckets& options, const Refuses& refusal) {
    CAPTURE(options.num_buckets, options.max_distance, options.bidirectional);
    REQUIRE_THAT(t5_buckets(options, 0, buckets.view(2, 3)), refusal);
    REQUIRE_THAT(biased(32, 3, options), refusal);
  };
  for (const std::int32_t n : {0, 1, 2, 3, 5, 33, -1, -4, 513, 514, last_int32, first_int32}) {
    both_refuse({.num_buckets = n, .max_distance = last_int32}, refuses_value("num_buckets", n));
  }
  for (const std::int32_t n : {0, 1, -1, -2, 513, 514, last_int32, first_int32}) {
    both_refuse({n, last_int32, false}, refuses_value("num_buckets", n));
  }
  for (const std::int32_t distance : {8, 7, 0, -1, first_int32}) {
    both_refuse({.max_distance = distance}, refuses_value("max_distance", distance));
  }
  both_refuse({32, 16, false}, refuses_value("max_distance", 16));
  both_refuse({33, 16, false}, refuses_value("max_distance", 16));
  both_refuse({6, 1, true}, refuses_value("max_distance", 1));
  REQUIRE_THAT(biased(31, 3, {}), refuses_shape("table", 31));
  REQUIRE_THAT(biased(33, 3, {}), refuses_shape("table", 33));
  REQUIRE_THAT(biased(32, 2, {}), refuses_shape("table", 2));
  REQUIRE_THAT(biased(32, 4, {}), refuses_shape("table", 4));
  REQUIRE(buckets.untouched());
  REQUIRE(out.untouched());
  REQUIRE_THAT(t5_buckets({.max_distance = 9}, 0, buckets.view(2, 3)), is_ok());
  REQUIRE_THAT(biased(33, 3, {33, 17, false}), is_ok());
}

}  // namespace

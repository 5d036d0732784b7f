#include "ropewalk/rope.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "reference/encodings.hpp"
#include "reference/rope.hpp"
#include "support.hpp"

namespace {

using namespace ropewalk;
using namespace ropewalk::test;

constexpr std::array layouts = {RopeLayout::interleaved, RopeLayout::half};

struct Shape {
  std::size_t seq_len = 1;
  std::size_t n_heads = 1;
  std::size_t head_dim = 2;
  std::size_t rotary_dim = 2;

  std::size_t size() const { return seq_len * n_heads * head_dim; }
};

std::vector<double> inv_freq_of(double rope_theta, std::size_t rotary_dim) {
  Buffer<double> inv_freq(rotary_dim / 2);
  REQUIRE_THAT(rope_inv_freq(rope_theta, inv_freq.view(rotary_dim / 2)), is_ok());
  REQUIRE(inv_freq.intact());
  return inv_freq.copy();
}

struct Cache {
  std::vector<float> cos;
  std::vector<float> sin;
};

Cache cache_of(const std::vector<std::int32_t>& position_ids, const std::vector<double>& inv_freq) {
  const std::size_t seq_len = position_ids.size();
  const std::size_t n_pairs = inv_freq.size();
  Buffer<std::int32_t> positions(position_ids);
  Buffer<double> frequencies(inv_freq);
  Buffer<float> cos(seq_len * n_pairs);
  Buffer<float> sin(seq_len * n_pairs);
  REQUIRE_THAT(build_rope_cache(positions.view(seq_len), frequencies.view(n_pairs),
                                cos.view(seq_len, n_pairs), sin.view(seq_len, n_pairs)),
               is_ok());
  REQUIRE(cos.intact());
  REQUIRE(sin.intact());
  return {cos.copy(), sin.copy()};
}

std::vector<float> rotate(const std::vector<float>& x, const Shape& shape, const Cache& cache,
                          RopeLayout layout) {
  const std::size_t n_pairs = shape.rotary_dim / 2;
  Buffer<float> rotated(x);
  Buffer<float> cos(cache.cos);
  Buffer<float> sin(cache.sin);
  REQUIRE_THAT(apply_rope(rotated.view(shape.seq_len, shape.n_heads, shape.head_dim),
                          cos.view(shape.seq_len, n_pairs), sin.view(shape.seq_len, n_pairs), layout),
               is_ok());
  REQUIRE(rotated.intact());
  return rotated.copy();
}

/// The length of the pair that component i of x belongs to; 0 for one that is not rotated.
double pair_length(const std::vector<double>& x, const Shape& shape, RopeLayout layout, std::size_t i) {
  const std::size_t component = i % shape.head_dim;
  if (component >= shape.rotary_dim) return 0;
  const std::size_t pair =
      layout == RopeLayout::interleaved ? component / 2 : component % (shape.rotary_dim / 2);
  const auto [first, second] = reference::pair_components(pair, shape.rotary_dim, layout);
  return std::hypot(x[i - component + first], x[i - component + second]);
}

/// `factor` times the length of the component's pair.
std::function<double(std::size_t)> pair_bound(const std::vector<float>& x, const Shape& shape,
                                              RopeLayout layout, double factor) {
  return [=, values = to_double(x)](std::size_t i) { return factor * pair_length(values, shape, layout, i); };
}

/// Around the SIMD widths in the number of pairs, whole and partial, one head and several.
std::vector<Shape> shapes() {
  std::vector<Shape> shapes;
  for (const std::size_t n_pairs : sizes) {
    const std::size_t rotary_dim = 2 * n_pairs;
    shapes.push_back({1, 1, rotary_dim, rotary_dim});
    shapes.push_back({3, 2, rotary_dim, rotary_dim});
    shapes.push_back({2, 3, rotary_dim + 1, rotary_dim});
    shapes.push_back({5, 1, rotary_dim + 6, rotary_dim});
  }
  shapes.push_back({300, 3, 10, 6});
  shapes.push_back({9, 33, 8, 8});
  return shapes;
}

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t c = 0; c < a.size(); ++c) sum += static_cast<double>(a[c]) * b[c];
  return sum;
}

double length(std::span<const float> a) { return std::sqrt(dot(a, a)); }

// ---- Frequencies ------------------------------------------------------------------------------------------

TEST_CASE("inv_freq is within 2 ulp of rope_theta^(-2i/rotary_dim)", "[rope]") {
  const double rope_theta = GENERATE(10'000.0, 500'000.0, 1e6, 2.0, 1.0, 0.5);
  for (const std::size_t rotary_dim :
       Sizes{2, 4, 6, 8, 10, 14, 16, 18, 20, 24, 34, 64, 66, 80, 96, 112, 128, 192, 256, 300, 600}) {
    const std::vector<double> inv_freq = inv_freq_of(rope_theta, rotary_dim);
    for (std::size_t pair = 0; pair < rotary_dim / 2; ++pair) {
      CAPTURE(rope_theta, rotary_dim, pair);
      const long double exact = reference::frequency(rope_theta, pair, rotary_dim);
      // The spacing of doubles just below exact, which is the finer one where exact is a power of two.
      const auto near = static_cast<double>(exact);
      const double ulp = near - std::nextafter(near, 0.0);
      const auto error = static_cast<double>(std::abs(inv_freq[pair] - exact));
      REQUIRE(error <= 2 * ulp);
    }
  }
}

TEST_CASE("the first pair turns one radian a position", "[rope]") {
  for (const std::size_t n_pairs : sizes) REQUIRE(inv_freq_of(10'000, 2 * n_pairs)[0] == 1);
}

// ---- Cache ------------------------------------------------------------------------------------------------

/// What the docstring allows an entry of the cache.
std::function<double(std::size_t)> cache_bound(std::vector<std::int32_t> positions,
                                               std::vector<double> inv_freq) {
  return [=](std::size_t i) {
    const double angle = positions[i / inv_freq.size()] * inv_freq[i % inv_freq.size()];
    return 0x1p-25 + 0x1p-53 * (1 + std::abs(angle));
  };
}

void require_cache_keeps_its_bound(const std::vector<std::int32_t>& positions,
                                   const std::vector<double>& inv_freq) {
  const Cache cache = cache_of(positions, inv_freq);
  const reference::RopeCache exact = reference::build_rope_cache(positions, inv_freq);
  REQUIRE_THAT(cache.cos, is_within(exact.cos, cache_bound(positions, inv_freq)));
  REQUIRE_THAT(cache.sin, is_within(exact.sin, cache_bound(positions, inv_freq)));
}

TEST_CASE("the cache keeps its bound at far and negative positions", "[rope]") {
  const double rope_theta = GENERATE(10'000.0, 500'000.0, 1.0);
  for (const std::size_t n_pairs : sizes) {
    CAPTURE(rope_theta, n_pairs);
    require_cache_keeps_its_bound({far_positions.begin(), far_positions.end()},
                                  reference::rope_inv_freq(rope_theta, 2 * n_pairs));
  }
}

TEST_CASE("the cache keeps its bound for any number of positions, in any order", "[rope]") {
  for (const std::size_t seq_len : sizes) {
    CAPTURE(seq_len);
    require_cache_keeps_its_bound(Random(2).positions(seq_len), reference::rope_inv_freq(10'000, 10));
  }
}

TEST_CASE("the cache takes any inv_freq", "[rope]") {
  require_cache_keeps_its_bound({far_positions.begin(), far_positions.end()},
                                {0, -1, 0x1p-60, 3.141592653589793, -0.3, 7, 1e-9});
}

TEST_CASE("a row of the cache depends on its own position alone", "[rope]") {
  const std::vector<double> inv_freq = reference::rope_inv_freq(10'000, 18);
  const std::vector<std::int32_t> positions = Random(3).positions(9);
  const Cache cache = cache_of(positions, inv_freq);
  for (std::size_t s = 0; s < positions.size(); ++s) {
    const Cache row = cache_of({positions[s]}, inv_freq);
    REQUIRE_THAT(row.cos, has_bits_of(std::vector(&cache.cos[9 * s], &cache.cos[9 * s] + 9)));
    REQUIRE_THAT(row.sin, has_bits_of(std::vector(&cache.sin[9 * s], &cache.sin[9 * s] + 9)));
  }
}

// ---- Rotation ---------------------------------------------------------------------------------------------

TEST_CASE("rotation keeps its bound, and leaves what is not rotary to the bit", "[rope]") {
  for (const Shape& shape : shapes()) {
    for (const RopeLayout layout : layouts) {
      CAPTURE(shape.seq_len, shape.n_heads, shape.head_dim, shape.rotary_dim, static_cast<int>(layout));
      Random random(4);
      const std::vector<float> x = random.normals(shape.size());
      const std::vector<std::int32_t> positions = random.positions(shape.seq_len);
      const std::vector<double> inv_freq = reference::rope_inv_freq(10'000, shape.rotary_dim);
      const Cache cache = cache_of(positions, inv_freq);
      const std::vector<float> rotated = rotate(x, shape, cache, layout);

      std::vector<double> by_given = to_double(x);
      reference::apply_rope(by_given, shape.seq_len, shape.n_heads, shape.head_dim, to_double(cache.cos),
                            to_double(cache.sin), shape.rotary_dim, layout);
      REQUIRE_THAT(rotated, is_within(by_given, pair_bound(x, shape, layout, 0x1p-23)));
    }
  }
}

TEST_CASE("rotation through the cache keeps its bound against the true angles", "[rope]") {
  // Near enough for the cache itself to be rounded once: the bound of the angle adds nothing.
  for (const RopeLayout layout : layouts) {
    const Shape shape{300, 2, 40, 36};
    Random random(5);
    const std::vector<float> x = random.normals(shape.size());
    const std::vector<std::int32_t> positions = consecutive(300, 99'700);
    const std::vector<double> inv_freq = reference::rope_inv_freq(10'000, shape.rotary_dim);
    const reference::RopeCache exact = reference::build_rope_cache(positions, inv_freq);
    std::vector<double> want = to_double(x);
    reference::apply_rope(want, shape.seq_len, shape.n_heads, shape.head_dim, exact.cos, exact.sin,
                          shape.rotary_dim, layout);
    REQUIRE_THAT(rotate(x, shape, cache_of(positions, inv_freq), layout),
                 is_within(want, pair_bound(x, shape, layout, 0x1p-22)));
  }
}

TEST_CASE("a quarter turn takes (1, 0) to (0, 1), not to (0, -1)", "[rope]") {
  const Shape shape{1, 1, 4, 4};
  const Cache quarter{{0, 0}, {1, 1}};
  REQUIRE(rotate({1, 0, 3, 4}, shape, quarter, RopeLayout::interleaved) == std::vector<float>{0, 1, -4, 3});
  REQUIRE(rotate({1, 3, 0, 4}, shape, quarter, RopeLayout::half) == std::vector<float>{0, -4, 1, 3});
}

TEST_CASE("components past rotary_dim keep their bits, whatever they are", "[rope]") {
  for (const RopeLayout layout : layouts) {
    for (const std::size_t n_pairs : sizes) {
      const Shape shape{3, 2, 2 * n_pairs + 7, 2 * n_pairs};
      Random random(6);
      std::vector<float> x = random.normals(shape.size());
      const std::array<float, 7> rest = {not_a_number,
                                         -not_a_number,
                                         infinity,
                                         -infinity,
                                         -0.0F,
                                         std::numeric_limits<float>::denorm_min(),
                                         1};
      for (std::size_t i = 0; i < x.size(); i += shape.head_dim) {
        std::copy(rest.begin(), rest.end(), &x[i + shape.rotary_dim]);
      }
      const std::vector<float> rotated =
          rotate(x, shape, cache_of({5, -5, 70'000}, reference::rope_inv_freq(10'000, 2 * n_pairs)), layout);
      for (std::size_t i = 0; i < x.size(); i += shape.head_dim) {
        const float* const behind = &rotated[i + shape.rotary_dim];
        REQUIRE_THAT((std::vector(behind, behind + rest.size())),
                     has_bits_of(std::vector(rest.begin(), rest.end())));
        for (std::size_t c = 0; c < shape.rotary_dim; ++c) REQUIRE(std::isfinite(rotated[i + c]));
      }
    }
  }
}

TEST_CASE("position 0 leaves everything where it is", "[rope]") {
  for (const RopeLayout layout : layouts) {
    const Shape shape{4, 3, 66, 66};
    const std::vector<float> x = Random(7).normals(shape.size());
    REQUIRE(rotate(x, shape, cache_of({0, 0, 0, 0}, reference::rope_inv_freq(10'000, 66)), layout) == x);
  }
}

TEST_CASE("rotation keeps the length of each pair, and of the whole", "[rope]") {
  for (const RopeLayout layout : layouts) {
    for (const std::size_t n_pairs : sizes) {
      const Shape shape{far_positions.size(), 2, 2 * n_pairs, 2 * n_pairs};
      const std::vector<float> x = Random(8).normals(shape.size());
      const std::vector<float> rotated = rotate(x, shape,
                                                cache_of({far_positions.begin(), far_positions.end()},
                                                         reference::rope_inv_freq(10'000, 2 * n_pairs)),
                                                layout);
      // Both components may be off by 2^-22 of the length; so then is the length by sqrt 2 times that.
      constexpr double tolerance = 0x1.6bp-22;
      const std::vector<double> before = to_double(x);
      const std::vector<double> after = to_double(rotated);
      std::vector<double> pairs_before;
      std::vector<double> pairs_after;
      for (std::size_t i = 0; i < x.size(); ++i) {
        pairs_before.push_back(pair_length(before, shape, layout, i));
        pairs_after.push_back(pair_length(after, shape, layout, i));
      }
      std::vector<double> heads_before;
      std::vector<double> heads_after;
      for (std::size_t i = 0; i < x.size(); i += shape.head_dim) {
        heads_before.push_back(length({&x[i], shape.head_dim}));
        heads_after.push_back(length({&rotated[i], shape.head_dim}));
      }
      CAPTURE(n_pairs, static_cast<int>(layout));
      REQUIRE_THAT(pairs_after,
                   is_within(pairs_before, [&](std::size_t i) { return tolerance * pairs_before[i]; }));
      REQUIRE_THAT(heads_after,
                   is_within(heads_before, [&](std::size_t i) { return tolerance * heads_before[i]; }));
    }
  }
}

TEST_CASE("rotation by p and then by -p gives x back", "[rope]") {
  for (const RopeLayout layout : layouts) {
    const Shape shape{8, 2, 70, 66};
    const std::vector<std::int32_t> there = {
        1, -3, 4'095, 100'000, 131'071, 1 << 24, std::numeric_limits<std::int32_t>::max(), -77};
    std::vector<std::int32_t> back = there;
    for (std::int32_t& position : back) position = -position;
    const std::vector<double> inv_freq = reference::rope_inv_freq(10'000, shape.rotary_dim);
    const std::vector<float> x = Random(9).normals(shape.size());
    const std::vector<float> rotated = rotate(x, shape, cache_of(there, inv_freq), layout);
    // The first rotation puts the pair off by sqrt 2 times 2^-22, the second keeps that and adds 2^-22 a
    // component.
    REQUIRE_THAT(rotate(rotated, shape, cache_of(back, inv_freq), layout),
                 is_within(to_double(x), pair_bound(x, shape, layout, 0x1.36p-21)));
  }
}

TEST_CASE("interleaved and half agree through the permutation of the components", "[rope]") {
  for (const Shape& shape : shapes()) {
    Random random(10);
    const std::vector<float> x = random.normals(shape.size());
    const Cache cache =
        cache_of(random.positions(shape.seq_len), reference::rope_inv_freq(10'000, shape.rotary_dim));
    const auto interleaved_to_half = [&](const std::vector<float>& from) {
      std::vector<float> to = from;
      for (std::size_t i = 0; i < from.size(); i += shape.head_dim) {
        for (std::size_t pair = 0; pair < shape.rotary_dim / 2; ++pair) {
          to[i + pair] = from[i + 2 * pair];
          to[i + shape.rotary_dim / 2 + pair] = from[i + 2 * pair + 1];
        }
      }
      return to;
    };
    CAPTURE(shape.seq_len, shape.n_heads, shape.head_dim, shape.rotary_dim);
    const std::vector<float> interleaved = rotate(x, shape, cache, RopeLayout::interleaved);
    const std::vector<float> half = rotate(interleaved_to_half(x), shape, cache, RopeLayout::half);
    // Each is within 2^-22 of the pair of the one rotation.
    REQUIRE_THAT(half, is_within(to_double(interleaved_to_half(interleaved)),
                                 pair_bound(interleaved_to_half(x), shape, RopeLayout::half, 0x1p-21)));
  }
}

TEST_CASE("every head of a token turns alike", "[rope]") {
  const Shape shape{3, 5, 18, 14};
  const std::vector<float> head = Random(11).normals(shape.head_dim);
  std::vector<float> x;
  for (std::size_t i = 0; i < shape.size(); ++i) x.push_back(head[i % shape.head_dim]);
  for (const RopeLayout layout : layouts) {
    const std::vector<float> rotated = rotate(
        x, shape, cache_of({3, 1'000, -9}, reference::rope_inv_freq(10'000, shape.rotary_dim)), layout);
    for (std::size_t s = 0; s < shape.seq_len; ++s) {
      for (std::size_t i = 0; i < shape.n_heads * shape.head_dim; ++i) {
        const std::size_t token = s * shape.n_heads * shape.head_dim;
        REQUIRE(same_bits(rotated[token + i], rotated[token + i % shape.head_dim]));
      }
    }
  }
}

TEST_CASE("query · key depends on the distance alone, wherever the two stand", "[rope]") {
  const RopeLayout layout = GENERATE(RopeLayout::interleaved, RopeLayout::half);
  const std::size_t head_dim = GENERATE(as<std::size_t>(), 2, 8, 34, 64, 128);
  const std::int32_t distance = GENERATE(0, 1, -1, 5, 63, -1'000);
  CAPTURE(static_cast<int>(layout), head_dim, distance);

  Random random(12);
  const std::vector<float> query = random.normals(head_dim);
  // One key that has nothing to do with the query, and one for which the score is far from zero: the query,
  // turned back by the distance, and a little noise.
  const std::vector<double> inv_freq = inv_freq_of(10'000, head_dim);
  const Shape shape{1, 1, head_dim, head_dim};
  const std::vector<float> stranger = random.normals(head_dim);
  std::vector<float> friendly = rotate(query, shape, cache_of({distance}, inv_freq), layout);
  for (float& component : friendly) component += random.normal() / 8;

  const auto score = [&](const std::vector<float>& key, std::int32_t offset) {
    return dot(rotate(query, shape, cache_of({offset + distance}, inv_freq), layout),
               rotate(key, shape, cache_of({offset}, inv_freq), layout));
  };
  for (const std::vector<float>& key : {stranger, friendly}) {
    const double lengths = length(query) * length(key);
    for (const std::int32_t offset : {1, 17, 256, 4'095, 30'000, 65'535, 99'999, 100'000, -100'000}) {
      CAPTURE(offset);
      REQUIRE(std::abs(score(key, offset) - score(key, 0)) <= 1e-5 * lengths);
    }
  }
  REQUIRE(score(friendly, 0) > 0.5 * dot(query, query));
  for (const std::int32_t offset : {1, 17, 256, 4'095, 30'000, 65'535, 99'999, 100'000, -100'000}) {
    CAPTURE(offset);
    REQUIRE(std::abs(score(friendly, offset) / score(friendly, 0) - 1) <= 1e-5);
  }
}

TEST_CASE("the distance does matter", "[rope]") {
  const RopeLayout layout = GENERATE(RopeLayout::interleaved, RopeLayout::half);
  const Shape shape{1, 1, 64, 64};
  const std::vector<double> inv_freq = inv_freq_of(10'000, 64);
  const std::vector<float> query = Random(13).normals(64);
  const double near = dot(query, rotate(query, shape, cache_of({1}, inv_freq), layout));
  const double far = dot(query, rotate(query, shape, cache_of({1'000}, inv_freq), layout));
  REQUIRE(far < 0.8 * near);
}

TEST_CASE("NaN and infinity stay in their pair", "[rope]") {
  for (const RopeLayout layout : layouts) {
    const Shape shape{2, 2, 18, 18};
    std::vector<float> x = Random(14).normals(shape.size());
    const Cache cache = cache_of({3, 4}, reference::rope_inv_freq(10'000, 18));
    const std::vector<float> clean = rotate(x, shape, cache, layout);
    const auto [first, second] = reference::pair_components(5, 18, layout);
    x[shape.head_dim + first] = not_a_number;
    const std::vector<float> rotated = rotate(x, shape, cache, layout);
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (i == shape.head_dim + first || i == shape.head_dim + second) {
        REQUIRE(std::isnan(rotated[i]));
      } else {
        REQUIRE(same_bits(rotated[i], clean[i]));
      }
    }
  }
}

// ---- Refusals ---------------------------------------------------------------------------------------------

TEST_CASE("inv_freq refuses a rope_theta that is not finite and positive", "[rope][errors]") {
  const double rope_theta = GENERATE(as<double>(), 0, -0.0, -1, infinity, -infinity, not_a_number);
  Buffer<double> inv_freq(9);
  REQUIRE_THAT(rope_inv_freq(rope_theta, inv_freq.view(9)), refuses_value("rope_theta", rope_theta));
  REQUIRE(inv_freq.untouched());
  REQUIRE_THAT(rope_inv_freq(10'000, inv_freq.view(9)), is_ok());
}

TEST_CASE("the cache refuses cos and sin of another shape, writes nothing, and works again",
          "[rope][errors]") {
  Buffer<std::int32_t> positions(consecutive(5));
  Buffer<double> inv_freq(reference::rope_inv_freq(10'000, 18));
  const auto build = [&](Buffer<float>& cos, std::size_t cos_rows, Buffer<float>& sin, std::size_t sin_rows) {
    return build_rope_cache(positions.view(5), inv_freq.view(9),
                            cos.view(cos_rows, cos.values().size() / cos_rows),
                            sin.view(sin_rows, sin.values().size() / sin_rows));
  };
  Buffer<float> cos(5 * 9);
  Buffer<float> sin(5 * 9);
  Buffer<float> short_one(4 * 9);
  Buffer<float> long_one(6 * 9);
  Buffer<float> narrow(5 * 8);
  Buffer<float> wide(5 * 10);
  REQUIRE_THAT(build(short_one, 4, sin, 5), refuses_shape("cos", 36));
  REQUIRE_THAT(build(long_one, 6, sin, 5), refuses_shape("cos", 54));
  REQUIRE_THAT(build(narrow, 5, sin, 5), refuses_shape("cos", 40));
  REQUIRE_THAT(build(wide, 5, sin, 5), refuses_shape("cos", 50));
  REQUIRE_THAT(build(cos, 5, short_one, 4), refuses_shape("sin", 36));
  REQUIRE_THAT(build(cos, 5, long_one, 6), refuses_shape("sin", 54));
  REQUIRE_THAT(build(cos, 5, narrow, 5), refuses_shape("sin", 40));
  REQUIRE_THAT(build(cos, 5, wide, 5), refuses_shape("sin", 50));
  for (Buffer<float>* const buffer : {&cos, &sin, &short_one, &long_one, &narrow, &wide}) {
    REQUIRE(buffer->untouched());
  }
  REQUIRE_THAT(build(cos, 5, sin, 5), is_ok());
}

TEST_CASE("rotation refuses caches of another shape, writes nothing, and works again", "[rope][errors]") {
  const RopeLayout layout = GENERATE(RopeLayout::interleaved, RopeLayout::half);
  Buffer<float> x(5 * 2 * 18);
  const auto apply = [&](std::size_t cos_rows, std::size_t cos_pairs, std::size_t sin_rows,
                         std::size_t sin_pairs) {
    Buffer<float> cos(std::vector<float>(cos_rows * cos_pairs, 0.6F));
    Buffer<float> sin(std::vector<float>(sin_rows * sin_pairs, 0.8F));
    return apply_rope(x.view(5, 2, 18), cos.view(cos_rows, cos_pairs), sin.view(sin_rows, sin_pairs), layout);
  };
  REQUIRE_THAT(apply(4, 9, 5, 9), refuses_shape("cos", 4));
  REQUIRE_THAT(apply(6, 9, 6, 9), refuses_shape("cos", 6));
  REQUIRE_THAT(apply(5, 9, 4, 9), refuses_shape("sin", 36));
  REQUIRE_THAT(apply(5, 9, 5, 8), refuses_shape("sin", 40));
  REQUIRE_THAT(apply(5, 8, 5, 9), refuses_shape("sin", 45));
  REQUIRE_THAT(apply(5, 10, 5, 10), refuses_shape("cos", 10));
  REQUIRE(x.untouched());
  REQUIRE_THAT(apply(5, 9, 5, 9), is_ok());
}

TEST_CASE("rotation refuses a rotary_dim too large to double", "[rope][errors]") {
  // 2 * pairs wraps to 0 in size_t, which would pass for a rotary_dim. No element is there, and none may be
  // read.
  constexpr std::size_t pairs = std::numeric_limits<std::size_t>::max() / 2 + 1;
  Buffer<float> x(18);
  float one = 1;
  const TensorView<float, 2> cache{&one, {1, pairs}};
  REQUIRE_THAT(apply_rope(x.view(1, 1, 18), cache, cache, RopeLayout::half), refuses_shape("cos", pairs));
  REQUIRE(x.untouched());
}

}  // namespace

#include "ropewalk/rope.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <numbers>
#include <numeric>
#include <utility>
#include <vector>

#include "reference/encodings.hpp"
#include "reference/rope.hpp"
#include "support.hpp"

namespace {

using namespace ropewalk;
using namespace ropewalk::test;
using reference::HeadsShape;

using Positions = std::vector<std::int32_t>;

constexpr std::array layouts = {RopeLayout::interleaved, RopeLayout::half};
constexpr std::array formats = {HeadsFormat::bshd, HeadsFormat::bhsd};
constexpr std::int32_t lowest = std::numeric_limits<std::int32_t>::min();
constexpr std::int32_t highest = std::numeric_limits<std::int32_t>::max();

// ---- Calls ------------------------------------------------------------------------------------------------

std::vector<double> inv_freq_of(double rope_theta, std::size_t rotary_dim) {
  Buffer<double> inv_freq(rotary_dim / 2);
  REQUIRE_THAT(rope_inv_freq(rope_theta, inv_freq.view(rotary_dim / 2)), is_ok());
  REQUIRE(inv_freq.intact());
  return inv_freq.copy();
}

Positions mrope_axes_of(const Positions& sections, bool interleaved) {
  const auto n_pairs = static_cast<std::size_t>(std::accumulate(sections.begin(), sections.end(), 0));
  Buffer<std::int32_t> given(sections);
  Buffer<std::int32_t> pair_axes(n_pairs);
  REQUIRE_THAT(mrope_pair_axes(given.view(sections.size()), interleaved, pair_axes.view(n_pairs)), is_ok());
  REQUIRE(pair_axes.intact());
  return pair_axes.copy();
}

struct Cache {
  std::vector<float> cos;
  std::vector<float> sin;
};

/// position_ids [n_axes, rows]
Cache cache_of(const Positions& position_ids, const std::vector<double>& inv_freq, std::size_t n_axes = 1,
               const Positions& pair_axes = {}, double attention_factor = 1) {
  const std::size_t rows = position_ids.size() / n_axes;
  const std::size_t n_pairs = inv_freq.size();
  Buffer<std::int32_t> positions(position_ids);
  Buffer<double> frequencies(inv_freq);
  Buffer<std::int32_t> axes(pair_axes);
  Buffer<float> cos(rows * n_pairs);
  Buffer<float> sin(rows * n_pairs);
  REQUIRE_THAT(
      build_rope_cache(positions.view(n_axes, rows), frequencies.view(n_pairs), axes.view(pair_axes.size()),
                       attention_factor, cos.view(rows, n_pairs), sin.view(rows, n_pairs)),
      is_ok());
  REQUIRE(cos.intact());
  REQUIRE(sin.intact());
  return {cos.copy(), sin.copy()};
}

Cache xpos_cache_of(const Positions& position_ids, const std::vector<double>& inv_freq, double scale_base,
                    double gamma, XposSide side) {
  const std::size_t rows = position_ids.size();
  const std::size_t n_pairs = inv_freq.size();
  Buffer<std::int32_t> positions(position_ids);
  Buffer<double> frequencies(inv_freq);
  Buffer<float> cos(rows * n_pairs);
  Buffer<float> sin(rows * n_pairs);
  REQUIRE_THAT(build_xpos_cache(positions.view(rows), frequencies.view(n_pairs), scale_base, gamma, side,
                                cos.view(rows, n_pairs), sin.view(rows, n_pairs)),
               is_ok());
  REQUIRE(cos.intact());
  REQUIRE(sin.intact());
  return {cos.copy(), sin.copy()};
}

struct Shape {
  HeadsShape heads;
  std::size_t rotary_dim = 2;

  std::size_t size() const { return heads.size(); }
  std::size_t tokens() const { return heads.batch * heads.len; }
};

HeadsView<float> view_of(std::span<float> x, const HeadsShape& shape) {
  HeadsView<float> view;
  REQUIRE_THAT(
      heads_as(x, shape.format, shape.batch, shape.len, shape.len, shape.n_heads, shape.head_dim, "x", view),
      is_ok());
  return view;
}

std::vector<float> rotate(const std::vector<float>& x, const Shape& shape, const Cache& cache,
                          RopeLayout layout, const Positions& position_ids = {}) {
  const std::size_t n_pairs = shape.rotary_dim / 2;
  const std::size_t rows = cache.cos.size() / n_pairs;
  Buffer<float> rotated(x);
  Buffer<float> cos(cache.cos);
  Buffer<float> sin(cache.sin);
  Buffer<std::int32_t> ids(position_ids);
  REQUIRE_THAT(apply_rope(view_of(rotated.values(), shape.heads), cos.view(rows, n_pairs),
                          sin.view(rows, n_pairs), ids.view(position_ids.size()), layout),
               is_ok());
  REQUIRE(rotated.intact());
  return rotated.copy();
}

std::vector<float> convert(const std::vector<float>& x, std::size_t head_dim, std::size_t inner,
                           std::size_t rotary_dim, RopeLayout to) {
  const std::size_t outer = x.size() / (head_dim * inner);
  Buffer<float> from(x);
  Buffer<float> out(x.size());
  REQUIRE_THAT(convert_rope_layout(from.view(outer, head_dim, inner), rotary_dim, to,
                                   out.view(outer, head_dim, inner)),
               is_ok());
  REQUIRE(out.intact());
  return out.copy();
}

// ---- Bounds -----------------------------------------------------------------------------------------------

std::vector<long double> exactly(const std::vector<double>& values) { return {values.begin(), values.end()}; }

/// What the docstrings allow an entry of a cache.
std::function<double(std::size_t)> cache_bound(const std::vector<double>& want, double attention_factor = 1) {
  return [=](std::size_t i) { return 0.51 * float_ulp(want[i]) + 0x1p-70 * std::abs(attention_factor); };
}

void require_cache_keeps_its_bound(const Positions& position_ids, const std::vector<double>& inv_freq,
                                   std::size_t n_axes = 1, const Positions& pair_axes = {},
                                   double attention_factor = 1) {
  const Cache cache = cache_of(position_ids, inv_freq, n_axes, pair_axes, attention_factor);
  const reference::RopeCache exact =
      reference::build_rope_cache(position_ids, exactly(inv_freq), n_axes, pair_axes, attention_factor);
  REQUIRE_THAT(cache.cos, is_within(exact.cos, cache_bound(exact.cos, attention_factor)));
  REQUIRE_THAT(cache.sin, is_within(exact.sin, cache_bound(exact.sin, attention_factor)));
}

/// Whether a frequency is within 0.51 ulp of rope_theta^(-2 pair/dim).
bool is_frequency(double inv_freq, double rope_theta, std::size_t pair, std::size_t dim) {
  const long double exact = reference::frequency(rope_theta, pair, dim);
  // The spacing of doubles just below exact, which is the finer one where exact is a power of two.
  const auto near = static_cast<double>(exact);
  const double ulp = near - std::nextafter(near, 0.0);
  return std::abs(inv_freq - exact) <= 0.51L * ulp;
}

/// Where component i of x stands in its head.
std::size_t component_of(const Shape& shape, std::size_t i) { return i % shape.heads.head_dim; }

/// The length of the pair that component i of x belongs to; 0 for one that is not rotated.
double pair_length(const std::vector<double>& x, const Shape& shape, RopeLayout layout, std::size_t i) {
  const std::size_t component = component_of(shape, i);
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

/// Around the SIMD widths in the number of pairs, whole and partial, one sequence and several, one head and
/// several, in both formats.
std::vector<Shape> shapes() {
  std::vector<Shape> shapes;
  for (const HeadsFormat format : formats) {
    for (const std::size_t n_pairs : sizes) {
      const std::size_t rotary_dim = 2 * n_pairs;
      shapes.push_back({{format, 1, 1, 1, rotary_dim}, rotary_dim});
      shapes.push_back({{format, 1, 3, 2, rotary_dim}, rotary_dim});
      shapes.push_back({{format, 2, 2, 3, rotary_dim + 1}, rotary_dim});
      shapes.push_back({{format, 3, 5, 1, rotary_dim + 6}, rotary_dim});
    }
    shapes.push_back({{format, 1, 300, 3, 10}, 6});
    shapes.push_back({{format, 2, 9, 33, 8}, 8});
  }
  return shapes;
}

/// One sequence, rows of heads.
Shape one_sequence(std::size_t len, std::size_t n_heads, std::size_t head_dim, std::size_t rotary_dim) {
  return {{HeadsFormat::bshd, 1, len, n_heads, head_dim}, rotary_dim};
}

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t c = 0; c < a.size(); ++c) sum += static_cast<double>(a[c]) * b[c];
  return sum;
}

double length(std::span<const float> a) { return std::sqrt(dot(a, a)); }

// ---- Frequencies and axes ---------------------------------------------------------------------------------

TEST_CASE("inv_freq is within 0.51 ulp of rope_theta^(-2i/rotary_dim)", "[rope]") {
  const double rope_theta = GENERATE(10'000.0, 500'000.0, 1e6, 123'456.7, 2.0, 1.0, 0.5, 1e-7, 1e7);
  for (const std::size_t rotary_dim :
       Sizes{2, 4, 6, 8, 10, 14, 16, 18, 20, 24, 34, 64, 66, 80, 96, 112, 128, 192, 256, 300, 600}) {
    const std::vector<double> inv_freq = inv_freq_of(rope_theta, rotary_dim);
    for (std::size_t pair = 0; pair < rotary_dim / 2; ++pair) {
      CAPTURE(rope_theta, rotary_dim, pair);
      REQUIRE(is_frequency(inv_freq[pair], rope_theta, pair, rotary_dim));
    }
  }
}

TEST_CASE("inv_freq keeps its bound for any rope_theta, and for very many pairs", "[rope]") {
  for (const double rope_theta : {1e-100, 1e-60, 1e-17, 1e17, 1e60, 1e100}) {
    const std::vector<double> inv_freq = inv_freq_of(rope_theta, 16);
    for (std::size_t pair = 0; pair < 8; ++pair) {
      CAPTURE(rope_theta, pair);
      REQUIRE(is_frequency(inv_freq[pair], rope_theta, pair, 16));
    }
  }
  constexpr std::size_t rotary_dim = 1 << 16;
  const std::vector<double> inv_freq = inv_freq_of(1.1, rotary_dim);
  for (const std::size_t pair : Sizes{1, 777, rotary_dim / 4, rotary_dim / 2 - 1}) {
    CAPTURE(pair);
    REQUIRE(is_frequency(inv_freq[pair], 1.1, pair, rotary_dim));
  }
}

TEST_CASE("the first pair turns one radian a position", "[rope]") {
  for (const std::size_t n_pairs : sizes) REQUIRE(inv_freq_of(10'000, 2 * n_pairs)[0] == 1);
}

TEST_CASE("M-RoPE shares pairs out in sections, one after the other", "[rope]") {
  REQUIRE(mrope_axes_of({2, 1, 3}, false) == Positions{0, 0, 1, 2, 2, 2});
  REQUIRE(mrope_axes_of({0, 2, 1}, false) == Positions{1, 1, 2});
  REQUIRE(mrope_axes_of({0, 0, 1}, false) == Positions{2});
  for (const Positions& sections : {Positions{16, 24, 24}, {1, 0, 0}, {5, 0, 7}, {300, 1, 33}}) {
    REQUIRE(mrope_axes_of(sections, false) == reference::mrope_pair_axes(sections, false));
  }
}

TEST_CASE("interleaved M-RoPE deals pairs out in turn, each coordinate as many as its section says",
          "[rope]") {
  REQUIRE(mrope_axes_of({2, 2, 1}, true) == Positions{0, 1, 2, 0, 1});
  REQUIRE(mrope_axes_of({5, 1, 2}, true) == Positions{0, 1, 2, 0, 0, 2, 0, 0});
  for (const Positions& sections : {Positions{24, 20, 20},
                                    {11, 11, 10},
                                    {1, 0, 0},
                                    {7, 0, 0},
                                    {1, 1, 0},
                                    {2, 0, 1},
                                    {3, 2, 0},
                                    {4, 0, 2},
                                    {1, 1, 1},
                                    {100, 90, 80}}) {
    const Positions axes = mrope_axes_of(sections, true);
    REQUIRE(axes == reference::mrope_pair_axes(sections, true));
    for (const std::int32_t axis : {0, 1, 2}) {
      REQUIRE(std::count(axes.begin(), axes.end(), axis) == sections[static_cast<std::size_t>(axis)]);
    }
  }
}

TEST_CASE("axial RoPE turns half of the pairs by the row and half by the column, alike", "[rope]") {
  const double rope_theta = GENERATE(100.0, 10'000.0, 0.5);
  for (const std::size_t half : sizes) {
    Buffer<double> inv_freq(2 * half);
    Buffer<std::int32_t> pair_axes(2 * half);
    REQUIRE_THAT(axial_rope(rope_theta, inv_freq.view(2 * half), pair_axes.view(2 * half)), is_ok());
    REQUIRE(inv_freq.intact());
    REQUIRE(pair_axes.intact());
    REQUIRE(pair_axes.copy() == reference::axial_rope(rope_theta, 4 * half).pair_axes);
    for (std::size_t pair = 0; pair < half; ++pair) {
      CAPTURE(rope_theta, half, pair);
      REQUIRE(is_frequency(inv_freq[pair], rope_theta, pair, 2 * half));
      REQUIRE(inv_freq[half + pair] == inv_freq[pair]);
    }
  }
}

// ---- Cache ------------------------------------------------------------------------------------------------

TEST_CASE("the cache keeps its bound at far and negative positions", "[rope]") {
  const double rope_theta = GENERATE(10'000.0, 500'000.0, 1.0);
  for (const std::size_t n_pairs : sizes) {
    CAPTURE(rope_theta, n_pairs);
    require_cache_keeps_its_bound({far_positions.begin(), far_positions.end()},
                                  reference::rope_inv_freq(rope_theta, 2 * n_pairs));
  }
}

TEST_CASE("the cache keeps its bound for any number of positions, in any order", "[rope]") {
  for (const std::size_t rows : sizes) {
    CAPTURE(rows);
    require_cache_keeps_its_bound(Random(2).positions(rows), reference::rope_inv_freq(10'000, 10));
  }
}

TEST_CASE("the cache takes any inv_freq", "[rope]") {
  require_cache_keeps_its_bound(
      {far_positions.begin(), far_positions.end()},
      {0, -1, 0x1p-60, 0x1.23456789abcdfp-1000, 5e-324, 0x1.fffffffffffffp-1, -0.3, 1e-9});
  require_cache_keeps_its_bound({0, 1, -1, 7, 1 << 24, -(1 << 24)}, {7, -100.1, std::numbers::pi});
}

TEST_CASE("farther out than 2^45 radians the cache loses 2^-52 of the angle, and no more", "[rope]") {
  for (const double frequency : {0x1p20, -0x1.23456789abcdep20, 0x1.fffffffffffffp19}) {
    for (const std::int32_t position : {1 << 26, -(1 << 26), 123'456'789, (1 << 28) + 1}) {
      CAPTURE(frequency, position);
      const double angle = std::abs(position * frequency);
      REQUIRE(angle > 0x1p45);
      const reference::CirclePoint exact = reference::circle_point(position, frequency);
      const Cache got = cache_of({position}, {frequency});
      const double bound = 0x1p-52 * angle + 0x1p-24;
      REQUIRE_THAT(got.cos, is_within({static_cast<double>(exact.cos)}, bound));
      REQUIRE_THAT(got.sin, is_within({static_cast<double>(exact.sin)}, bound));
    }
  }
}

/// The positions at which position * inv_freq comes nearest to multiples of pi/2: the denominators of the
/// continued fraction of inv_freq / (pi / 2). There cosine or sine is as small as it gets, and a rounding of the
/// angle shows most.
Positions nearest_to_quarter_turns(double inv_freq) {
  long double rest = inv_freq / (std::numbers::pi_v<long double> / 2);
  std::int64_t before = 1;
  std::int64_t denominator = 0;
  Positions positions;
  while (rest < 0x1p62L) {
    const long double whole = std::floor(rest);
    const long double next = whole * static_cast<long double>(denominator) + static_cast<long double>(before);
    if (next > highest) break;
    before = std::exchange(denominator, static_cast<std::int64_t>(next));
    positions.push_back(static_cast<std::int32_t>(denominator));
    positions.push_back(static_cast<std::int32_t>(-denominator));
    rest = 1 / (rest - whole);
  }
  return positions;
}

TEST_CASE("the cache keeps its bound next to the zeros of cosine and sine", "[rope]") {
  double smallest = 1;
  for (const double rope_theta : {10'000.0, 500'000.0, 1e6, 3.7}) {
    for (const std::size_t rotary_dim : Sizes{2, 64, 100, 128}) {
      for (const double step : reference::rope_inv_freq(rope_theta, rotary_dim)) {
        CAPTURE(rope_theta, rotary_dim, step);
        const Positions positions = nearest_to_quarter_turns(step);
        require_cache_keeps_its_bound(positions, {step});
        const reference::RopeCache exact = reference::build_rope_cache(positions, exactly({step}));
        for (const double value : exact.cos) smallest = std::min(smallest, std::abs(value));
        for (const double value : exact.sin) smallest = std::min(smallest, std::abs(value));
      }
    }
  }
  // Or the positions were not near at all.
  REQUIRE(smallest < 0x1p-38);
}

TEST_CASE("the cache keeps its bound where a frequency was made to meet a quarter turn far away", "[rope]") {
  Random random(20);
  for (int i = 0; i < 20'000; ++i) {
    const auto position = static_cast<std::int32_t>(0x1p31 * (0.5 + random.uniform() / 2) - 1);
    const double quarters = std::round(0x1p30 * random.uniform());
    const double step = quarters * (std::numbers::pi / 2) / position;
    CAPTURE(position, step);
    const auto [cos, sin] = reference::circle_point(position, step);
    // All is compared below, but a hundred times faster if the harmless ones are left out.
    if (std::min(std::abs(cos), std::abs(sin)) > 0x1p-29L) continue;
    require_cache_keeps_its_bound({position, -position}, {step});
  }
}

TEST_CASE("the attention factor multiplies cosine and sine before they are rounded", "[rope]") {
  for (const double factor : {1.0, 1.1386294361119891, 1.3465735902799727, 0.5, -0.3, 0.0, 1e30, 1e-30}) {
    CAPTURE(factor);
    require_cache_keeps_its_bound({far_positions.begin(), far_positions.end()},
                                  reference::rope_inv_freq(10'000, 34), 1, {}, factor);
  }
}

TEST_CASE("a row of the cache depends on its own position alone", "[rope]") {
  const std::vector<double> inv_freq = reference::rope_inv_freq(10'000, 18);
  const Positions positions = Random(3).positions(9);
  const Cache cache = cache_of(positions, inv_freq);
  for (std::size_t s = 0; s < positions.size(); ++s) {
    const Cache row = cache_of({positions[s]}, inv_freq);
    REQUIRE_THAT(row.cos, has_bits_of(std::vector(&cache.cos[9 * s], &cache.cos[9 * s] + 9)));
    REQUIRE_THAT(row.sin, has_bits_of(std::vector(&cache.sin[9 * s], &cache.sin[9 * s] + 9)));
  }
}

TEST_CASE("each pair turns by the coordinate of its own axis", "[rope]") {
  const std::size_t n_axes = GENERATE(as<std::size_t>(), 1, 2, 3, 5);
  for (const std::size_t n_pairs : sizes) {
    for (const std::size_t rows : Sizes{1, 3, 8}) {
      CAPTURE(n_axes, n_pairs, rows);
      Random random(21);
      Positions pair_axes;
      for (std::size_t i = 0; i < n_pairs; ++i) {
        pair_axes.push_back(static_cast<std::int32_t>(static_cast<double>(n_axes) * random.uniform()));
      }
      const Positions position_ids = random.positions(n_axes * rows);
      const std::vector<double> inv_freq = reference::rope_inv_freq(10'000, 2 * n_pairs);
      require_cache_keeps_its_bound(position_ids, inv_freq, n_axes, pair_axes);
      require_cache_keeps_its_bound(position_ids, inv_freq, n_axes);
    }
  }
}

TEST_CASE("M-RoPE with the same time, height and width is RoPE", "[rope]") {
  const std::vector<double> inv_freq = reference::rope_inv_freq(10'000, 128);
  const Positions positions = Random(22).positions(7);
  Positions thrice;
  for (int axis = 0; axis < 3; ++axis) thrice.insert(thrice.end(), positions.begin(), positions.end());
  const Cache text = cache_of(positions, inv_freq);
  for (const bool interleaved : {false, true}) {
    const Cache cache = cache_of(thrice, inv_freq, 3, mrope_axes_of({24, 20, 20}, interleaved));
    REQUIRE_THAT(cache.cos, has_bits_of(text.cos));
    REQUIRE_THAT(cache.sin, has_bits_of(text.sin));
  }
}

// ---- xPos -------------------------------------------------------------------------------------------------

TEST_CASE("the xPos cache keeps its bound", "[rope]") {
  const XposSide side = GENERATE(XposSide::query, XposSide::key);
  const Positions positions = {0, 1, -1, 7, 512, -512, 4'095, 8'192, -30'000};
  for (const double scale_base : {512.0, 2'048.0, 333.3}) {
    for (const double gamma : {0.4, 1.0, 7.0}) {
      for (const std::size_t n_pairs : sizes) {
        CAPTURE(scale_base, gamma, n_pairs);
        const std::vector<double> inv_freq = reference::rope_inv_freq(10'000, 2 * n_pairs);
        const Cache cache = xpos_cache_of(positions, inv_freq, scale_base, gamma, side);
        const reference::RopeCache exact =
            reference::build_xpos_cache(positions, exactly(inv_freq), scale_base, gamma, side);
        // Beyond float's range there is nothing to compare.
        const auto bound = [](const std::vector<double>& want) {
          return [=](std::size_t i) {
            return std::abs(want[i]) > std::numeric_limits<float>::max() ? double{infinity}
                                                                         : 0.51 * float_ulp(want[i]);
          };
        };
        REQUIRE_THAT(cache.cos, is_within(exact.cos, bound(exact.cos)));
        REQUIRE_THAT(cache.sin, is_within(exact.sin, bound(exact.sin)));
      }
    }
  }
}

TEST_CASE("xPos scales by the powers of zeta, and not at all at position 0", "[rope]") {
  const std::vector<double> inv_freq = {0, 0, 0, 0};
  REQUIRE(xpos_cache_of({0}, inv_freq, 512, 0.4, XposSide::query).cos == std::vector<float>{1, 1, 1, 1});
  // zeta = (0 + 0.4) / 1.4 and (3/4 + 0.4) / 1.4, to the power of one.
  const Cache query = xpos_cache_of({512}, inv_freq, 512, 0.4, XposSide::query);
  REQUIRE(std::abs(query.cos[0] - 1 / 3.5) < 1e-7);
  REQUIRE(std::abs(query.cos[3] - 1.15 / 1.4) < 1e-7);
  const Cache key = xpos_cache_of({512}, inv_freq, 512, 0.4, XposSide::key);
  REQUIRE(std::abs(key.cos[0] - 3.5) < 1e-6);
}

TEST_CASE("an xPos score depends on the distance alone, and decays with it", "[rope]") {
  const Shape shape = one_sequence(1, 1, 64, 64);
  const std::vector<double> inv_freq = inv_freq_of(10'000, 64);
  const std::vector<float> query = Random(23).normals(64);
  const auto score = [&](std::int32_t query_position, std::int32_t key_position) {
    const Cache at_query = xpos_cache_of({query_position}, inv_freq, 512, 0.4, XposSide::query);
    const Cache at_key = xpos_cache_of({key_position}, inv_freq, 512, 0.4, XposSide::key);
    return dot(rotate(query, shape, at_query, RopeLayout::half),
               rotate(query, shape, at_key, RopeLayout::half));
  };
  const double near = score(5, 0);
  for (const std::int32_t offset : {1, 100, 1'000, -700}) {
    REQUIRE(std::abs(score(offset + 5, offset) - near) < 1e-4 * near);
  }
  const double whole = dot(query, query);
  REQUIRE(std::abs(score(300, 300) - whole) < 1e-5 * whole);
  for (const std::int32_t distance : {2'000, 4'000}) REQUIRE(std::abs(score(distance, 0)) < 0.3 * whole);
}

// ---- Rotation ---------------------------------------------------------------------------------------------

/// The rows of the cache that are meant when no position_ids are given.
Positions rows_without_ids(const Shape& shape, std::size_t rows) {
  Positions meant;
  for (std::size_t b = 0; b < shape.heads.batch; ++b) {
    for (std::size_t s = 0; s < shape.heads.len; ++s) {
      meant.push_back(static_cast<std::int32_t>(rows == shape.heads.len ? s : b * shape.heads.len + s));
    }
  }
  return meant;
}

void require_rotation_keeps_its_bound(const Shape& shape, const std::vector<float>& x, const Cache& cache,
                                      RopeLayout layout, const Positions& position_ids, double scale = 1) {
  const std::size_t rows = cache.cos.size() / (shape.rotary_dim / 2);
  std::vector<double> want = to_double(x);
  reference::apply_rope(want, shape.heads, to_double(cache.cos), to_double(cache.sin),
                        position_ids.empty() ? rows_without_ids(shape, rows) : position_ids, shape.rotary_dim,
                        layout);
  REQUIRE_THAT(rotate(x, shape, cache, layout, position_ids),
               is_within(want, pair_bound(x, shape, layout, 0x1p-23 * scale)));
}

TEST_CASE("rotation keeps its bound, and leaves what is not rotary to the bit", "[rope]") {
  for (const Shape& shape : shapes()) {
    for (const RopeLayout layout : layouts) {
      CAPTURE(shape.heads.batch, shape.heads.len, shape.heads.n_heads, shape.heads.head_dim, shape.rotary_dim,
              static_cast<int>(shape.heads.format), static_cast<int>(layout));
      Random random(4);
      const std::vector<float> x = random.normals(shape.size());
      const std::vector<double> inv_freq = reference::rope_inv_freq(10'000, shape.rotary_dim);
      const Cache of_each = cache_of(random.positions(shape.tokens()), inv_freq);
      require_rotation_keeps_its_bound(shape, x, of_each, layout, {});
      const Cache shared = cache_of(random.positions(shape.heads.len), inv_freq);
      require_rotation_keeps_its_bound(shape, x, shared, layout, {});
      // A table of more rows than there are tokens, and one of fewer.
      for (const std::size_t rows : {shape.tokens() + 5, std::size_t{2}}) {
        Positions ids;
        for (std::size_t i = 0; i < shape.tokens(); ++i) {
          ids.push_back(static_cast<std::int32_t>(static_cast<double>(rows) * random.uniform()));
        }
        ids.front() = static_cast<std::int32_t>(rows) - 1;
        ids.back() = 0;
        require_rotation_keeps_its_bound(shape, x, cache_of(random.positions(rows), inv_freq), layout, ids);
      }
    }
  }
}

TEST_CASE("rotation takes any numbers for cosine and sine", "[rope]") {
  for (const RopeLayout layout : layouts) {
    const Shape shape{{HeadsFormat::bhsd, 2, 3, 2, 18}, 18};
    Random random(24);
    const std::vector<float> x = random.normals(shape.size());
    const Cache cache{random.normals(3 * 9), random.normals(3 * 9)};
    double longest = 0;
    for (std::size_t i = 0; i < cache.cos.size(); ++i) {
      longest = std::max(longest, std::hypot(double{cache.cos[i]}, double{cache.sin[i]}));
    }
    require_rotation_keeps_its_bound(shape, x, cache, layout, {}, longest);
  }
}

TEST_CASE("rotation reaches no further than the rows that are seen of a longer tensor", "[rope]") {
  constexpr std::size_t batch = 2, capacity = 5, len = 3, n_heads = 2, head_dim = 10;
  for (const HeadsFormat format : formats) {
    for (const RopeLayout layout : layouts) {
      Random random(25);
      const std::vector<float> x = random.normals(batch * capacity * n_heads * head_dim);
      const Cache cache = cache_of(random.positions(batch * len), reference::rope_inv_freq(10'000, head_dim));
      Buffer<float> rotated(x);
      Buffer<float> cos(cache.cos);
      Buffer<float> sin(cache.sin);
      HeadsView<float> view;
      REQUIRE_THAT(heads_as(rotated.values(), format, batch, capacity, len, n_heads, head_dim, "x", view),
                   is_ok());
      REQUIRE_THAT(apply_rope(view, cos.view(batch * len, 5), sin.view(batch * len, 5), {}, layout), is_ok());

      // The same, as a tensor of its own.
      const HeadsShape whole{format, batch, capacity, n_heads, head_dim};
      const Shape part{{format, batch, len, n_heads, head_dim}, head_dim};
      std::vector<float> seen(part.size());
      const auto for_each_seen = [&](const auto& copy) {
        for (std::size_t b = 0; b < batch; ++b) {
          for (std::size_t s = 0; s < len; ++s) {
            for (std::size_t h = 0; h < n_heads; ++h) copy(whole.head(b, s, h), part.heads.head(b, s, h));
          }
        }
      };
      for_each_seen([&](std::size_t from, std::size_t to) { std::copy_n(&x[from], head_dim, &seen[to]); });
      seen = rotate(seen, part, cache, layout);
      std::vector<float> want = x;
      for_each_seen([&](std::size_t to, std::size_t from) { std::copy_n(&seen[from], head_dim, &want[to]); });
      REQUIRE_THAT(rotated.copy(), has_bits_of(want));
      REQUIRE(rotated.intact());
    }
  }
}

TEST_CASE("rotation through the cache keeps its bound against the true angles", "[rope]") {
  for (const RopeLayout layout : layouts) {
    const Shape shape = one_sequence(300, 2, 40, 36);
    Random random(5);
    const std::vector<float> x = random.normals(shape.size());
    const Positions positions = random.positions(300);
    const std::vector<double> inv_freq = reference::rope_inv_freq(10'000, shape.rotary_dim);
    const reference::RopeCache exact = reference::build_rope_cache(positions, exactly(inv_freq));
    std::vector<double> want = to_double(x);
    reference::apply_rope(want, shape.heads, exact.cos, exact.sin, rows_without_ids(shape, 300),
                          shape.rotary_dim, layout);
    REQUIRE_THAT(rotate(x, shape, cache_of(positions, inv_freq), layout),
                 is_within(want, pair_bound(x, shape, layout, 0x1p-22)));
  }
}

TEST_CASE("a quarter turn takes (1, 0) to (0, 1), not to (0, -1)", "[rope]") {
  const Shape shape = one_sequence(1, 1, 4, 4);
  const Cache quarter{{0, 0}, {1, 1}};
  REQUIRE(rotate({1, 0, 3, 4}, shape, quarter, RopeLayout::interleaved) == std::vector<float>{0, 1, -4, 3});
  REQUIRE(rotate({1, 3, 0, 4}, shape, quarter, RopeLayout::half) == std::vector<float>{0, -4, 1, 3});
}

TEST_CASE("components past rotary_dim keep their bits, whatever they are", "[rope]") {
  for (const RopeLayout layout : layouts) {
    for (const std::size_t n_pairs : sizes) {
      const Shape shape = one_sequence(3, 2, 2 * n_pairs + 7, 2 * n_pairs);
      Random random(6);
      std::vector<float> x = random.normals(shape.size());
      const std::array<float, 7> rest = {not_a_number,
                                         -not_a_number,
                                         infinity,
                                         -infinity,
                                         -0.0F,
                                         std::numeric_limits<float>::denorm_min(),
                                         1};
      for (std::size_t i = 0; i < x.size(); i += shape.heads.head_dim) {
        std::copy(rest.begin(), rest.end(), &x[i + shape.rotary_dim]);
      }
      const std::vector<float> rotated =
          rotate(x, shape, cache_of({5, -5, 70'000}, reference::rope_inv_freq(10'000, 2 * n_pairs)), layout);
      for (std::size_t i = 0; i < x.size(); i += shape.heads.head_dim) {
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
    const Shape shape = one_sequence(4, 3, 66, 66);
    const std::vector<float> x = Random(7).normals(shape.size());
    REQUIRE(rotate(x, shape, cache_of({0, 0, 0, 0}, reference::rope_inv_freq(10'000, 66)), layout) == x);
  }
}

TEST_CASE("rotation keeps the length of each pair, and of the whole", "[rope]") {
  for (const RopeLayout layout : layouts) {
    for (const std::size_t n_pairs : sizes) {
      const Shape shape = one_sequence(far_positions.size(), 2, 2 * n_pairs, 2 * n_pairs);
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
      for (std::size_t i = 0; i < x.size(); i += shape.heads.head_dim) {
        heads_before.push_back(length({&x[i], shape.heads.head_dim}));
        heads_after.push_back(length({&rotated[i], shape.heads.head_dim}));
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
    const Shape shape = one_sequence(8, 2, 70, 66);
    const Positions there = {1, -3, 4'095, 100'000, 131'071, 1 << 24, highest, -77};
    Positions back = there;
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

TEST_CASE("every head of a token turns alike", "[rope]") {
  const Shape shape = one_sequence(3, 5, 18, 14);
  const std::vector<float> head = Random(11).normals(shape.heads.head_dim);
  std::vector<float> x;
  for (std::size_t i = 0; i < shape.size(); ++i) x.push_back(head[i % shape.heads.head_dim]);
  for (const RopeLayout layout : layouts) {
    const std::vector<float> rotated = rotate(
        x, shape, cache_of({3, 1'000, -9}, reference::rope_inv_freq(10'000, shape.rotary_dim)), layout);
    for (std::size_t s = 0; s < shape.heads.len; ++s) {
      for (std::size_t i = 0; i < shape.heads.n_heads * shape.heads.head_dim; ++i) {
        const std::size_t token = s * shape.heads.n_heads * shape.heads.head_dim;
        REQUIRE(same_bits(rotated[token + i], rotated[token + i % shape.heads.head_dim]));
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
  const Shape shape = one_sequence(1, 1, head_dim, head_dim);
  const std::vector<float> stranger = random.normals(head_dim);
  std::vector<float> friendly = rotate(query, shape, cache_of({distance}, inv_freq), layout);
  for (float& component : friendly) component += random.normal() / 8;

  const auto score = [&](const std::vector<float>& key, std::int32_t offset) {
    return dot(rotate(query, shape, cache_of({offset + distance}, inv_freq), layout),
               rotate(key, shape, cache_of({offset}, inv_freq), layout));
  };
  const Positions offsets = {1, 17, 256, 4'095, 30'000, 65'535, 99'999, 100'000, -100'000, 2'000'000'000};
  for (const std::vector<float>& key : {stranger, friendly}) {
    const double lengths = length(query) * length(key);
    for (const std::int32_t offset : offsets) {
      CAPTURE(offset);
      REQUIRE(std::abs(score(key, offset) - score(key, 0)) <= 1e-5 * lengths);
    }
  }
  REQUIRE(score(friendly, 0) > 0.5 * dot(query, query));
  for (const std::int32_t offset : offsets) {
    CAPTURE(offset);
    REQUIRE(std::abs(score(friendly, offset) / score(friendly, 0) - 1) <= 1e-5);
  }
}

TEST_CASE("the distance does matter", "[rope]") {
  const RopeLayout layout = GENERATE(RopeLayout::interleaved, RopeLayout::half);
  const Shape shape = one_sequence(1, 1, 64, 64);
  const std::vector<double> inv_freq = inv_freq_of(10'000, 64);
  const std::vector<float> query = Random(13).normals(64);
  const double near = dot(query, rotate(query, shape, cache_of({1}, inv_freq), layout));
  const double far = dot(query, rotate(query, shape, cache_of({1'000}, inv_freq), layout));
  REQUIRE(far < 0.8 * near);
}

TEST_CASE("NaN and infinity stay in their pair", "[rope]") {
  for (const RopeLayout layout : layouts) {
    const Shape shape = one_sequence(2, 2, 18, 18);
    std::vector<float> x = Random(14).normals(shape.size());
    const Cache cache = cache_of({3, 4}, reference::rope_inv_freq(10'000, 18));
    const std::vector<float> clean = rotate(x, shape, cache, layout);
    const auto [first, second] = reference::pair_components(5, 18, layout);
    x[shape.heads.head_dim + first] = not_a_number;
    const std::vector<float> rotated = rotate(x, shape, cache, layout);
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (i == shape.heads.head_dim + first || i == shape.heads.head_dim + second) {
        REQUIRE(std::isnan(rotated[i]));
      } else {
        REQUIRE(same_bits(rotated[i], clean[i]));
      }
    }
  }
}

// ---- Layouts ----------------------------------------------------------------------------------------------

TEST_CASE("conversion puts each pair where the other layout has it", "[rope]") {
  REQUIRE(convert({0, 1, 2, 3, 4, 5, 6}, 7, 1, 6, RopeLayout::half) ==
          std::vector<float>{0, 2, 4, 1, 3, 5, 6});
  REQUIRE(convert({0, 2, 4, 1, 3, 5, 6}, 7, 1, 6, RopeLayout::interleaved) ==
          std::vector<float>{0, 1, 2, 3, 4, 5, 6});
  for (const RopeLayout to : layouts) {
    const RopeLayout from = to == RopeLayout::half ? RopeLayout::interleaved : RopeLayout::half;
    for (const std::size_t n_pairs : sizes) {
      for (const std::size_t inner : Sizes{1, 2, 9}) {
        for (const std::size_t rest : Sizes{0, 1, 6}) {
          CAPTURE(n_pairs, inner, rest);
          const std::size_t rotary_dim = 2 * n_pairs;
          const std::size_t head_dim = rotary_dim + rest;
          const std::vector<float> x = Random(26).normals(3 * head_dim * inner);
          const std::vector<float> converted = convert(x, head_dim, inner, rotary_dim, to);
          REQUIRE_THAT(converted,
                       has_bits_of(reference::convert_rope_layout(x, head_dim, inner, rotary_dim, to)));
          REQUIRE_THAT(convert(converted, head_dim, inner, rotary_dim, from), has_bits_of(x));
        }
      }
    }
  }
}

TEST_CASE("conversion with a rotary_dim of 0 is a copy", "[rope]") {
  const std::vector<float> x = Random(27).normals(2 * 5);
  for (const RopeLayout to : layouts) REQUIRE_THAT(convert(x, 5, 1, 0, to), has_bits_of(x));
}

TEST_CASE("interleaved and half rotate alike, to the bit, through the conversion", "[rope]") {
  for (const Shape& shape : shapes()) {
    Random random(10);
    const std::vector<float> x = random.normals(shape.size());
    const Cache cache =
        cache_of(random.positions(shape.heads.len), reference::rope_inv_freq(10'000, shape.rotary_dim));
    const auto to_half = [&](const std::vector<float>& from) {
      return convert(from, shape.heads.head_dim, 1, shape.rotary_dim, RopeLayout::half);
    };
    CAPTURE(shape.heads.len, shape.heads.n_heads, shape.heads.head_dim, shape.rotary_dim);
    REQUIRE_THAT(rotate(to_half(x), shape, cache, RopeLayout::half),
                 has_bits_of(to_half(rotate(x, shape, cache, RopeLayout::interleaved))));
  }
}

// ---- Refusals ---------------------------------------------------------------------------------------------

TEST_CASE("inv_freq refuses a rope_theta out of range", "[rope][errors]") {
  const double rope_theta =
      GENERATE(as<double>(), 0, -0.0, -1, 0.99e-100, 1.01e100, infinity, -infinity, not_a_number);
  Buffer<double> inv_freq(8);
  Buffer<std::int32_t> pair_axes(8);
  REQUIRE_THAT(rope_inv_freq(rope_theta, inv_freq.view(8)), refuses_value("rope_theta", rope_theta));
  REQUIRE_THAT(axial_rope(rope_theta, inv_freq.view(8), pair_axes.view(8)),
               refuses_value("rope_theta", rope_theta));
  REQUIRE(inv_freq.untouched());
  REQUIRE(pair_axes.untouched());
  REQUIRE_THAT(rope_inv_freq(10'000, inv_freq.view(8)), is_ok());
}

TEST_CASE("axial RoPE refuses an odd number of pairs, and axes for more or fewer", "[rope][errors]") {
  const auto axial = [](std::size_t n_pairs, std::size_t n_axes) {
    Buffer<double> inv_freq(n_pairs);
    Buffer<std::int32_t> pair_axes(n_axes);
    const Status status = axial_rope(100, inv_freq.view(n_pairs), pair_axes.view(n_axes));
    REQUIRE((status.ok() || (inv_freq.untouched() && pair_axes.untouched())));
    return status;
  };
  REQUIRE_THAT(axial(7, 7), refuses_shape("inv_freq", 7));
  REQUIRE_THAT(axial(8, 7), refuses_shape("pair_axes", 7));
  REQUIRE_THAT(axial(8, 9), refuses_shape("pair_axes", 9));
  REQUIRE_THAT(axial(8, 8), is_ok());
}

TEST_CASE("M-RoPE refuses sections that do not come to the pairs", "[rope][errors]") {
  const auto share = [](const Positions& sections, bool interleaved, std::size_t n_pairs) {
    Buffer<std::int32_t> given(sections);
    Buffer<std::int32_t> pair_axes(n_pairs);
    const Status status = mrope_pair_axes(given.view(sections.size()), interleaved, pair_axes.view(n_pairs));
    REQUIRE((status.ok() || pair_axes.untouched()));
    return status;
  };
  for (const bool interleaved : {false, true}) {
    REQUIRE_THAT(share({3, 3}, interleaved, 6), refuses_shape("sections", 2));
    REQUIRE_THAT(share({3, 3, 0, 0}, interleaved, 6), refuses_shape("sections", 4));
    REQUIRE_THAT(share({2, 2, 2}, interleaved, 5), refuses_shape("sections", 6));
    REQUIRE_THAT(share({2, 2, 2}, interleaved, 7), refuses_shape("sections", 6));
    // A sum past any size of wasm's.
    REQUIRE_THAT(share({highest, highest, highest}, interleaved, 7),
                 Refuses(StatusCode::bad_shape, "sections", 3.0 * highest));
    REQUIRE_THAT(share({-1, 3, 3}, interleaved, 5), refuses_value("sections", -1));
    REQUIRE_THAT(share({3, -2, 3}, interleaved, 4), refuses_value("sections", -2));
    REQUIRE_THAT(share({3, 3, lowest}, interleaved, 6), refuses_value("sections", lowest));
    REQUIRE_THAT(share({2, 2, 2}, interleaved, 6), is_ok());
  }
  // Dealt in turn, these would pass the end.
  REQUIRE_THAT(share({0, 1, 0}, true, 1), refuses_shape("sections", 1));
  REQUIRE_THAT(share({2, 2, 0}, true, 4), refuses_shape("sections", 2));
  REQUIRE_THAT(share({1, 0, 1}, true, 2), refuses_shape("sections", 1));
  REQUIRE_THAT(share({1, 1, 3}, true, 5), refuses_shape("sections", 3));
  REQUIRE_THAT(share({2, 2, 0}, false, 4), is_ok());
}

struct CacheArguments {
  std::vector<double> inv_freq = reference::rope_inv_freq(10'000, 18);
  Positions pair_axes = {0, 1, 0, 1, 0, 1, 0, 1, 0};
  double attention_factor = 1;
};

Status try_cache(CacheArguments arguments, Buffer<float>& cos, std::size_t cos_rows, Buffer<float>& sin,
                 std::size_t sin_rows) {
  Buffer<std::int32_t> positions(consecutive(2 * 5));
  Buffer<double> inv_freq(arguments.inv_freq);
  Buffer<std::int32_t> pair_axes(arguments.pair_axes);
  return build_rope_cache(positions.view(2, 5), inv_freq.view(arguments.inv_freq.size()),
                          pair_axes.view(arguments.pair_axes.size()), arguments.attention_factor,
                          cos.view(cos_rows, cos.values().size() / cos_rows),
                          sin.view(sin_rows, sin.values().size() / sin_rows));
}

TEST_CASE("the caches refuse cos and sin of another shape, write nothing, and work again", "[rope][errors]") {
  const bool xpos = GENERATE(false, true);
  const auto build = [&](Buffer<float>& cos, std::size_t cos_rows, Buffer<float>& sin, std::size_t sin_rows) {
    if (!xpos) return try_cache({}, cos, cos_rows, sin, sin_rows);
    Buffer<std::int32_t> positions(consecutive(5));
    Buffer<double> inv_freq(reference::rope_inv_freq(10'000, 18));
    return build_xpos_cache(positions.view(5), inv_freq.view(9), 512, 0.4, XposSide::query,
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

TEST_CASE("the cache refuses axes that are not there, and numbers that are not finite", "[rope][errors]") {
  Buffer<float> cos(5 * 9);
  Buffer<float> sin(5 * 9);
  const auto refused = [&](const CacheArguments& arguments) {
    const Status status = try_cache(arguments, cos, 5, sin, 5);
    REQUIRE(cos.untouched());
    REQUIRE(sin.untouched());
    return status;
  };
  REQUIRE_THAT(refused({.pair_axes = Positions(8)}), refuses_shape("pair_axes", 8));
  REQUIRE_THAT(refused({.pair_axes = Positions(10)}), refuses_shape("pair_axes", 10));
  for (const std::int32_t axis : {2, -1, highest, lowest}) {
    REQUIRE_THAT(refused({.pair_axes = {0, 0, 0, 0, 0, 0, 0, 0, axis}}), refuses_value("pair_axes", axis));
  }
  for (const double bad : {double{infinity}, -double{infinity}, double{not_a_number}}) {
    REQUIRE_THAT(refused({.inv_freq = {1, 1, 1, 1, 1, 1, 1, 1, bad}}), refuses_value("inv_freq", bad));
    REQUIRE_THAT(refused({.attention_factor = bad}), refuses_value("attention_factor", bad));
  }
  Buffer<double> inv_freq(reference::rope_inv_freq(10'000, 18));
  const TensorView<const std::int32_t, 2> no_axes{nullptr, {0, 5}};
  REQUIRE_THAT(build_rope_cache(no_axes, inv_freq.view(9), {}, 1, cos.view(5, 9), sin.view(5, 9)),
               refuses_shape("position_ids", 0));
  REQUIRE(cos.untouched());
  REQUIRE(sin.untouched());
  REQUIRE_THAT(try_cache({}, cos, 5, sin, 5), is_ok());
}

TEST_CASE("the xPos cache refuses numbers out of range", "[rope][errors]") {
  Buffer<std::int32_t> positions(consecutive(5));
  Buffer<float> cos(5 * 9);
  Buffer<float> sin(5 * 9);
  const auto build = [&](double last_inv_freq, double scale_base, double gamma) {
    Buffer<double> inv_freq({1, 1, 1, 1, 1, 1, 1, 1, last_inv_freq});
    return build_xpos_cache(positions.view(5), inv_freq.view(9), scale_base, gamma, XposSide::key,
                            cos.view(5, 9), sin.view(5, 9));
  };
  for (const double bad : {double{infinity}, -double{infinity}, double{not_a_number}}) {
    REQUIRE_THAT(build(bad, 512, 0.4), refuses_value("inv_freq", bad));
  }
  for (const double bad : {0.0, -1.0, double{infinity}, double{not_a_number}}) {
    REQUIRE_THAT(build(1, bad, 0.4), refuses_value("scale_base", bad));
    REQUIRE_THAT(build(1, 512, bad), refuses_value("gamma", bad));
  }
  REQUIRE(cos.untouched());
  REQUIRE(sin.untouched());
  REQUIRE_THAT(build(1, 512, 0.4), is_ok());
}

TEST_CASE("rotation refuses caches of another shape, writes nothing, and works again", "[rope][errors]") {
  const RopeLayout layout = GENERATE(RopeLayout::interleaved, RopeLayout::half);
  const HeadsFormat format = GENERATE(HeadsFormat::bshd, HeadsFormat::bhsd);
  Buffer<float> x(3 * 5 * 2 * 18);
  const auto apply = [&](std::size_t cos_rows, std::size_t cos_pairs, std::size_t sin_rows,
                         std::size_t sin_pairs, const Positions& position_ids = {}) {
    Buffer<float> cos(std::vector<float>(cos_rows * cos_pairs, 0.6F));
    Buffer<float> sin(std::vector<float>(sin_rows * sin_pairs, 0.8F));
    Buffer<std::int32_t> ids(position_ids);
    return apply_rope(view_of(x.values(), {format, 3, 5, 2, 18}), cos.view(cos_rows, cos_pairs),
                      sin.view(sin_rows, sin_pairs), ids.view(position_ids.size()), layout);
  };
  REQUIRE_THAT(apply(4, 9, 5, 9), refuses_shape("cos", 4));
  REQUIRE_THAT(apply(6, 9, 6, 9), refuses_shape("cos", 6));
  REQUIRE_THAT(apply(3, 9, 3, 9), refuses_shape("cos", 3));
  REQUIRE_THAT(apply(10, 9, 10, 9), refuses_shape("cos", 10));
  REQUIRE_THAT(apply(5, 9, 4, 9), refuses_shape("sin", 36));
  REQUIRE_THAT(apply(5, 9, 5, 8), refuses_shape("sin", 40));
  REQUIRE_THAT(apply(5, 8, 5, 9), refuses_shape("sin", 45));
  REQUIRE_THAT(apply(5, 9, 9, 5), refuses_shape("sin", 45));
  REQUIRE_THAT(apply(5, 10, 5, 10), refuses_shape("cos", 10));
  REQUIRE_THAT(apply(7, 9, 7, 9, Positions(14)), refuses_shape("position_ids", 14));
  REQUIRE_THAT(apply(7, 9, 7, 9, Positions(16)), refuses_shape("position_ids", 16));
  REQUIRE_THAT(apply(7, 9, 7, 9, Positions(5)), refuses_shape("position_ids", 5));
  REQUIRE(x.untouched());
  REQUIRE_THAT(apply(5, 9, 5, 9), is_ok());
  REQUIRE_THAT(apply(15, 9, 15, 9), is_ok());
  REQUIRE_THAT(apply(7, 9, 7, 9, Positions(15, 6)), is_ok());
}

TEST_CASE("rotation refuses position_ids without a row, and has turned none before", "[rope][errors]") {
  const RopeLayout layout = GENERATE(RopeLayout::interleaved, RopeLayout::half);
  Buffer<float> x(3 * 5 * 2 * 18);
  const std::size_t at = GENERATE(as<std::size_t>(), 0, 7, 14);
  for (const std::int32_t id : {7, -1, 8, highest, lowest}) {
    Positions position_ids(15, 3);
    position_ids[at] = id;
    Buffer<float> cos(std::vector<float>(7 * 9, 0.6F));
    Buffer<float> sin(std::vector<float>(7 * 9, 0.8F));
    Buffer<std::int32_t> ids(position_ids);
    REQUIRE_THAT(apply_rope(view_of(x.values(), {HeadsFormat::bshd, 3, 5, 2, 18}), cos.view(7, 9),
                            sin.view(7, 9), ids.view(15), layout),
                 refuses_value("position_ids", id));
  }
  REQUIRE(x.untouched());
}

TEST_CASE("rotation refuses a rotary_dim too large to double", "[rope][errors]") {
  // 2 * pairs wraps to 0 in size_t, which would pass for a rotary_dim. No element is there, and none may be
  // read.
  constexpr std::size_t pairs = std::numeric_limits<std::size_t>::max() / 2 + 1;
  Buffer<float> x(18);
  float one = 1;
  const TensorView<float, 2> cache{&one, {1, pairs}};
  REQUIRE_THAT(
      apply_rope(view_of(x.values(), {HeadsFormat::bshd, 1, 1, 1, 18}), cache, cache, {}, RopeLayout::half),
      refuses_shape("cos", pairs));
  REQUIRE(x.untouched());
}

TEST_CASE("conversion refuses a rotary_dim that is odd or too large, and an out of another shape",
          "[rope][errors]") {
  const RopeLayout to = GENERATE(RopeLayout::interleaved, RopeLayout::half);
  Buffer<float> x(Random(28).normals(2 * 9 * 3));
  Buffer<float> out(2 * 9 * 3);
  Buffer<float> longer(3 * 9 * 3);
  const auto convert_to = [&](std::size_t rotary_dim, TensorView<float, 3> target) {
    return convert_rope_layout(x.view(2, 9, 3), rotary_dim, to, target);
  };
  REQUIRE_THAT(convert_to(7, out.view(2, 9, 3)), refuses_shape("rotary_dim", 7));
  REQUIRE_THAT(convert_to(10, out.view(2, 9, 3)), refuses_shape("rotary_dim", 10));
  REQUIRE_THAT(convert_to(8, out.view(2, 3, 9)), refuses_shape("out", 54));
  REQUIRE_THAT(convert_to(8, longer.view(3, 9, 3)), refuses_shape("out", 81));
  REQUIRE(out.untouched());
  REQUIRE(longer.untouched());
  REQUIRE_THAT(convert_to(8, out.view(2, 9, 3)), is_ok());
}

}  // namespace

#include "ropewalk/analysis.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <vector>

#include "reference/analysis.hpp"
#include "reference/rope.hpp"
#include "support.hpp"

namespace {

using namespace ropewalk;
using namespace ropewalk::test;

constexpr std::array layouts = {RopeLayout::interleaved, RopeLayout::half};

// ---- Norms ------------------------------------------------------------------------------------------------

std::vector<float> norms(const std::vector<float>& x, std::size_t rows, std::size_t dim) {
  Buffer<float> x_buffer(x);
  Buffer<float> out(rows);
  REQUIRE_THAT(row_norms(x_buffer.view(rows, dim), out.view(rows)), is_ok());
  REQUIRE(out.intact());
  return out.copy();
}

TEST_CASE("norms are rounded once", "[analysis]") {
  Random random(1);
  for (const std::size_t rows : sizes) {
    for (const std::size_t dim : sizes) {
      CAPTURE(rows, dim);
      const std::vector<float> x = random.normals(rows * dim);
      const std::vector<double> exact = reference::row_norms(to_double(x), rows, dim);
      // Half a unit in the last place, and next to nothing for the sum in double.
      REQUIRE_THAT(norms(x, rows, dim),
                   is_within(exact, [&](std::size_t r) { return exact[r] * (0x1p-24 + 0x1p-40); }));
    }
  }
}

TEST_CASE("norms neither overflow nor underflow on the way", "[analysis]") {
  REQUIRE(norms({3e30F, 4e30F, 3e-30F, 4e-30F, 0, 0}, 3, 2) == std::vector<float>{5e30F, 5e-30F, 0});
  REQUIRE(std::isnan(norms({1, 2, not_a_number, 3, 4}, 1, 5)[0]));
  REQUIRE(std::isinf(norms({1, 2, -infinity, 3, 4}, 1, 5)[0]));
}

TEST_CASE("norms refuse an out of another length, write nothing, and work again", "[analysis][errors]") {
  const std::size_t rows = GENERATE(as<std::size_t>(), 4, 6);
  Buffer<float> x(std::vector<float>(5 * 3, 1));
  Buffer<float> out(rows);
  REQUIRE_THAT(row_norms(x.view(5, 3), out.view(rows)), refuses_shape("out", rows));
  REQUIRE(out.untouched());
  REQUIRE(norms(std::vector<float>(5 * 4, 1), 5, 4) == std::vector<float>(5, 2));
}

// ---- Largest difference -----------------------------------------------------------------------------------

float difference(const std::vector<float>& a, const std::vector<float>& b) {
  Buffer<float> a_buffer(a);
  Buffer<float> b_buffer(b);
  float out = -1;
  REQUIRE_THAT(max_abs_difference(a_buffer.view(a.size()), b_buffer.view(b.size()), out), is_ok());
  return out;
}

TEST_CASE("the largest difference is found wherever it is", "[analysis]") {
  for (const std::size_t size : sizes) {
    CAPTURE(size);
    Random random(2);
    const std::vector<float> a = random.normals(size);
    const std::vector<float> b = random.normals(size);
    const double exact = reference::max_abs_difference(to_double(a), to_double(b));
    REQUIRE_THAT((std::vector{difference(a, b)}), is_within({exact}, 0x1p-24 * exact));
    REQUIRE(difference(a, a) == 0);
    for (std::size_t i = 0; i < size; ++i) {
      std::vector<float> moved = a;
      moved[i] = 100;
      REQUIRE(difference(a, moved) == 100 - a[i]);
      REQUIRE(difference(moved, a) == 100 - a[i]);
      moved[i] = infinity;
      REQUIRE(difference(a, moved) == infinity);
    }
  }
}

TEST_CASE("the largest difference is NaN if any element is", "[analysis]") {
  for (const std::size_t size : sizes) {
    const std::vector<float> clean(size, 1);
    for (std::size_t i = 0; i < size; ++i) {
      CAPTURE(size, i);
      std::vector<float> poisoned = clean;
      // Larger ones on either side must not hide it.
      poisoned[0] = 50;
      poisoned[size - 1] = 100;
      poisoned[i] = not_a_number;
      REQUIRE(std::isnan(difference(clean, poisoned)));
      REQUIRE(std::isnan(difference(poisoned, clean)));
    }
  }
}

TEST_CASE("the largest difference refuses sizes that disagree, writes nothing, and works again",
          "[analysis][errors]") {
  Buffer<float> a(5);
  Buffer<float> b(6);
  float out = 17;
  REQUIRE_THAT(max_abs_difference(a.view(5), b.view(6), out), refuses_shape("b", 6));
  REQUIRE(out == 17);
  REQUIRE(difference({1, 2}, {1, 5}) == 3);
}

// ---- Angles -----------------------------------------------------------------------------------------------

std::vector<float> angles(double first_position, double step, std::size_t count,
                          const std::vector<double>& inv_freq) {
  Buffer<double> frequencies(inv_freq);
  Buffer<float> out(count * inv_freq.size());
  REQUIRE_THAT(
      rope_angles(first_position, step, frequencies.view(inv_freq.size()), out.view(count, inv_freq.size())),
      is_ok());
  REQUIRE(out.intact());
  return out.copy();
}

/// The docstring's bound, modulo 2 pi.
void require_angles_keep_their_bound(double first_position, double step, std::size_t count,
                                     const std::vector<double>& inv_freq) {
  CAPTURE(first_position, step, count, inv_freq.size());
  const std::vector<float> got = angles(first_position, step, count, inv_freq);
  const std::vector<double> want = reference::rope_angles(first_position, step, count, inv_freq);
  std::vector<double> distance;
  for (std::size_t i = 0; i < got.size(); ++i) {
    distance.push_back(std::remainder(got[i] - want[i], 2 * std::numbers::pi));
    REQUIRE(std::abs(got[i]) <= std::numbers::pi_v<float>);
  }
  REQUIRE_THAT(distance, is_within(std::vector<double>(got.size()), [&](std::size_t i) {
                 const double travelled = std::abs(static_cast<double>(i / inv_freq.size()) * step);
                 return 0x1p-23 +
                        0x1p-51 * (std::abs(first_position) + travelled) * inv_freq[i % inv_freq.size()];
               }));
}

TEST_CASE("angles keep their bound", "[analysis]") {
  for (const std::size_t n_pairs : sizes) {
    const std::vector<double> inv_freq = reference::rope_inv_freq(10'000, 2 * n_pairs);
    require_angles_keep_their_bound(0, 1, 33, inv_freq);
    require_angles_keep_their_bound(-3.75, 0.125, 17, inv_freq);
    require_angles_keep_their_bound(100'000, 0.1, 17, inv_freq);
    require_angles_keep_their_bound(2'147'483'647, -1e6, 17, inv_freq);
  }
  for (const std::size_t count : sizes) {
    require_angles_keep_their_bound(1e6, 1.0 / 3, count, reference::rope_inv_freq(10'000, 10));
  }
}

TEST_CASE("angles are wrapped to half a turn either way", "[analysis]") {
  constexpr double fifth = 2 * std::numbers::pi / 5;
  REQUIRE_THAT(angles(0, 1, 8, {fifth}),
               is_within({0, fifth, 2 * fifth, -2 * fifth, -fifth, 0, fifth, 2 * fifth}, 0x1p-21));
  REQUIRE_THAT(angles(0, -1, 4, {fifth}), is_within({0, -fifth, -2 * fifth, 2 * fifth}, 0x1p-21));
}

TEST_CASE("angles refuse another width and positions that are not finite, and work again",
          "[analysis][errors]") {
  Buffer<double> inv_freq(reference::rope_inv_freq(10'000, 10));
  Buffer<float> narrow(3 * 4);
  Buffer<float> wide(3 * 6);
  Buffer<float> out(3 * 5);
  REQUIRE_THAT(rope_angles(0, 1, inv_freq.view(5), narrow.view(3, 4)), refuses_shape("out", 4));
  REQUIRE_THAT(rope_angles(0, 1, inv_freq.view(5), wide.view(3, 6)), refuses_shape("out", 6));
  for (const double value : {double{infinity}, -double{infinity}, double{not_a_number}}) {
    REQUIRE_THAT(rope_angles(value, 1, inv_freq.view(5), out.view(3, 5)),
                 refuses_value("first_position", value));
    REQUIRE_THAT(rope_angles(0, value, inv_freq.view(5), out.view(3, 5)), refuses_value("step", value));
  }
  REQUIRE(narrow.untouched());
  REQUIRE(wide.untouched());
  REQUIRE(out.untouched());
  REQUIRE_THAT(rope_angles(0, 1, inv_freq.view(5), out.view(3, 5)), is_ok());
}

// ---- Arrows -----------------------------------------------------------------------------------------------

struct Polar {
  std::vector<float> magnitude;
  std::vector<float> angle;
};

Polar polar(const std::vector<float>& x, RopeLayout layout) {
  Buffer<float> x_buffer(x);
  Buffer<float> magnitude(x.size() / 2);
  Buffer<float> angle(x.size() / 2);
  REQUIRE_THAT(
      pair_polar(x_buffer.view(x.size()), layout, magnitude.view(x.size() / 2), angle.view(x.size() / 2)),
      is_ok());
  REQUIRE(magnitude.intact());
  REQUIRE(angle.intact());
  return {magnitude.copy(), angle.copy()};
}

TEST_CASE("arrows keep their bounds", "[analysis]") {
  Random random(3);
  for (const std::size_t n_pairs : sizes) {
    for (const RopeLayout layout : layouts) {
      CAPTURE(n_pairs, static_cast<int>(layout));
      const std::vector<float> x = random.normals(2 * n_pairs);
      const reference::Polar exact = reference::pair_polar(to_double(x), layout);
      const Polar got = polar(x, layout);
      REQUIRE_THAT(got.magnitude,
                   is_within(exact.magnitude, [&](std::size_t i) { return 0x1p-22 * exact.magnitude[i]; }));
      REQUIRE_THAT(got.angle, is_within(exact.angle, 0x1p-21));
    }
  }
}

TEST_CASE("an arrow points from the first component's axis towards the second's", "[analysis]") {
  constexpr float quarter = std::numbers::pi_v<float> / 2;
  const Polar got = polar({2, 0, 0, 3, -4, 0, 0, -5, 0, 0}, RopeLayout::interleaved);
  REQUIRE(got.magnitude == std::vector<float>{2, 3, 4, 5, 0});
  REQUIRE_THAT(got.angle, is_within({0, quarter, 2 * quarter, -quarter, 0}, 0x1p-21));
}

TEST_CASE("an arrow's length neither overflows nor underflows on the way", "[analysis]") {
  const Polar got = polar({3e30F, 3e-30F, 4e30F, 4e-30F}, RopeLayout::half);
  REQUIRE_THAT(got.magnitude, is_within({5e30, 5e-30}, [](std::size_t i) { return i == 0 ? 2e24 : 2e-36; }));
}

TEST_CASE("arrows refuse an odd head_dim and outputs of another length, and work again",
          "[analysis][errors]") {
  const RopeLayout layout = GENERATE(RopeLayout::interleaved, RopeLayout::half);
  Buffer<float> x(std::vector<float>(7, 1));
  Buffer<float> magnitude(4);
  Buffer<float> angle(4);
  const auto attempt = [&](std::size_t head_dim, std::size_t n_magnitudes, std::size_t n_angles) {
    return pair_polar(TensorView<const float, 1>{x.values().data(), {head_dim}}, layout,
                      TensorView<float, 1>{magnitude.values().data(), {n_magnitudes}},
                      TensorView<float, 1>{angle.values().data(), {n_angles}});
  };
  REQUIRE_THAT(attempt(7, 3, 3), refuses_shape("x", 7));
  REQUIRE_THAT(attempt(6, 2, 3), refuses_shape("magnitude", 2));
  REQUIRE_THAT(attempt(6, 4, 3), refuses_shape("magnitude", 4));
  REQUIRE_THAT(attempt(6, 3, 2), refuses_shape("angle", 2));
  REQUIRE_THAT(attempt(6, 3, 4), refuses_shape("angle", 4));
  REQUIRE(magnitude.untouched());
  REQUIRE(angle.untouched());
  REQUIRE_THAT(attempt(6, 3, 3), is_ok());
}

// ---- Parts of the score -----------------------------------------------------------------------------------

std::vector<float> parts(const std::vector<float>& query, const std::vector<float>& key, RopeLayout layout,
                         float softmax_scale) {
  Buffer<float> query_buffer(query);
  Buffer<float> key_buffer(key);
  Buffer<float> out(query.size() / 2);
  REQUIRE_THAT(pair_scores(query_buffer.view(query.size()), key_buffer.view(key.size()), layout,
                           softmax_scale, out.view(query.size() / 2)),
               is_ok());
  REQUIRE(out.intact());
  return out.copy();
}

TEST_CASE("parts of the score keep their bound, and add up to it", "[analysis]") {
  Random random(4);
  for (const std::size_t n_pairs : sizes) {
    for (const RopeLayout layout : layouts) {
      CAPTURE(n_pairs, static_cast<int>(layout));
      const std::vector<float> query = random.normals(2 * n_pairs);
      const std::vector<float> key = random.normals(2 * n_pairs);
      const float scale = 1 / std::sqrt(static_cast<float>(2 * n_pairs));
      std::vector<double> query_magnitudes = to_double(query);
      std::vector<double> key_magnitudes = to_double(key);
      for (double& value : query_magnitudes) value = std::abs(value);
      for (double& value : key_magnitudes) value = std::abs(value);
      const std::vector<double> magnitudes =
          reference::pair_scores(query_magnitudes, key_magnitudes, layout, scale);
      const std::vector<float> got = parts(query, key, layout, scale);
      REQUIRE_THAT(got, is_within(reference::pair_scores(to_double(query), to_double(key), layout, scale),
                                  [&](std::size_t i) { return 0x1p-22 * magnitudes[i]; }));

      double sum = 0;
      double score = 0;
      double allowed = 0;
      for (std::size_t i = 0; i < n_pairs; ++i) sum += got[i];
      for (std::size_t c = 0; c < 2 * n_pairs; ++c) score += static_cast<double>(query[c]) * key[c] * scale;
      for (const double magnitude : magnitudes) allowed += 0x1p-22 * magnitude;
      REQUIRE(std::abs(sum - score) <= allowed + 0x1p-45);
    }
  }
}

TEST_CASE("parts of the score refuse what disagrees or is not finite, and work again", "[analysis][errors]") {
  const RopeLayout layout = GENERATE(RopeLayout::interleaved, RopeLayout::half);
  Buffer<float> inputs(std::vector<float>(9, 1));
  Buffer<float> out(5);
  const auto attempt = [&](std::size_t query, std::size_t key, std::size_t n_pairs, float softmax_scale) {
    const float* const from = inputs.values().data();
    return pair_scores({from, {query}}, {from, {key}}, layout, softmax_scale,
                       {out.values().data(), {n_pairs}});
  };
  REQUIRE_THAT(attempt(7, 7, 3, 1), refuses_shape("query", 7));
  REQUIRE_THAT(attempt(8, 6, 4, 1), refuses_shape("key", 6));
  REQUIRE_THAT(attempt(8, 9, 4, 1), refuses_shape("key", 9));
  REQUIRE_THAT(attempt(8, 8, 3, 1), refuses_shape("out", 3));
  REQUIRE_THAT(attempt(8, 8, 5, 1), refuses_shape("out", 5));
  for (const float scale : {not_a_number, infinity, -infinity}) {
    REQUIRE_THAT(attempt(8, 8, 4, scale), refuses_value("softmax_scale", static_cast<double>(scale)));
  }
  REQUIRE(out.untouched());
  REQUIRE_THAT(attempt(8, 8, 4, 1), is_ok());
}

}  // namespace

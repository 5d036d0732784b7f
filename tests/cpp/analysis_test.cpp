#include "ropewalk/analysis.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
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

// ---- Norms -----------------------------------------------------------------------------------------------

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

// ---- Largest difference ----------------------------------------------------------------------------------

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

// ---- Angles ----------------------------------------------------------------------------------------------

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

// ---- Arrows ----------------------------------------------------------------------------------------------

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

// ---- Parts of the score ----------------------------------------------------------------------------------

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

// ---- The score at a distance -----------------------------------------------------------------------------

using Mask = std::vector<std::uint8_t>;

struct Score {
  std::vector<float> parts;
  float rest = 0;
  float score = 0;
};

Score score_at(const std::vector<float>& query, const std::vector<float>& key,
               const std::vector<double>& inv_freq, RopeLayout layout, double distance, double softmax_scale,
               const Mask& mask = {}) {
  Buffer<float> query_buffer(query);
  Buffer<float> key_buffer(key);
  Buffer<double> frequencies(inv_freq);
  Buffer<std::uint8_t> mask_buffer(mask);
  Buffer<float> part(inv_freq.size());
  Buffer<float> totals(2);
  REQUIRE_THAT(rope_score(query_buffer.view(query.size()), key_buffer.view(key.size()),
                          frequencies.view(inv_freq.size()), layout, distance, softmax_scale,
                          mask_buffer.view(mask.size()), part.view(inv_freq.size()), totals.view(2)),
               is_ok());
  REQUIRE(part.intact());
  REQUIRE(totals.intact());
  return {part.copy(), totals[0], totals[1]};
}

std::vector<float> scores_by_distance(const std::vector<float>& query, const std::vector<float>& key,
                                      const std::vector<double>& inv_freq, RopeLayout layout,
                                      double first_distance, double step, std::size_t count,
                                      double softmax_scale, const Mask& mask = {}) {
  Buffer<float> query_buffer(query);
  Buffer<float> key_buffer(key);
  Buffer<double> frequencies(inv_freq);
  Buffer<std::uint8_t> mask_buffer(mask);
  Buffer<float> out(count);
  REQUIRE_THAT(rope_score_by_distance(query_buffer.view(query.size()), key_buffer.view(key.size()),
                                      frequencies.view(inv_freq.size()), layout, first_distance, step,
                                      softmax_scale, mask_buffer.view(mask.size()), out.view(count)),
               is_ok());
  REQUIRE(out.intact());
  return out.copy();
}

/// softmax_scale * |q_i| |k_i|, the most that each pair can give; and last the like of what is not rotated.
std::vector<double> most_of(const std::vector<float>& query, const std::vector<float>& key,
                            std::size_t n_pairs, RopeLayout layout, double softmax_scale) {
  std::vector<double> most;
  for (std::size_t i = 0; i < n_pairs; ++i) {
    const auto [a, b] = reference::pair_components(i, 2 * n_pairs, layout);
    most.push_back(std::abs(softmax_scale) * std::hypot(query[a], query[b]) * std::hypot(key[a], key[b]));
  }
  most.push_back(0);
  for (std::size_t c = 2 * n_pairs; c < query.size(); ++c) {
    most.back() += std::abs(softmax_scale * static_cast<double>(query[c]) * key[c]);
  }
  return most;
}

/// Every other pair or so, and never all of them.
Mask random_mask(Random& random, std::size_t n_pairs) {
  Mask mask(n_pairs);
  // Any number but 0 keeps a pair.
  for (std::uint8_t& kept : mask) kept = random.uniform() < 0.5 ? 0 : 2;
  mask[n_pairs / 2] = 0;
  return mask;
}

constexpr std::array distances = {
    0.0, 1.0, -1.0, 0.5, -17.25, 4'095.0, 131'071.0, -1e6 / 3, 2'147'483'647.0, -4'294'967'295.0};

TEST_CASE("the score at a distance keeps its bounds, pair by pair and as a whole", "[analysis][score]") {
  Random random(5);
  for (const std::size_t n_pairs : sizes) {
    for (const std::size_t unrotated : Sizes{0, 1, 5}) {
      for (const RopeLayout layout : layouts) {
        const std::size_t head_dim = 2 * n_pairs + unrotated;
        const double scale = random.uniform() - 0.5;
        const std::vector<float> query = random.normals(head_dim);
        const std::vector<float> key = random.normals(head_dim);
        const std::vector<double> inv_freq = reference::rope_inv_freq(10'000, 2 * n_pairs);
        const std::vector<double> most = most_of(query, key, n_pairs, layout, scale);
        for (const Mask& mask : {Mask{}, Mask(n_pairs, 1), Mask(n_pairs, 0), random_mask(random, n_pairs)}) {
          for (const double distance : distances) {
            CAPTURE(n_pairs, unrotated, static_cast<int>(layout), distance, mask.size());
            const reference::RopeScore want = reference::rope_score(to_double(query), to_double(key),
                                                                    inv_freq, layout, distance, scale, mask);
            const Score got = score_at(query, key, inv_freq, layout, distance, scale, mask);
            const auto in_double = [&](std::size_t i) {
              return most[i] * (0x1p-49 + 0x1p-53 * std::abs(distance * inv_freq[i]));
            };
            REQUIRE_THAT(got.parts, is_within(want.parts, [&](std::size_t i) {
                           return 0x1p-24 * std::abs(want.parts[i]) + in_double(i);
                         }));
            const double rest_error = 0x1p-24 * std::abs(want.rest) + 0x1p-48 * most.back();
            REQUIRE_THAT((std::vector{got.rest}), is_within({want.rest}, rest_error));
            double score_error = 0x1p-24 * std::abs(want.score) + 0x1p-48 * most.back();
            for (std::size_t i = 0; i < n_pairs; ++i) score_error += in_double(i);
            REQUIRE_THAT((std::vector{got.score}), is_within({want.score}, score_error));

            double sum = got.rest;
            double magnitudes = std::abs(got.rest);
            for (std::size_t i = 0; i < n_pairs; ++i) {
              if (!mask.empty() && mask[i] == 0) continue;
              sum += got.parts[i];
              magnitudes += std::abs(got.parts[i]);
            }
            REQUIRE(std::abs(sum - got.score) <= 0x1p-23 * magnitudes);
          }
        }
      }
    }
  }
}

TEST_CASE("the score at a distance is that of query and key rotated to their positions",
          "[analysis][score]") {
  Random random(6);
  constexpr std::size_t head_dim = 22;
  constexpr std::size_t n_pairs = 9;
  const std::vector<double> inv_freq = reference::rope_inv_freq(100, 2 * n_pairs);
  for (const RopeLayout layout : layouts) {
    for (const auto& [query_position, key_position] :
         {std::array{0, 0}, std::array{5, 0}, std::array{0, 5}, std::array{1'003, 998}, std::array{-7, 40}}) {
      CAPTURE(static_cast<int>(layout), query_position, key_position);
      const std::vector<float> query = random.normals(head_dim);
      const std::vector<float> key = random.normals(head_dim);
      const auto rotated = [&](const std::vector<float>& vector, std::int32_t position) {
        std::vector<double> x = to_double(vector);
        std::vector<double> cos;
        std::vector<double> sin;
        for (const double frequency : inv_freq) {
          cos.push_back(std::cos(position * frequency));
          sin.push_back(std::sin(position * frequency));
        }
        reference::apply_rope(x, {.head_dim = head_dim}, cos, sin, std::array{0}, 2 * n_pairs, layout);
        return x;
      };
      const std::vector<double> q = rotated(query, query_position);
      const std::vector<double> k = rotated(key, key_position);
      double score = 0;
      for (std::size_t c = 0; c < head_dim; ++c) score += q[c] * k[c];
      const double distance = query_position - key_position;
      const Score got = score_at(query, key, inv_freq, layout, distance, 1);
      REQUIRE_THAT((std::vector{got.score}), is_within({score}, 0x1p-20));
      REQUIRE_THAT(scores_by_distance(query, key, inv_freq, layout, distance, 1, 1, 1),
                   is_within({score}, 0x1p-20));
      std::vector<double> parts_of_rotated;
      for (std::size_t i = 0; i < n_pairs; ++i) {
        const auto [a, b] = reference::pair_components(i, 2 * n_pairs, layout);
        parts_of_rotated.push_back(q[a] * k[a] + q[b] * k[b]);
      }
      REQUIRE_THAT(got.parts, is_within(parts_of_rotated, 0x1p-20));
    }
  }
}

TEST_CASE("a query a quarter turn behind meets its key after a quarter turn", "[analysis][score]") {
  // The query looks along a, the key along b; a query one token later has turned towards the key.
  constexpr double quarter = std::numbers::pi / 2;
  for (const RopeLayout layout : layouts) {
    REQUIRE_THAT(score_at({2, 0}, {0, 3}, {quarter}, layout, 1, 0.5).parts, is_within({3}, 0x1p-22));
    REQUIRE_THAT(score_at({2, 0}, {0, 3}, {quarter}, layout, -1, 0.5).parts, is_within({-3}, 0x1p-22));
    REQUIRE_THAT(scores_by_distance({2, 0}, {0, 3}, {quarter}, layout, -1, 0.5, 5, 0.5),
                 is_within({-3, -3 * std::sqrt(0.5), 0, 3 * std::sqrt(0.5), 3}, 0x1p-22));
  }
}

TEST_CASE("what a pair left out holds does not reach the score", "[analysis][score]") {
  const std::vector<float> query = {1, not_a_number, 2, 3, 4};
  const std::vector<float> key = {1, 1, 1, 1, 1};
  const Score got = score_at(query, key, {1, 1}, RopeLayout::interleaved, 0, 1, {0, 1});
  REQUIRE(std::isnan(got.parts[0]));
  REQUIRE(got.parts[1] == 5);
  REQUIRE(got.rest == 4);
  REQUIRE(got.score == 9);
  REQUIRE(scores_by_distance(query, key, {1, 1}, RopeLayout::interleaved, 0, 1, 1, 1, {0, 1}) ==
          std::vector<float>{9});
  REQUIRE(std::isnan(score_at(query, key, {1, 1}, RopeLayout::interleaved, 0, 1, {1, 1}).score));
}

/// first + s * step, as a double holds it.
std::vector<double> spaced(double first, double step, std::size_t count) {
  std::vector<double> values;
  for (std::size_t s = 0; s < count; ++s) values.push_back(first + static_cast<double>(s) * step);
  return values;
}

/// Radians by which an angle may be off at each of these distances: that of the docstrings.
double angle_error(double first, double step, std::size_t s, double inv_freq) {
  return 0x1p-44 + 0x1p-51 * (std::abs(first) + std::abs(static_cast<double>(s) * step)) * std::abs(inv_freq);
}

void require_scores_keep_their_bound(std::size_t n_pairs, std::size_t unrotated, double first, double step,
                                     std::size_t count) {
  static Random random(7);
  const std::vector<float> query = random.normals(2 * n_pairs + unrotated);
  const std::vector<float> key = random.normals(2 * n_pairs + unrotated);
  const std::vector<double> inv_freq = reference::rope_inv_freq(10'000, 2 * n_pairs);
  const double scale = random.uniform() - 0.5;
  for (const RopeLayout layout : layouts) {
    for (const Mask& mask : {Mask{}, random_mask(random, n_pairs)}) {
      CAPTURE(n_pairs, unrotated, first, step, count, static_cast<int>(layout), mask.size());
      const std::vector<double> most = most_of(query, key, n_pairs, layout, scale);
      std::vector<double> want;
      for (const double distance : spaced(first, step, count)) {
        want.push_back(
            reference::rope_score(to_double(query), to_double(key), inv_freq, layout, distance, scale, mask)
                .score);
      }
      REQUIRE_THAT(scores_by_distance(query, key, inv_freq, layout, first, step, count, scale, mask),
                   is_within(want, [&](std::size_t s) {
                     double allowed = 0x1p-24 * std::abs(want[s]) + 0x1p-48 * most.back();
                     for (std::size_t i = 0; i < n_pairs; ++i) {
                       allowed += most[i] * angle_error(first, step, s, inv_freq[i]);
                     }
                     return allowed;
                   }));
    }
  }
}

TEST_CASE("scores by distance keep their bound", "[analysis][score]") {
  for (const std::size_t n_pairs : sizes) require_scores_keep_their_bound(n_pairs, 3, -4, 1, 33);
  // Around the number of distances that are dealt with at a time.
  for (const std::size_t count : Sizes{1, 2, 3, 63, 64, 65, 127, 128, 129, 255, 256, 257, 700}) {
    require_scores_keep_their_bound(5, 0, 0, 1, count);
    require_scores_keep_their_bound(3, 1, 100'000, -0.37, count);
  }
  require_scores_keep_their_bound(8, 0, 12.5, 0, 200);
  require_scores_keep_their_bound(8, 0, -2'147'483'648.0, 1e6 + 1.0 / 3, 5'000);
}

TEST_CASE("scores refuse what disagrees or is not finite, write nothing, and work again",
          "[analysis][score][errors]") {
  struct Attempt {
    std::size_t query = 8;
    std::size_t key = 8;
    std::size_t n_pairs = 3;
    std::size_t mask = 0;
    std::size_t parts = 3;
    std::size_t totals = 2;
    double inv_freq = 1;
    double distance = 1;
    double step = 1;
    double softmax_scale = 1;
  };
  Buffer<float> inputs(std::vector<float>(9, 1));
  Buffer<std::uint8_t> mask(Mask(9, 1));
  Buffer<float> parts_buffer(9);
  Buffer<float> totals(3);
  Buffer<float> out(5);
  const auto frequencies = [](const Attempt& a) {
    std::vector<double> inv_freq(a.n_pairs, 1);
    inv_freq.back() = a.inv_freq;
    return inv_freq;
  };
  const auto one = [&](const Attempt& a) {
    const float* const from = inputs.values().data();
    const std::vector<double> inv_freq = frequencies(a);
    return rope_score({from, {a.query}}, {from, {a.key}}, {inv_freq.data(), {a.n_pairs}}, RopeLayout::half,
                      a.distance, a.softmax_scale, {mask.values().data(), {a.mask}},
                      {parts_buffer.values().data(), {a.parts}}, {totals.values().data(), {a.totals}});
  };
  const auto many = [&](const Attempt& a) {
    const float* const from = inputs.values().data();
    const std::vector<double> inv_freq = frequencies(a);
    return rope_score_by_distance({from, {a.query}}, {from, {a.key}}, {inv_freq.data(), {a.n_pairs}},
                                  RopeLayout::half, a.distance, a.step, a.softmax_scale,
                                  {mask.values().data(), {a.mask}}, out.view(5));
  };
  const auto both_refuse = [&](const Attempt& attempt, const Refuses& refusal) {
    REQUIRE_THAT(one(attempt), refusal);
    REQUIRE_THAT(many(attempt), refusal);
  };
  both_refuse({.key = 7}, refuses_shape("key", 7));
  both_refuse({.key = 9}, refuses_shape("key", 9));
  both_refuse({.n_pairs = 5, .parts = 5}, refuses_shape("inv_freq", 5));
  both_refuse({.query = 9, .key = 9, .n_pairs = 5, .parts = 5}, refuses_shape("inv_freq", 5));
  both_refuse({.mask = 2}, refuses_shape("pair_mask", 2));
  both_refuse({.mask = 4}, refuses_shape("pair_mask", 4));
  REQUIRE_THAT(one({.parts = 2}), refuses_shape("parts", 2));
  REQUIRE_THAT(one({.parts = 4}), refuses_shape("parts", 4));
  REQUIRE_THAT(one({.totals = 1}), refuses_shape("totals", 1));
  REQUIRE_THAT(one({.totals = 3}), refuses_shape("totals", 3));
  for (const double value : {double{infinity}, -double{infinity}, double{not_a_number}}) {
    both_refuse({.inv_freq = value}, refuses_value("inv_freq", value));
    both_refuse({.softmax_scale = value}, refuses_value("softmax_scale", value));
    REQUIRE_THAT(one({.distance = value}), refuses_value("distance", value));
    REQUIRE_THAT(many({.distance = value}), refuses_value("first_distance", value));
    REQUIRE_THAT(many({.step = value}), refuses_value("step", value));
  }
  REQUIRE(parts_buffer.untouched());
  REQUIRE(totals.untouched());
  REQUIRE(out.untouched());
  for (const Attempt& attempt : {Attempt{}, Attempt{.mask = 3}, Attempt{.n_pairs = 4, .parts = 4}}) {
    REQUIRE_THAT(one(attempt), is_ok());
    REQUIRE_THAT(many(attempt), is_ok());
  }
}

// ---- Random scores ---------------------------------------------------------------------------------------

struct Spread {
  std::vector<float> mean;
  std::vector<float> deviation;
};

Spread random_scores(const std::vector<double>& inv_freq, std::uint32_t seed, std::uint32_t draws,
                     double correlation, double first_distance, double step, std::size_t count) {
  Buffer<double> frequencies(inv_freq);
  Buffer<float> mean(count);
  Buffer<float> deviation(count);
  REQUIRE_THAT(rope_random_scores(frequencies.view(inv_freq.size()), seed, draws, correlation, first_distance,
                                  step, mean.view(count), deviation.view(count)),
               is_ok());
  REQUIRE(mean.intact());
  REQUIRE(deviation.intact());
  return {mean.copy(), deviation.copy()};
}

void require_random_scores_are_those_of_the_reference(std::size_t n_pairs, std::uint32_t seed,
                                                      std::uint32_t draws, double correlation, double first,
                                                      double step, std::size_t count) {
  CAPTURE(n_pairs, seed, draws, correlation, first, step, count);
  const std::vector<double> inv_freq = reference::rope_inv_freq(10'000, 2 * n_pairs);
  const reference::RandomScores want =
      reference::rope_random_scores(inv_freq, seed, draws, correlation, spaced(first, step, count));
  const Spread got = random_scores(inv_freq, seed, draws, correlation, first, step, count);
  // No score passes softmax_scale * |q| |k|, and no component 6.
  const double most = 0x1p-40 * 36 * 2 * static_cast<double>(n_pairs);
  REQUIRE_THAT(got.mean,
               is_within(want.mean, [&](std::size_t s) { return 0x1p-24 * std::abs(want.mean[s]) + most; }));
  REQUIRE_THAT(got.deviation,
               is_within(want.deviation, [&](std::size_t s) { return 0x1p-24 * want.deviation[s] + most; }));
}

TEST_CASE("random scores are those of the reference's own draws", "[analysis][score][seeded]") {
  for (const std::size_t n_pairs : Sizes{1, 3, 4, 5, 8, 33}) {
    for (const double correlation : {0.0, 0.4, -0.7, 1.0, -1.0}) {
      require_random_scores_are_those_of_the_reference(n_pairs, 42, 9, correlation, -2, 0.75, 11);
    }
  }
  for (const std::uint32_t draws : {1U, 2U, 7U, 8U, 9U, 16U, 17U, 40U}) {
    require_random_scores_are_those_of_the_reference(3, 0xffffffffU, draws, 0.3, 0, 1, 5);
  }
  for (const std::size_t count : Sizes{1, 2, 127, 128, 129, 300}) {
    require_random_scores_are_those_of_the_reference(2, 7, 10, 0.6, 3, 1, count);
  }
  for (const std::uint32_t seed : {0U, 1U, 0x40000000U, 0x80000000U}) {
    require_random_scores_are_those_of_the_reference(2, seed, 4, 0, 0, 2, 3);
  }
}

/// At every fourth distance up to 512, so that a chance event at one of them is not seen at all.
constexpr std::uint32_t n_random_draws = 4'000;
constexpr std::size_t n_random_distances = 129;

TEST_CASE("random scores have the mean that their correlation gives them at each distance",
          "[analysis][score][seeded]") {
  const double correlation = GENERATE(0.0, 1.0, 0.5, -0.25, -1.0);
  const std::uint32_t seed = GENERATE(1U, 2U);
  CAPTURE(correlation, seed);
  constexpr std::size_t n_pairs = 32;
  const std::vector<double> inv_freq = reference::rope_inv_freq(10'000, 2 * n_pairs);
  const Spread got = random_scores(inv_freq, seed, n_random_draws, correlation, 0, 4, n_random_distances);
  // A pair's q · k is 2 * correlation on average, and q_a k_b - q_b k_a nothing.
  std::vector<double> want;
  for (const double distance : spaced(0, 4, n_random_distances)) {
    double sum = 0;
    for (const double frequency : inv_freq) sum += 2 * correlation * std::cos(distance * frequency);
    want.push_back(sum / std::sqrt(2.0 * n_pairs));
  }
  REQUIRE_THAT(got.mean, is_within(want, [&](std::size_t s) {
                 return 5 * got.deviation[s] / std::sqrt(static_cast<double>(n_random_draws));
               }));
}

TEST_CASE("scores of independent vectors deviate by 1 at every distance", "[analysis][score][seeded]") {
  constexpr std::size_t n_pairs = 32;
  const Spread got = random_scores(reference::rope_inv_freq(10'000, 2 * n_pairs), 3, n_random_draws, 0, 0, 4,
                                   n_random_distances);
  // Five standard errors of a deviation, sqrt((kurtosis - 1) / 4 / draws); products of nearly normal numbers
  // have a kurtosis below 9, and their sum over 64 components one below 3.1.
  const double allowed = 5 * std::sqrt(2.1 / 4 / n_random_draws);
  REQUIRE_THAT(got.deviation, is_within(std::vector<double>(n_random_distances, 1), allowed));
}

TEST_CASE("a single draw has no deviation, and one of a vector with itself is its square",
          "[analysis][score][seeded]") {
  const Spread single = random_scores({1, 0.1}, 5, 1, 1, 0, 1, 7);
  REQUIRE(single.deviation == std::vector<float>(7, 0));
  REQUIRE(single.mean[0] > 0);
  const Spread opposite = random_scores({1, 0.1}, 5, 1, -1, 0, 1, 7);
  for (std::size_t s = 0; s < 7; ++s) REQUIRE(opposite.mean[s] == -single.mean[s]);
}

TEST_CASE("random scores depend on the seed, and on nothing but what they are given",
          "[analysis][score][seeded]") {
  const Spread first = random_scores({1, 0.1, 0.01}, 8, 20, 0.5, 0, 1, 150);
  const Spread again = random_scores({1, 0.1, 0.01}, 8, 20, 0.5, 0, 1, 150);
  REQUIRE_THAT(again.mean, has_bits_of(first.mean));
  REQUIRE_THAT(again.deviation, has_bits_of(first.deviation));
  const Spread other = random_scores({1, 0.1, 0.01}, 9, 20, 0.5, 0, 1, 150);
  for (std::size_t s = 0; s < 150; ++s) REQUIRE(other.mean[s] != first.mean[s]);
}

TEST_CASE("random scores refuse what disagrees or is not finite, write nothing, and work again",
          "[analysis][score][errors]") {
  struct Attempt {
    double inv_freq = 1;
    std::uint32_t draws = 2;
    double correlation = 0;
    double first_distance = 0;
    double step = 1;
    std::size_t deviation = 3;
  };
  Buffer<float> mean(3);
  Buffer<float> deviation(4);
  const auto attempt = [&](const Attempt& a) {
    const std::array inv_freq = {1.0, a.inv_freq};
    return rope_random_scores({inv_freq.data(), {2}}, 1, a.draws, a.correlation, a.first_distance, a.step,
                              mean.view(3), {deviation.values().data(), {a.deviation}});
  };
  REQUIRE_THAT(attempt({.deviation = 2}), refuses_shape("deviation", 2));
  REQUIRE_THAT(attempt({.deviation = 4}), refuses_shape("deviation", 4));
  REQUIRE_THAT(attempt({.draws = 0}), refuses_value("draws", 0));
  for (const double value : {1.0 + 0x1p-52, -1.0 - 0x1p-52, 7.0}) {
    REQUIRE_THAT(attempt({.correlation = value}), refuses_value("correlation", value));
  }
  for (const double value : {double{infinity}, -double{infinity}, double{not_a_number}}) {
    REQUIRE_THAT(attempt({.inv_freq = value}), refuses_value("inv_freq", value));
    REQUIRE_THAT(attempt({.correlation = value}), refuses_value("correlation", value));
    REQUIRE_THAT(attempt({.first_distance = value}), refuses_value("first_distance", value));
    REQUIRE_THAT(attempt({.step = value}), refuses_value("step", value));
  }
  REQUIRE(mean.untouched());
  REQUIRE(deviation.untouched());
  REQUIRE_THAT(attempt({}), is_ok());
}

// ---- RoFormer's bound ------------------------------------------------------------------------------------

std::vector<float> decay_bound(const std::vector<double>& inv_freq, double first_distance, double step,
                               std::size_t count) {
  Buffer<double> frequencies(inv_freq);
  Buffer<float> out(count);
  REQUIRE_THAT(rope_decay_bound(frequencies.view(inv_freq.size()), first_distance, step, out.view(count)),
               is_ok());
  REQUIRE(out.intact());
  return out.copy();
}

void require_decay_keeps_its_bound(std::size_t n_pairs, double first, double step, std::size_t count) {
  CAPTURE(n_pairs, first, step, count);
  const std::vector<double> inv_freq = reference::rope_inv_freq(10'000, 2 * n_pairs);
  std::vector<double> want;
  for (const double distance : spaced(first, step, count)) {
    want.push_back(reference::rope_decay_bound(inv_freq, distance));
  }
  REQUIRE_THAT(decay_bound(inv_freq, first, step, count), is_within(want, [&](std::size_t s) {
                 double allowed = 0x1p-24 * want[s];
                 for (const double frequency : inv_freq) allowed += angle_error(first, step, s, frequency);
                 return allowed;
               }));
}

TEST_CASE("RoFormer's bound keeps its own", "[analysis][decay]") {
  for (const std::size_t n_pairs : sizes) require_decay_keeps_its_bound(n_pairs, -5, 1, 33);
  for (const std::size_t count : Sizes{1, 2, 3, 127, 128, 129, 257, 500}) {
    require_decay_keeps_its_bound(7, 0, 0.5, count);
    require_decay_keeps_its_bound(4, 250'000, -31.7, count);
  }
  require_decay_keeps_its_bound(16, -2'147'483'648.0, 4e6, 1'000);
}

TEST_CASE("RoFormer's bound begins at (n_pairs + 1) / 2, is even, and holds", "[analysis][decay]") {
  Random random(8);
  for (const std::size_t n_pairs : sizes) {
    CAPTURE(n_pairs);
    const auto count = static_cast<double>(n_pairs);
    const std::vector<double> inv_freq = reference::rope_inv_freq(10'000, 2 * n_pairs);
    const std::vector<float> bound = decay_bound(inv_freq, 0, 3, 100);
    REQUIRE(bound[0] == static_cast<float>((count + 1) / 2));
    REQUIRE_THAT(decay_bound(inv_freq, 0, -3, 100), is_within(to_double(bound), 0x1p-20 * count));

    // Eq. 36 and 37: |score| <= max |h_{i+1} - h_i| * sum_j |S_j|, where h_i are the pairs' products as
    // complex numbers, and the one after the last is 0.
    const std::vector<float> query = random.normals(2 * n_pairs);
    const std::vector<float> key = random.normals(2 * n_pairs);
    double largest = 0;
    for (std::size_t i = 0; i < n_pairs; ++i) {
      const auto product = [&](std::size_t pair, std::size_t turned) {
        if (pair == n_pairs) return 0.0;
        const double a = query[2 * pair];
        const double b = query[2 * pair + 1];
        return a * key[2 * pair + turned] + (turned == 0 ? b : -b) * key[2 * pair + 1 - turned];
      };
      largest =
          std::max(largest, std::hypot(product(i + 1, 0) - product(i, 0), product(i + 1, 1) - product(i, 1)));
    }
    const std::vector<float> scores =
        scores_by_distance(query, key, inv_freq, RopeLayout::interleaved, 0, 3, 100, 1);
    for (std::size_t s = 0; s < 100; ++s) {
      REQUIRE(std::abs(scores[s]) <= largest * count * bound[s] * (1 + 0x1p-20));
    }
  }
}

TEST_CASE("RoFormer's bound refuses what is not finite, writes nothing, and works again",
          "[analysis][decay][errors]") {
  Buffer<float> out(3);
  const auto attempt = [&](double inv_freq, double first_distance, double step) {
    const std::array frequencies = {1.0, inv_freq};
    return rope_decay_bound({frequencies.data(), {2}}, first_distance, step, out.view(3));
  };
  for (const double value : {double{infinity}, -double{infinity}, double{not_a_number}}) {
    REQUIRE_THAT(attempt(value, 0, 1), refuses_value("inv_freq", value));
    REQUIRE_THAT(attempt(1, value, 1), refuses_value("first_distance", value));
    REQUIRE_THAT(attempt(1, 0, value), refuses_value("step", value));
  }
  REQUIRE(out.untouched());
  REQUIRE_THAT(attempt(1, 0, 1), is_ok());
}

// ---- Periods ---------------------------------------------------------------------------------------------

struct Periods {
  std::vector<double> wavelength;
  std::vector<double> turns;
};

Periods periods(const std::vector<double>& inv_freq, double context_len) {
  Buffer<double> frequencies(inv_freq);
  Buffer<double> wavelength(inv_freq.size());
  Buffer<double> turns(inv_freq.size());
  REQUIRE_THAT(rope_periods(frequencies.view(inv_freq.size()), context_len, wavelength.view(inv_freq.size()),
                            turns.view(inv_freq.size())),
               is_ok());
  REQUIRE(wavelength.intact());
  REQUIRE(turns.intact());
  return {wavelength.copy(), turns.copy()};
}

/// From a double to the next one.
double ulp(double value) {
  const double magnitude = std::abs(value);
  return std::nextafter(magnitude, std::numeric_limits<double>::infinity()) - magnitude;
}

TEST_CASE("periods keep their bounds", "[analysis][periods]") {
  for (const std::size_t n_pairs : sizes) {
    for (const double context_len : {1.0, 0.75, 4'096.0, 131'072.0, 1e12 / 3}) {
      CAPTURE(n_pairs, context_len);
      std::vector<double> inv_freq = reference::rope_inv_freq(500'000, 2 * n_pairs);
      // A pair that turns the other way has the same period.
      inv_freq.back() *= -1;
      const std::vector<double> wavelength = reference::rope_wavelengths(inv_freq);
      std::vector<double> turns;
      for (const double frequency : inv_freq) {
        turns.push_back(static_cast<double>(context_len * static_cast<long double>(std::abs(frequency)) /
                                            (2 * std::numbers::pi_v<long double>)));
      }
      const Periods got = periods(inv_freq, context_len);
      REQUIRE_THAT(got.wavelength,
                   is_within(wavelength, [&](std::size_t i) { return 2 * ulp(wavelength[i]); }));
      REQUIRE_THAT(got.turns, is_within(turns, [&](std::size_t i) { return 2 * ulp(turns[i]); }));
    }
  }
}

TEST_CASE("a pair that does not turn has no end to its period", "[analysis][periods]") {
  const Periods got = periods({0.0, -0.0, 1e-310, 2 * std::numbers::pi}, 1e308);
  REQUIRE(got.wavelength == std::vector<double>{double{infinity}, double{infinity}, double{infinity}, 1});
  REQUIRE(got.turns[0] == 0);
  REQUIRE(got.turns[1] == 0);
  // Its period is too long for a double; the turns are not.
  REQUIRE(std::abs(got.turns[2] - 1e-2 / (2 * std::numbers::pi)) <= 1e-15);
  REQUIRE(got.turns[3] == 1e308);
}

TEST_CASE("periods refuse what disagrees or is not finite, write nothing, and work again",
          "[analysis][periods][errors]") {
  Buffer<double> wavelength(4);
  Buffer<double> turns(4);
  const auto attempt = [&](std::size_t n_wavelengths, std::size_t n_turns, double inv_freq,
                           double context_len) {
    const std::array frequencies = {1.0, 0.5, inv_freq};
    return rope_periods({frequencies.data(), {3}}, context_len, {wavelength.values().data(), {n_wavelengths}},
                        {turns.values().data(), {n_turns}});
  };
  REQUIRE_THAT(attempt(2, 3, 1, 1), refuses_shape("wavelength", 2));
  REQUIRE_THAT(attempt(4, 3, 1, 1), refuses_shape("wavelength", 4));
  REQUIRE_THAT(attempt(3, 2, 1, 1), refuses_shape("turns", 2));
  REQUIRE_THAT(attempt(3, 4, 1, 1), refuses_shape("turns", 4));
  for (const double value : {double{infinity}, -double{infinity}, double{not_a_number}}) {
    REQUIRE_THAT(attempt(3, 3, value, 1), refuses_value("inv_freq", value));
    REQUIRE_THAT(attempt(3, 3, 1, value), refuses_value("context_len", value));
  }
  REQUIRE_THAT(attempt(3, 3, 1, 0), refuses_value("context_len", 0));
  REQUIRE_THAT(attempt(3, 3, 1, -1), refuses_value("context_len", -1));
  REQUIRE(wavelength.untouched());
  REQUIRE(turns.untouched());
  REQUIRE_THAT(attempt(3, 3, 1, 1), is_ok());
}

// ---- Rows against rows -----------------------------------------------------------------------------------

std::vector<float> cosines(const std::vector<float>& a, const std::vector<float>& b, std::size_t rows,
                           std::size_t dim) {
  Buffer<float> a_buffer(a);
  Buffer<float> b_buffer(b);
  Buffer<float> out(rows);
  REQUIRE_THAT(row_cosines(a_buffer.view(rows, dim), b_buffer.view(rows, dim), out.view(rows)), is_ok());
  REQUIRE(out.intact());
  return out.copy();
}

TEST_CASE("cosines of rows are rounded once", "[analysis][rows]") {
  Random random(9);
  for (const std::size_t rows : sizes) {
    for (const std::size_t dim : sizes) {
      CAPTURE(rows, dim);
      const std::vector<float> a = random.normals(rows * dim);
      const std::vector<float> b = random.normals(rows * dim);
      const std::vector<double> exact = reference::row_cosines(to_double(a), to_double(b), rows, dim);
      const std::vector<float> got = cosines(a, b, rows, dim);
      REQUIRE_THAT(got,
                   is_within(exact, [&](std::size_t r) { return std::abs(exact[r]) * 0x1p-24 + 0x1p-44; }));
      for (const float cosine : got) REQUIRE(std::abs(cosine) <= 1);
    }
  }
}

TEST_CASE("cosines know the direction alone, from none to either end", "[analysis][rows]") {
  REQUIRE(cosines({1, 0, 2, 0, 3, -4, 0, 0, 5, 6}, {0, 7, 1, 0, -6, 8, 1, 2, 0, 0}, 5, 2) ==
          std::vector<float>{0, 1, -1, 0, 0});
  REQUIRE_THAT(cosines({3e38F, 0, 1e-45F, 0}, {3e38F, 3e38F, 1e-45F, 1e-45F}, 2, 2),
               is_within({std::sqrt(0.5), std::sqrt(0.5)}, 0x1p-24));
  Random random(10);
  for (const std::size_t dim : sizes) {
    const std::vector<float> a = random.normals(dim);
    std::vector<float> opposite = a;
    for (float& component : opposite) component *= -2;
    REQUIRE(cosines(a, a, 1, dim)[0] == 1);
    REQUIRE(cosines(a, opposite, 1, dim)[0] == -1);
  }
  REQUIRE(std::isnan(cosines({1, 2, 3, 4, not_a_number}, {1, 1, 1, 1, 1}, 1, 5)[0]));
  REQUIRE(std::isnan(cosines({1, 1, 1, 1, 1}, {1, not_a_number, 3, 4, 5}, 1, 5)[0]));
}

TEST_CASE("cosines of rows refuse shapes that disagree, write nothing, and work again",
          "[analysis][rows][errors]") {
  Buffer<float> a(std::vector<float>(12, 1));
  Buffer<float> b(std::vector<float>(12, 1));
  Buffer<float> out(4);
  const auto attempt = [&](std::size_t rows, std::size_t dim, std::size_t count) {
    return row_cosines(a.view(3, 4), {b.values().data(), {rows, dim}}, {out.values().data(), {count}});
  };
  REQUIRE_THAT(attempt(4, 3, 3), refuses_shape("b", 12));
  REQUIRE_THAT(attempt(2, 4, 3), refuses_shape("b", 8));
  REQUIRE_THAT(attempt(3, 3, 3), refuses_shape("b", 9));
  REQUIRE_THAT(attempt(3, 4, 2), refuses_shape("out", 2));
  REQUIRE_THAT(attempt(3, 4, 4), refuses_shape("out", 4));
  REQUIRE(out.untouched());
  REQUIRE_THAT(attempt(3, 4, 3), is_ok());
}

std::vector<float> steps(const std::vector<float>& x, std::size_t rows, std::size_t dim) {
  Buffer<float> x_buffer(x);
  Buffer<float> out(rows - 1);
  REQUIRE_THAT(neighbour_distances(x_buffer.view(rows, dim), out.view(rows - 1)), is_ok());
  REQUIRE(out.intact());
  return out.copy();
}

TEST_CASE("distances of neighbours are rounded once", "[analysis][rows]") {
  Random random(11);
  for (const std::size_t rows : Sizes{2, 3, 4, 5, 17}) {
    for (const std::size_t dim : sizes) {
      CAPTURE(rows, dim);
      const std::vector<float> x = random.normals(rows * dim);
      const std::vector<double> exact = reference::neighbour_distances(to_double(x), rows, dim);
      REQUIRE_THAT(steps(x, rows, dim),
                   is_within(exact, [&](std::size_t r) { return exact[r] * (0x1p-24 + 0x1p-40); }));
    }
  }
  REQUIRE(steps({0, 0, 3, 4, 3, 4, -3e30F, 4e30F, -3e30F, -4e30F}, 5, 2) ==
          std::vector<float>{5, 0, 5e30F, 8e30F});
  // Where float would have lost the difference already.
  REQUIRE(steps({1, 1e30F, 1, -1e-30F}, 4, 1) == std::vector<float>{1e30F, 1e30F, 1});
  REQUIRE(std::isnan(steps({1, 2, not_a_number}, 3, 1)[1]));
}

TEST_CASE("distances of neighbours refuse one row and an out of another length, and work again",
          "[analysis][rows][errors]") {
  Buffer<float> x(std::vector<float>(12, 1));
  Buffer<float> out(4);
  const auto attempt = [&](std::size_t rows, std::size_t count) {
    return neighbour_distances({x.values().data(), {rows, 3}}, {out.values().data(), {count}});
  };
  REQUIRE_THAT(attempt(1, 0), refuses_shape("x", 1));
  REQUIRE_THAT(attempt(1, 1), refuses_shape("x", 1));
  REQUIRE_THAT(attempt(4, 2), refuses_shape("out", 2));
  REQUIRE_THAT(attempt(4, 4), refuses_shape("out", 4));
  REQUIRE(out.untouched());
  REQUIRE_THAT(attempt(4, 3), is_ok());
}

std::vector<float> similar(const std::vector<float>& x, std::size_t rows, std::size_t dim, bool cosine) {
  Buffer<float> x_buffer(x);
  Buffer<float> out(rows * rows);
  REQUIRE_THAT(similarity(x_buffer.view(rows, dim), cosine, out.view(rows, rows)), is_ok());
  REQUIRE(out.intact());
  return out.copy();
}

void require_similarity_is_rounded_once(std::size_t rows, std::size_t dim) {
  static Random random(12);
  CAPTURE(rows, dim);
  const std::vector<float> x = random.normals(rows * dim);
  std::vector<float> magnitudes = x;
  for (float& component : magnitudes) component = std::abs(component);
  const std::vector<double> most = reference::similarity(to_double(magnitudes), rows, dim, false);
  const std::vector<double> products = reference::similarity(to_double(x), rows, dim, false);
  REQUIRE_THAT(similar(x, rows, dim, false), is_within(products, [&](std::size_t i) {
                 return 0x1p-24 * std::abs(products[i]) + 0x1p-44 * most[i];
               }));
  const std::vector<double> exact = reference::similarity(to_double(x), rows, dim, true);
  const std::vector<float> got = similar(x, rows, dim, true);
  REQUIRE_THAT(got, is_within(exact, [&](std::size_t i) { return 0x1p-24 * std::abs(exact[i]) + 0x1p-44; }));
  for (std::size_t i = 0; i < rows; ++i) {
    REQUIRE(got[i * rows + i] == 1);
    for (std::size_t j = 0; j < i; ++j) REQUIRE(got[i * rows + j] == got[j * rows + i]);
  }
}

TEST_CASE("similarity is rounded once", "[analysis][rows]") {
  for (const std::size_t dim : sizes) require_similarity_is_rounded_once(7, dim);
  // Around the number of columns that are dealt with at a time.
  for (const std::size_t rows : Sizes{1, 2, 3, 33, 63, 64, 65, 127, 128, 129, 150}) {
    require_similarity_is_rounded_once(rows, 5);
  }
}

TEST_CASE("a row without length is like none", "[analysis][rows]") {
  REQUIRE(similar({3, 4, 0, 0, -8, 6}, 3, 2, true) == std::vector<float>{1, 0, 0, 0, 0, 0, 0, 0, 1});
  REQUIRE(similar({3, 4, 0, 0, -8, 7}, 3, 2, false) == std::vector<float>{25, 0, 4, 0, 0, 0, 4, 0, 113});
}

TEST_CASE("similarity refuses an out that is not square, writes nothing, and works again",
          "[analysis][rows][errors]") {
  Buffer<float> x(std::vector<float>(12, 1));
  Buffer<float> out(16);
  const bool cosine = GENERATE(false, true);
  const auto attempt = [&](std::size_t rows, std::size_t columns) {
    return similarity(x.view(3, 4), cosine, {out.values().data(), {rows, columns}});
  };
  REQUIRE_THAT(attempt(3, 2), refuses_shape("out", 6));
  REQUIRE_THAT(attempt(2, 3), refuses_shape("out", 6));
  REQUIRE_THAT(attempt(4, 4), refuses_shape("out", 16));
  REQUIRE_THAT(attempt(1, 9), refuses_shape("out", 9));
  REQUIRE_THAT(attempt(9, 1), refuses_shape("out", 9));
  REQUIRE(out.untouched());
  REQUIRE_THAT(attempt(3, 3), is_ok());
}

}  // namespace

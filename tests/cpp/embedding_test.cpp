#include "ropewalk/embedding.hpp"

#include <algorithm>
#include <bit>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <set>
#include <utility>
#include <vector>

#include "reference/embedding.hpp"
#include "support.hpp"

namespace {

using namespace ropewalk;
using namespace ropewalk::test;

std::vector<float> embed(const std::vector<std::int32_t>& token_ids, std::uint32_t seed, std::size_t dim) {
  Buffer<std::int32_t> tokens(token_ids);
  Buffer<float> out(token_ids.size() * dim);
  REQUIRE_THAT(seeded_embedding(tokens.view(token_ids.size()), seed, out.view(token_ids.size(), dim)),
               is_ok());
  REQUIRE(out.intact());
  return out.copy();
}

std::vector<float> project(std::uint32_t seed, std::uint32_t stream, std::size_t out_dim,
                           std::size_t in_dim) {
  Buffer<float> out(out_dim * in_dim);
  REQUIRE_THAT(seeded_projection(seed, stream, out.view(out_dim, in_dim)), is_ok());
  REQUIRE(out.intact());
  return out.copy();
}

std::vector<float> multiply(const std::vector<float>& x, const std::vector<float>& weight, std::size_t rows,
                            std::size_t in_dim, std::size_t out_dim) {
  Buffer<float> x_buffer(x);
  Buffer<float> weight_buffer(weight);
  Buffer<float> out(rows * out_dim);
  REQUIRE_THAT(
      linear(x_buffer.view(rows, in_dim), weight_buffer.view(out_dim, in_dim), out.view(rows, out_dim)),
      is_ok());
  REQUIRE(out.intact());
  return out.copy();
}

// ---- Statistics -------------------------------------------------------------------------------------------
//
// The draws are the same on every run, so nothing here fails by chance. Limits are five standard deviations
// of the statistic for truly random draws; a generator with a flaw misses them by far more.

constexpr std::size_t n_tokens = 2'048;
constexpr std::size_t dim = 64;
constexpr double n_draws = n_tokens * dim;

struct Moments {
  double mean = 0;
  double variance = 0;
  double skewness = 0;
  double kurtosis = 0;
};

Moments moments(const std::vector<float>& values) {
  const auto count = static_cast<double>(values.size());
  Moments result;
  for (const float value : values) result.mean += value / count;
  double third = 0;
  double fourth = 0;
  for (const float value : values) {
    const double deviation = value - result.mean;
    result.variance += deviation * deviation / count;
    third += std::pow(deviation, 3) / count;
    fourth += std::pow(deviation, 4) / count;
  }
  result.skewness = third / std::pow(result.variance, 1.5);
  result.kurtosis = fourth / (result.variance * result.variance);
  return result;
}

/// Largest distance between the values' distribution and the one they are said to have (Kolmogorov, Smirnov).
double distance_to(std::vector<float> values, const std::function<double(double)>& distribution) {
  std::sort(values.begin(), values.end());
  const auto count = static_cast<double>(values.size());
  double largest = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double below = distribution(values[i]);
    largest = std::max(
        {largest, below - static_cast<double>(i) / count, static_cast<double>(i + 1) / count - below});
  }
  return largest;
}

double correlation(const std::vector<float>& a, const std::vector<float>& b) {
  double ab = 0;
  double aa = 0;
  double bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

/// Neither do the values know of each other, nor do their sizes.
void require_unrelated(std::vector<float> a, std::vector<float> b) {
  const double limit = 5 / std::sqrt(static_cast<double>(a.size()));
  REQUIRE(std::abs(correlation(a, b)) <= limit);
  for (std::vector<float>* const values : {&a, &b}) {
    double mean_square = 0;
    for (const float value : *values)
      mean_square += static_cast<double>(value) * value / static_cast<double>(a.size());
    for (float& value : *values) value = static_cast<float>(static_cast<double>(value) * value - mean_square);
  }
  REQUIRE(std::abs(correlation(a, b)) <= limit);
}

// ---- Seeded embedding -------------------------------------------------------------------------------------

TEST_CASE("embeddings are nearly standard normal", "[embedding][seeded]") {
  const std::uint32_t seed = GENERATE(0U, 1U, 42U, 0xffffffffU);
  const std::int32_t first_token = GENERATE(0, -1'024, 2'000'000'000);
  CAPTURE(seed, first_token);
  const std::vector<float> rows = embed(consecutive(n_tokens, first_token), seed, dim);
  const Moments found = moments(rows);
  CHECK(std::abs(found.mean) <= 5 / std::sqrt(n_draws));
  CHECK(std::abs(found.variance - 1) <= 5 * std::sqrt(2 / n_draws));
  CHECK(std::abs(found.skewness) <= 5 * std::sqrt(6 / n_draws));
  // A sum of twelve uniform numbers falls short of the normal distribution's 3 by 0.1.
  CHECK(std::abs(found.kurtosis - 2.9) <= 5 * std::sqrt(24 / n_draws));
  const auto normal = [](double value) { return std::erfc(-value / std::sqrt(2.0)) / 2; };
  CHECK(distance_to(rows, normal) <= 0.0025 + 2 / std::sqrt(n_draws));
  const auto [least, most] = std::minmax_element(rows.begin(), rows.end());
  CHECK((*most > 3.6F && *most <= 6));
  CHECK((*least < -3.6F && *least >= -6));
}

TEST_CASE("every component of an embedding has mean 0 and variance 1 by itself", "[embedding][seeded]") {
  const std::vector<float> rows = embed(consecutive(n_tokens), 7, dim);
  for (std::size_t c = 0; c < dim; ++c) {
    std::vector<float> column;
    for (std::size_t s = 0; s < n_tokens; ++s) column.push_back(rows[s * dim + c]);
    CAPTURE(c);
    REQUIRE(std::abs(moments(column).mean) <= 5 / std::sqrt(static_cast<double>(n_tokens)));
    REQUIRE(std::abs(moments(column).variance - 1) <= 5 * std::sqrt(2.0 / n_tokens));
  }
}

TEST_CASE("the length of an embedding is about sqrt(dim)", "[embedding][seeded]") {
  const std::vector<float> rows = embed(consecutive(300), 3, 512);
  for (std::size_t s = 0; s < 300; ++s) {
    double square = 0;
    for (std::size_t c = 0; c < 512; ++c) square += std::pow(rows[s * 512 + c], 2);
    REQUIRE(std::abs(square / 512 - 1) <= 5 * std::sqrt(2.0 / 512));
  }
}

TEST_CASE("a row depends on its token and the seed alone", "[embedding][seeded]") {
  const std::vector<std::int32_t> tokens = {7, -3, 7, 2'147'483'647, 0, -2'147'483'647 - 1, 7, -3};
  for (const std::size_t row_dim : sizes) {
    const std::vector<float> rows = embed(tokens, 5, row_dim);
    for (std::size_t s = 0; s < tokens.size(); ++s) {
      const std::vector<float> row(&rows[s * row_dim], &rows[s * row_dim] + row_dim);
      CAPTURE(row_dim, s);
      REQUIRE_THAT(embed({tokens[s]}, 5, row_dim), has_bits_of(row));
      // A wider embedding begins with the narrower one.
      std::vector<float> wider = embed({tokens[s]}, 5, row_dim + 3);
      wider.resize(row_dim);
      REQUIRE_THAT(wider, has_bits_of(row));
    }
  }
}

/// Fowler, Noll and Vo's hash (FNV-1a) of the values' bits, lowest byte first.
std::uint64_t hash(const std::vector<float>& values) {
  std::uint64_t result = 0xcbf29ce484222325U;
  for (const float value : values) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    for (int shift = 0; shift < 32; shift += 8) result = (result ^ ((bits >> shift) & 0xff)) * 0x100000001b3U;
  }
  return result;
}

TEST_CASE("the same seed draws the same vectors on every machine, today and tomorrow",
          "[embedding][seeded]") {
  // Not to be put right lightly when they fail: whoever wrote down a seed loses the picture that belongs to
  // it.
  CHECK(embed({42}, 1, 3) == std::vector<float>{-1.472076416F, -0.458587646F, -0.479507446F});
  CHECK(hash(embed(consecutive(512, -256), 20'240'501, 64)) == 0xff907982be49453aU);
  CHECK(project(1, 2, 1, 3) == std::vector<float>{-0.515071809F, 0.989611864F, 0.26928857F});
  CHECK(hash(project(20'240'501, 3, 64, 80)) == 0xdeeb8bf66f123d85U);
}

TEST_CASE("neighbouring tokens, components and seeds have nothing in common", "[embedding][seeded]") {
  const std::uint32_t seed = GENERATE(0U, 1U, 0x7fffffffU);
  const std::vector<float> rows = embed(consecutive(n_tokens), seed, dim);
  for (const std::int32_t distance : {1, 2, 3, 256, 65'536, std::numeric_limits<std::int32_t>::min()}) {
    CAPTURE(distance);
    require_unrelated(rows, embed(consecutive(n_tokens, distance), seed, dim));
  }
  for (const std::size_t distance : Sizes{1, 2, 3, 32, 64, 65}) {
    CAPTURE(distance);
    require_unrelated({rows.begin(), rows.end() - static_cast<std::ptrdiff_t>(distance)},
                      {rows.begin() + static_cast<std::ptrdiff_t>(distance), rows.end()});
  }
  for (const std::uint32_t other : {1U, 2U, 256U, 0x80000000U, 0xffffffffU}) {
    CAPTURE(other);
    require_unrelated(rows, embed(consecutive(n_tokens), seed ^ other, dim));
  }
}

// ---- Seeded projection ------------------------------------------------------------------------------------

TEST_CASE("projections are uniform in ±sqrt(3 / in_dim)", "[embedding][seeded]") {
  const std::uint32_t stream = GENERATE(0U, 1U, 2U);
  for (const std::size_t in_dim : Sizes{1, 3, 64, 300}) {
    CAPTURE(stream, in_dim);
    const std::size_t out_dim = 100'000 / in_dim;
    const std::vector<float> weight = project(11, stream, out_dim, in_dim);
    const auto count = static_cast<double>(weight.size());
    const double limit = std::sqrt(3.0 / static_cast<double>(in_dim));
    const Moments found = moments(weight);
    const double variance = 1 / static_cast<double>(in_dim);
    CHECK(std::abs(found.mean) <= 5 * std::sqrt(variance / count));
    CHECK(std::abs(found.variance / variance - 1) <= 5 * std::sqrt(0.8 / count));
    CHECK(std::abs(found.kurtosis - 1.8) <= 0.05);
    const auto uniform = [limit](double value) { return (value / limit + 1) / 2; };
    CHECK(distance_to(weight, uniform) <= 2 / std::sqrt(count));
    REQUIRE(std::all_of(weight.begin(), weight.end(),
                        [limit](float element) { return std::abs(element) <= static_cast<float>(limit); }));
  }
}

TEST_CASE("a projection is the same every time", "[embedding][seeded]") {
  REQUIRE_THAT(project(3, 1, 17, 33), has_bits_of(project(3, 1, 17, 33)));
}

TEST_CASE("streams and seeds of projections, and embeddings, have nothing in common", "[embedding][seeded]") {
  const std::vector<float> weight = project(5, 0, n_tokens, dim);
  for (const auto& [seed, stream] : std::vector<std::pair<std::uint32_t, std::uint32_t>>{{5, 1},
                                                                                         {5, 2},
                                                                                         {5, 3},
                                                                                         {5, 0x80000000U},
                                                                                         {5, 0xffffffffU},
                                                                                         {4, 0},
                                                                                         {4, 1},
                                                                                         {6, 0},
                                                                                         {0, 5},
                                                                                         {0x80000005U, 0}}) {
    CAPTURE(seed, stream);
    require_unrelated(weight, project(seed, stream, n_tokens, dim));
  }
  require_unrelated({weight.begin(), weight.end() - 1}, {weight.begin() + 1, weight.end()});
  require_unrelated({weight.begin(), weight.end() - 64}, {weight.begin() + 64, weight.end()});
  for (const std::int32_t token : {0, 1, 5})
    require_unrelated(weight, embed(consecutive(n_tokens, token), 5, dim));
}

TEST_CASE("no two of seed and token, or of seed and stream, draw alike", "[embedding][seeded]") {
  std::set<std::pair<float, float>> seen;
  std::size_t drawn = 0;
  for (std::uint32_t seed = 0; seed < 48; ++seed) {
    const std::vector<float> rows = embed(consecutive(48, -16), seed, 2);
    for (std::size_t s = 0; s < 48; ++s, ++drawn) seen.emplace(rows[2 * s], rows[2 * s + 1]);
    for (std::uint32_t stream = 0; stream < 48; ++stream, ++drawn) {
      const std::vector<float> weight = project(seed, stream, 1, 2);
      seen.emplace(weight[0], weight[1]);
    }
  }
  REQUIRE(seen.size() == drawn);
}

TEST_CASE("a projection keeps the expected length per component", "[embedding][seeded]") {
  const std::vector<float> x = embed(consecutive(256), 1, 64);
  const std::vector<float> projected = multiply(x, project(1, 2, 128, 64), 256, 64, 128);
  REQUIRE(std::abs(moments(projected).variance - 1) < 0.05);
}

// ---- Adding an encoding -----------------------------------------------------------------------------------

TEST_CASE("adding an encoding rounds once", "[embedding]") {
  for (const std::size_t rows : sizes) {
    for (const std::size_t row_dim : Sizes{1, 5, 8, 33}) {
      Random random(1);
      const std::vector<float> encoding = random.normals(rows * row_dim);
      const std::vector<float> before = random.normals(rows * row_dim);
      Buffer<float> encoding_buffer(encoding);
      Buffer<float> x(before);
      REQUIRE_THAT(add_encoding(encoding_buffer.view(rows, row_dim), x.view(rows, row_dim)), is_ok());
      REQUIRE(x.intact());
      // The sum of two floats, taken in double and rounded to float, is the sum rounded once.
      const std::vector<double> exact = reference::add_encoding(to_double(encoding), to_double(before));
      REQUIRE_THAT(x.copy(), has_bits_of(std::vector<float>(exact.begin(), exact.end())));
    }
  }
}

// ---- Linear -----------------------------------------------------------------------------------------------

TEST_CASE("linear keeps its bound", "[embedding]") {
  std::vector<std::array<std::size_t, 3>> shapes;
  for (const std::size_t size : sizes) {
    shapes.push_back({size, 7, 9});
    shapes.push_back({5, size, 6});
    shapes.push_back({7, 9, size});
    shapes.push_back({size, size, 3});
  }
  for (std::size_t rows = 1; rows <= 9; ++rows) {
    for (std::size_t out_dim = 1; out_dim <= 9; ++out_dim) shapes.push_back({rows, 10, out_dim});
  }
  // A single row by long ones, which are read one after the other.
  for (std::size_t in_dim = 508; in_dim <= 532; ++in_dim) shapes.push_back({1, in_dim, 5});
  Random random(2);
  for (const auto& [rows, in_dim, out_dim] : shapes) {
    CAPTURE(rows, in_dim, out_dim);
    const std::vector<float> x = random.normals(rows * in_dim);
    const std::vector<float> weight = random.normals(out_dim * in_dim);
    std::vector<double> sums_of_magnitudes;
    {
      std::vector<double> x_magnitudes = to_double(x);
      std::vector<double> weight_magnitudes = to_double(weight);
      for (double& value : x_magnitudes) value = std::abs(value);
      for (double& value : weight_magnitudes) value = std::abs(value);
      sums_of_magnitudes = reference::linear(x_magnitudes, weight_magnitudes, rows, in_dim, out_dim);
    }
    const double factor = 0x1p-24 * static_cast<double>(in_dim);
    REQUIRE_THAT(multiply(x, weight, rows, in_dim, out_dim),
                 is_within(reference::linear(to_double(x), to_double(weight), rows, in_dim, out_dim),
                           [&](std::size_t i) { return factor * sums_of_magnitudes[i]; }));
  }
}

TEST_CASE("linear is exact on small whole numbers", "[embedding]") {
  REQUIRE(multiply({1, 2, 3, 4, 5, 6}, {1, 0, 0, 1, 1, 1, 0, -1, 2, 10, 20, 30}, 2, 3, 4) ==
          std::vector<float>{1, 6, 4, 140, 4, 15, 7, 320});
}

TEST_CASE("linear keeps NaN to its own row and column", "[embedding]") {
  Random random(3);
  const std::vector<float> x = random.normals(6 * 10);
  const std::vector<float> weight = random.normals(7 * 10);
  const std::vector<float> clean = multiply(x, weight, 6, 10, 7);
  for (std::size_t c = 0; c < 10; ++c) {
    std::vector<float> poisoned_x = x;
    poisoned_x[4 * 10 + c] = not_a_number;
    std::vector<float> poisoned_weight = weight;
    poisoned_weight[2 * 10 + c] = infinity;
    const std::vector<float> out = multiply(poisoned_x, poisoned_weight, 6, 10, 7);
    for (std::size_t i = 0; i < out.size(); ++i) {
      CAPTURE(c, i);
      if (i / 7 == 4) {
        REQUIRE(std::isnan(out[i]));
      } else if (i % 7 == 2) {
        REQUIRE(std::isinf(out[i]));
      } else {
        REQUIRE(same_bits(out[i], clean[i]));
      }
    }
  }
}

// ---- Refusals ---------------------------------------------------------------------------------------------

TEST_CASE("seeded embedding refuses an out of another length, and works again", "[embedding][errors]") {
  const std::size_t rows = GENERATE(as<std::size_t>(), 4, 6);
  Buffer<std::int32_t> tokens(consecutive(5));
  Buffer<float> out(rows * 9);
  REQUIRE_THAT(seeded_embedding(tokens.view(5), 1, out.view(rows, 9)), refuses_shape("out", rows));
  REQUIRE(out.untouched());
  REQUIRE(embed(consecutive(5), 1, 9).size() == 45);
}

TEST_CASE("adding an encoding refuses another shape, even of the same size, and works again",
          "[embedding][errors]") {
  Buffer<float> x(5 * 8);
  const auto attempt = [&](std::size_t rows, std::size_t row_dim) {
    Buffer<float> encoding(std::vector<float>(rows * row_dim, 1));
    return add_encoding(encoding.view(rows, row_dim), x.view(5, 8));
  };
  REQUIRE_THAT(attempt(4, 8), refuses_shape("encoding", 32));
  REQUIRE_THAT(attempt(5, 9), refuses_shape("encoding", 45));
  REQUIRE_THAT(attempt(8, 5), refuses_shape("encoding", 40));
  REQUIRE(x.untouched());
  REQUIRE_THAT(attempt(5, 8), is_ok());
}

TEST_CASE("linear refuses sizes that disagree, writes nothing, and works again", "[embedding][errors]") {
  Buffer<float> x(std::vector<float>(5 * 8, 1));
  Buffer<float> out(5 * 6);
  const auto attempt = [&](std::size_t weight_out, std::size_t weight_in, std::size_t out_rows,
                           std::size_t out_columns) {
    Buffer<float> weight(std::vector<float>(weight_out * weight_in, 1));
    return linear(x.view(5, 8), weight.view(weight_out, weight_in),
                  TensorView<float, 2>{out.values().data(), {out_rows, out_columns}});
  };
  REQUIRE_THAT(attempt(6, 7, 5, 6), refuses_shape("weight", 7));
  REQUIRE_THAT(attempt(6, 9, 5, 6), refuses_shape("weight", 9));
  REQUIRE_THAT(attempt(6, 8, 4, 6), refuses_shape("out", 24));
  REQUIRE_THAT(attempt(6, 8, 5, 5), refuses_shape("out", 25));
  REQUIRE_THAT(attempt(6, 8, 6, 5), refuses_shape("out", 30));
  REQUIRE_THAT(attempt(5, 8, 5, 6), refuses_shape("out", 30));
  REQUIRE(out.untouched());
  REQUIRE_THAT(attempt(6, 8, 5, 6), is_ok());
}

}  // namespace

#include "ropewalk/normalization.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "reference/normalization.hpp"
#include "support.hpp"

namespace {

using namespace ropewalk;
using namespace ropewalk::test;

// ---- rms_norm ---------------------------------------------------------------------------------------------

std::vector<float> normalized(const std::vector<float>& x, const std::vector<float>& weight, double epsilon,
                              std::size_t rows, std::size_t dim) {
  Buffer<float> from(x);
  Buffer<float> weights(weight);
  Buffer<float> out(x.size());
  const TensorView<const float, 1> no_weight{};
  REQUIRE_THAT(rms_norm(from.view(rows, dim), weight.empty() ? no_weight : weights.view(dim), epsilon,
                        out.view(rows, dim)),
               is_ok());
  REQUIRE(out.intact());
  REQUIRE_THAT(from.copy(), has_bits_of(x));

  // In place as well.
  REQUIRE_THAT(rms_norm(from.view(rows, dim), weight.empty() ? no_weight : weights.view(dim), epsilon,
                        from.view(rows, dim)),
               is_ok());
  REQUIRE(from.intact());
  REQUIRE_THAT(from.copy(), has_bits_of(out.copy()));
  return out.copy();
}

TEST_CASE("rms_norm keeps its bound at any size, with a weight and without", "[normalization]") {
  Random random(1);
  for (const std::size_t rows : Sizes{1, 2, 5}) {
    for (const std::size_t dim : sizes) {
      for (const double epsilon : {0.0, 1e-6, 1e-5, 0.1, 1e3}) {
        for (const float magnitude : {1.0F, 1e-3F, 1e-15F, 1e15F}) {
          CAPTURE(rows, dim, epsilon, magnitude);
          std::vector<float> x = random.normals(rows * dim);
          for (float& component : x) component *= magnitude;
          const std::vector<float> weight = random.normals(dim);
          const std::vector<double> ones(dim, 1);
          const auto bounded = [](const std::vector<double>& want) {
            return is_within(
                want, [want](std::size_t i) { return std::exp2(-22.9) * std::abs(want[i]) + 0x1p-149; });
          };
          REQUIRE_THAT(normalized(x, weight, epsilon, rows, dim),
                       bounded(reference::rms_norm(to_double(x), to_double(weight), epsilon, rows, dim)));
          REQUIRE_THAT(normalized(x, {}, epsilon, rows, dim),
                       bounded(reference::rms_norm(to_double(x), ones, epsilon, rows, dim)));
        }
      }
    }
  }
}

TEST_CASE("rms_norm by hand", "[normalization]") {
  // The mean square of (3, 4) is 12.5; with an epsilon of 3.5 the root is 4. That of (0, 2) is 2.
  REQUIRE_THAT(normalized({3, 4, 0, 2}, {1, 10}, 3.5, 2, 2),
               is_within({0.75, 10, 0, 20 / std::sqrt(5.5)}, 1e-5));
}

TEST_CASE("rms_norm of a row at float's ends neither overflows nor vanishes", "[normalization]") {
  constexpr float most = std::numeric_limits<float>::max();
  REQUIRE_THAT(normalized({most, -most, most, most}, {}, 1e-6, 1, 4), is_within({1, -1, 1, 1}, 0x1p-23));
  constexpr float least = std::numeric_limits<float>::denorm_min();
  REQUIRE_THAT(normalized({least, -least, least}, {}, 0, 1, 3), is_within({1, -1, 1}, 0x1p-23));
}

TEST_CASE("rms_norm leaves a row of zeros zero", "[normalization]") {
  for (const double epsilon : {0.0, 1e-6, 1e-320}) {
    for (const std::size_t dim : sizes) {
      std::vector<float> x(2 * dim, 0);
      x[2 * dim - 1] = 3;  // The row after it is another matter.
      const std::vector<float> out = normalized(x, {}, epsilon, 2, dim);
      for (std::size_t c = 0; c < 2 * dim - 1; ++c) REQUIRE(same_bits(out[c], 0.0F));
      REQUIRE(out[2 * dim - 1] > 0);
    }
  }
}

TEST_CASE("NaN and infinity stay in their row", "[normalization]") {
  for (const std::size_t dim : sizes) {
    for (const float poison : {not_a_number, infinity}) {
      std::vector<float> x(2 * dim, 1);
      x[dim / 2] = poison;
      const std::vector<float> out = normalized(x, {}, 0, 2, dim);
      REQUIRE(std::isnan(out[dim / 2]));
      for (std::size_t c = 0; c < dim; ++c) {
        if (std::isnan(poison)) REQUIRE(std::isnan(out[c]));
        REQUIRE(out[dim + c] == 1);
      }
    }
  }
}

TEST_CASE("rms_norm refuses what does not fit, and writes nothing", "[normalization][errors]") {
  Buffer<float> x(std::vector<float>(100, 1));
  Buffer<float> out(100);
  float* const to = out.values().data();
  const TensorView<const float, 2> from{x.values().data(), {3, 4}};
  const auto weight = [&](std::size_t dim) { return TensorView<const float, 1>{from.data, {dim}}; };
  REQUIRE_THAT(rms_norm(from, weight(3), 0, {to, {3, 4}}), refuses_shape("weight", 3));
  REQUIRE_THAT(rms_norm(from, weight(5), 0, {to, {3, 4}}), refuses_shape("weight", 5));
  REQUIRE_THAT(rms_norm(from, weight(12), 0, {to, {3, 4}}), refuses_shape("weight", 12));
  REQUIRE_THAT(rms_norm(from, weight(4), 0, {to, {2, 4}}), refuses_shape("out", 8));
  REQUIRE_THAT(rms_norm(from, weight(4), 0, {to, {4, 3}}), refuses_shape("out", 12));
  for (const double epsilon :
       {std::numeric_limits<double>::quiet_NaN(), -1e-9, -0x1p-1074, std::numeric_limits<double>::infinity(),
        -std::numeric_limits<double>::infinity()}) {
    REQUIRE_THAT(rms_norm(from, weight(4), epsilon, {to, {3, 4}}), refuses_value("epsilon", epsilon));
  }
  REQUIRE(out.untouched());
  REQUIRE_THAT(rms_norm(from, weight(4), 0, {to, {3, 4}}), is_ok());
}

// ---- softmax ----------------------------------------------------------------------------------------------

std::vector<float> softmaxed(const std::vector<float>& x, std::size_t outer, std::size_t size,
                             std::size_t inner) {
  Buffer<float> from(x);
  Buffer<float> out(x.size());
  REQUIRE_THAT(softmax(from.view(outer, size, inner), out.view(outer, size, inner)), is_ok());
  REQUIRE(out.intact());
  REQUIRE_THAT(from.copy(), has_bits_of(x));

  // In place as well.
  REQUIRE_THAT(softmax(from.view(outer, size, inner), from.view(outer, size, inner)), is_ok());
  REQUIRE(from.intact());
  REQUIRE_THAT(from.copy(), has_bits_of(out.copy()));
  return out.copy();
}

double softmax_bound(std::size_t size) { return 0x1p-22 + static_cast<double>(size) * 0x1p-26; }

TEST_CASE("softmax keeps its bound at any size, along any dimension", "[normalization]") {
  Random random(2);
  for (const std::size_t outer : Sizes{1, 3}) {
    for (const std::size_t size : sizes) {
      for (const std::size_t inner : sizes) {
        if (size * inner > 3'000) continue;
        CAPTURE(outer, size, inner);
        std::vector<float> x(outer * size * inner);
        for (float& element : x) element = static_cast<float>(random.uniform() * 32 - 16);
        REQUIRE_THAT(softmaxed(x, outer, size, inner),
                     is_within(reference::softmax(to_double(x), outer, size, inner), softmax_bound(size)));
      }
    }
  }
}

TEST_CASE("softmax keeps its bound where errors add up: all the same", "[normalization]") {
  for (std::size_t size = 1; size <= 2'048; size += size < 300 ? 1 : 97) {
    CAPTURE(size);
    for (const std::size_t inner : Sizes{1, 3}) {
      const std::vector<double> equal(size * inner, 1 / static_cast<double>(size));
      REQUIRE_THAT(softmaxed(std::vector<float>(size * inner, 0.3F), 1, size, inner),
                   is_within(equal, softmax_bound(size)));
    }
  }
}

TEST_CASE("softmax knows differences alone", "[normalization]") {
  // Exact in float: 0, -1 and -3 about a thousand million, about 0 and about minus that.
  for (const std::size_t inner : Sizes{1, 2, 4, 5}) {
    const double sum = 1 + std::exp(-8.0) + std::exp(-16.0);
    for (const float about : {0x1p26F, 0.0F, -0x1p26F}) {
      std::vector<float> x;
      std::vector<double> want;
      for (const float difference : {0.0F, -8.0F, -16.0F}) {
        x.insert(x.end(), inner, about + difference);
        want.insert(want.end(), inner, std::exp(difference) / sum);
      }
      REQUIRE_THAT(softmaxed(x, 1, 3, inner), is_within(want, softmax_bound(3)));
    }
  }
}

TEST_CASE("softmax of nothing but -inf is zero, and -inf among others weighs nothing", "[normalization]") {
  for (const std::size_t size : sizes) {
    for (const std::size_t inner : Sizes{1, 2, 4, 5}) {
      CAPTURE(size, inner);
      std::vector<float> x(size * inner, -infinity);
      REQUIRE_THAT(softmaxed(x, 1, size, inner), has_bits_of(std::vector<float>(size * inner, 0)));
      // One finite element in the last column takes all of that column, and leaves the others.
      const std::size_t at = size / 2 * inner + inner - 1;
      x[at] = -7;
      std::vector<float> want(size * inner, 0);
      want[at] = 1;
      REQUIRE_THAT(softmaxed(x, 1, size, inner), has_bits_of(want));
    }
  }
}

TEST_CASE("NaN and +inf make all that they are summed with NaN, and nothing else", "[normalization]") {
  const float poison = GENERATE(not_a_number, infinity);
  Random random(3);
  for (const std::size_t size : Sizes{1, 3, 4, 5, 8, 9, 17}) {
    for (const std::size_t inner : Sizes{1, 2, 4, 5, 9}) {
      for (std::size_t at = 0; at < size; ++at) {
        CAPTURE(size, inner, at);
        std::vector<float> x = random.normals(2 * size * inner);
        const std::vector<float> want = softmaxed(x, 2, size, inner);
        // In the second block, and in each column in turn.
        const std::size_t column = at % inner;
        x[(size + at) * inner + column] = poison;
        const std::vector<float> got = softmaxed(x, 2, size, inner);
        for (std::size_t i = 0; i < x.size(); ++i) {
          const bool hit = i >= size * inner && i % inner == column;
          REQUIRE((hit ? std::isnan(got[i]) : same_bits(got[i], want[i])));
        }
      }
    }
  }
}

TEST_CASE("softmax refuses shapes that disagree, and writes nothing", "[normalization][errors]") {
  Buffer<float> x(std::vector<float>(60, 1));
  Buffer<float> out(100);
  float* const to = out.values().data();
  const TensorView<const float, 3> from{x.values().data(), {3, 4, 5}};
  REQUIRE_THAT(softmax(from, {to, {2, 4, 5}}), refuses_shape("out", 40));
  REQUIRE_THAT(softmax(from, {to, {3, 5, 5}}), refuses_shape("out", 75));
  REQUIRE_THAT(softmax(from, {to, {3, 4, 4}}), refuses_shape("out", 48));
  REQUIRE_THAT(softmax(from, {to, {5, 4, 3}}), refuses_shape("out", 60));
  REQUIRE(out.untouched());
  REQUIRE_THAT(softmax(from, {to, {3, 4, 5}}), is_ok());
}

}  // namespace

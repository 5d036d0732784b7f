#include "ropewalk/absorption.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "reference/absorption.hpp"
#include "support.hpp"

namespace {

using namespace ropewalk;
using namespace ropewalk::test;

std::vector<double> frequencies(std::size_t n_pairs) {
  std::vector<double> inv_freq;
  for (std::size_t i = 0; i < n_pairs; ++i) {
    inv_freq.push_back(std::pow(10000, -static_cast<double>(i) / static_cast<double>(n_pairs)));
  }
  return inv_freq;
}

struct Absorbed {
  std::vector<float> matrix;
  std::vector<float> error;
};

Absorbed absorbed(const std::vector<float>& key_up, std::size_t head_dim, const std::vector<double>& inv_freq,
                  RopeLayout layout, std::uint32_t context_len, double first, double step,
                  std::size_t count) {
  Buffer<float> up(key_up);
  Buffer<double> speeds(inv_freq);
  Buffer<float> matrix(key_up.size());
  Buffer<float> error(count);
  const std::size_t rank = key_up.size() / head_dim;
  REQUIRE_THAT(absorb_rotation(up.view(head_dim, rank), speeds.view(inv_freq.size()), layout, context_len,
                               first, step, matrix.view(head_dim, rank), error.view(count)),
               is_ok());
  REQUIRE(matrix.intact());
  REQUIRE(error.intact());
  return {matrix.copy(), error.copy()};
}

TEST_CASE("absorb_rotation is the mean over the distances, found one by one", "[absorption]") {
  Random random(1);
  for (const RopeLayout layout : {RopeLayout::interleaved, RopeLayout::half}) {
    for (const std::size_t head_dim : Sizes{1, 2, 5, 8, 17}) {
      for (const std::size_t rank : Sizes{1, 3, 8, 9}) {
        for (const std::size_t context_len : Sizes{1, 2, 7, 130, 1000}) {
          for (const std::size_t n_pairs : Sizes{0, head_dim / 4, head_dim / 2}) {
            CAPTURE(layout == RopeLayout::half, head_dim, rank, context_len, n_pairs);
            const std::vector<float> up = random.normals(head_dim * rank);
            const std::vector<double> inv_freq = frequencies(n_pairs);
            std::vector<double> distances;
            for (std::size_t s = 0; s < 135; ++s) distances.push_back(-3 + static_cast<double>(s) * 2.5);
            const reference::Absorption want =
                reference::absorb_rotation(to_double(up), rank, inv_freq, layout, context_len, distances);
            const Absorbed got = absorbed(up, head_dim, inv_freq, layout,
                                          static_cast<std::uint32_t>(context_len), -3, 2.5, 135);
            REQUIRE_THAT(got.matrix, is_within(want.absorbed, 6 * 0x1p-22));
            REQUIRE_THAT(got.error, is_within(want.error, 0x1p-22));
          }
        }
      }
    }
  }
}

TEST_CASE("no matrix is nearer in least squares than the one that absorb_rotation gives", "[absorption]") {
  Random random(2);
  constexpr std::size_t head_dim = 8;
  constexpr std::size_t rank = 5;
  constexpr std::size_t context_len = 40;
  const std::vector<float> up = random.normals(head_dim * rank);
  const std::vector<double> inv_freq = frequencies(head_dim / 2);
  const Absorbed best =
      absorbed(up, head_dim, inv_freq, RopeLayout::interleaved, context_len, 0, 1, context_len);
  const auto squares = [&](const std::vector<double>& matrix) {
    double sum = 0;
    for (std::size_t distance = 0; distance < context_len; ++distance) {
      const std::vector<double> exact = reference::rotated_key_up(
          to_double(up), rank, inv_freq, RopeLayout::interleaved, static_cast<double>(distance));
      for (std::size_t i = 0; i < exact.size(); ++i) sum += (matrix[i] - exact[i]) * (matrix[i] - exact[i]);
    }
    return sum;
  };
  const std::vector<double> matrix = to_double(best.matrix);
  const double least = squares(matrix);
  for (std::size_t i = 0; i < matrix.size(); ++i) {
    for (const double more : {-0.01, 0.01}) {
      std::vector<double> other = matrix;
      other[i] += more;
      REQUIRE(squares(other) > least);
    }
  }
  REQUIRE(squares(to_double(up)) > least);

  // The errors are those squares, distance by distance.
  double sum = 0;
  double size = 0;
  for (const float error : best.error) sum += static_cast<double>(error) * error;
  for (const float value : up) size += static_cast<double>(value) * value;
  REQUIRE(std::abs(sum * size / least - 1) < 1e-5);
}

TEST_CASE("absorb_rotation is right where the closed form is hardest", "[absorption]") {
  const std::vector<float> up = {1, 0};
  const auto mean_cosine = [&](double frequency, std::uint32_t n) {
    return static_cast<double>(absorbed(up, 2, {frequency}, RopeLayout::half, n, 0, 1, 1).matrix[0]);
  };
  // No turn, a turn too slow to see, and whole turns from each position to the next.
  REQUIRE(mean_cosine(0, 1000) == 1);
  REQUIRE(mean_cosine(1e-300, 4'000'000'000u) == 1);
  REQUIRE(std::abs(mean_cosine(6.283185307179586, 1000) - 1) < 1e-6);
  REQUIRE(std::abs(mean_cosine(3.141592653589793, 1000)) < 1e-6);
  REQUIRE(std::abs(mean_cosine(1, 4'000'000'000u)) < 1e-8);
  // More turns than a double can tell apart, where the closed form would be 429 and 5,689.
  for (const double frequency : {190698953473997.06, 14907700202750830.0, 1e60, 1e100}) {
    CAPTURE(frequency);
    REQUIRE(std::abs(mean_cosine(frequency, 3)) <= 1);
  }
  // One distance, 0: the matrix itself.
  REQUIRE(absorbed({3, 4}, 2, {0.7}, RopeLayout::half, 1, 0, 1, 3).matrix == std::vector<float>{3, 4});
  // Half a turn from the only distance that was fitted: as far off as twice the matrix' size.
  REQUIRE(std::abs(absorbed({3, 4}, 2, {3.141592653589793}, RopeLayout::half, 1, 1, 1, 1).error[0] - 2) <
          1e-6);
  // Nothing to be wrong about.
  REQUIRE(absorbed({0, 0}, 2, {1}, RopeLayout::half, 5, 0, 1, 2).error == std::vector<float>{0, 0});
}

TEST_CASE("absorb_rotation refuses what does not fit, and writes nothing", "[absorption][errors]") {
  Buffer<float> up(std::vector<float>(12, 1));
  Buffer<double> inv_freq(std::vector<double>{1, 0.5});
  Buffer<float> matrix(12);
  Buffer<float> error(3);
  const auto attempt = [&](std::size_t n_pairs, std::size_t rows, std::uint32_t context_len, double first,
                           double step) {
    return absorb_rotation({up.values().data(), {4, 3}}, {inv_freq.values().data(), {n_pairs}},
                           RopeLayout::half, context_len, first, step, {matrix.values().data(), {rows, 3}},
                           error.view(3));
  };
  REQUIRE_THAT(attempt(3, 4, 5, 0, 1), refuses_shape("inv_freq", 3));
  REQUIRE_THAT(attempt(2, 3, 5, 0, 1), refuses_shape("absorbed", 9));
  REQUIRE_THAT(attempt(2, 4, 0, 0, 1), refuses_value("context_len", 0));
  for (const double bad : {static_cast<double>(not_a_number), 1.01e100, -1.01e100}) {
    REQUIRE_THAT(attempt(2, 4, 5, bad, 1), refuses_value("first_distance", bad));
    REQUIRE_THAT(attempt(2, 4, 5, 0, bad), refuses_value("step", bad));
    inv_freq[1] = bad;
    REQUIRE_THAT(attempt(2, 4, 5, 0, 1), refuses_value("inv_freq", bad));
    inv_freq[1] = 0.5;
  }
  REQUIRE(matrix.untouched());
  REQUIRE(error.untouched());
}

TEST_CASE("relative_errors compares column by column", "[absorption]") {
  Random random(3);
  for (const std::size_t rows : Sizes{1, 3, 8}) {
    for (const std::size_t columns : sizes) {
      CAPTURE(rows, columns);
      const std::vector<float> exact = random.normals(rows * columns);
      std::vector<float> x = exact;
      for (float& value : x) value += 0.01f * random.normal();
      Buffer<float> a(x);
      Buffer<float> b(exact);
      Buffer<float> out(columns);
      REQUIRE_THAT(relative_errors(a.view(rows, columns), b.view(rows, columns), out.view(columns)), is_ok());
      REQUIRE(out.intact());
      const std::vector<double> want =
          reference::relative_errors(to_double(x), to_double(exact), rows, columns);
      REQUIRE_THAT(out.copy(), is_within(want, [&](std::size_t i) { return 0x1p-23 * want[i]; }));
    }
  }
  Buffer<float> zeros(std::vector<float>{0, 0, 1});
  Buffer<float> others(std::vector<float>{0, 1, not_a_number});
  Buffer<float> out(3);
  REQUIRE_THAT(relative_errors(others.view(1, 3), zeros.view(1, 3), out.view(3)), is_ok());
  REQUIRE(out[0] == 0);
  REQUIRE(out[1] == infinity);
  REQUIRE(std::isnan(out[2]));
  Buffer<float> none(2);
  REQUIRE_THAT(relative_errors(others.view(1, 3), zeros.view(3, 1), none.view(2)), refuses_shape("exact", 3));
  REQUIRE_THAT(relative_errors(others.view(1, 3), zeros.view(1, 3), none.view(2)), refuses_shape("out", 2));
  REQUIRE(none.untouched());
}

}  // namespace

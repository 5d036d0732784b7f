#include "ropewalk/encodings.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "reference/encodings.hpp"
#include "support.hpp"

namespace {

using namespace ropewalk;
using namespace ropewalk::test;

std::vector<float> integer(const std::vector<std::int32_t>& position_ids, std::size_t dim) {
  Buffer<std::int32_t> positions(position_ids);
  Buffer<float> out(position_ids.size() * dim);
  REQUIRE_THAT(integer_encoding(positions.view(position_ids.size()), out.view(position_ids.size(), dim)),
               is_ok());
  REQUIRE(out.intact());
  return out.copy();
}

std::vector<float> binary(const std::vector<std::int32_t>& position_ids, std::size_t dim) {
  Buffer<std::int32_t> positions(position_ids);
  Buffer<float> out(position_ids.size() * dim);
  REQUIRE_THAT(binary_encoding(positions.view(position_ids.size()), out.view(position_ids.size(), dim)),
               is_ok());
  REQUIRE(out.intact());
  return out.copy();
}

std::vector<float> sinusoidal(const std::vector<std::int32_t>& position_ids, double base, std::size_t dim) {
  Buffer<std::int32_t> positions(position_ids);
  Buffer<float> out(position_ids.size() * dim);
  REQUIRE_THAT(
      sinusoidal_encoding(positions.view(position_ids.size()), base, out.view(position_ids.size(), dim)),
      is_ok());
  REQUIRE(out.intact());
  return out.copy();
}

/// Random ones, and the far ones among them where there is room.
std::vector<std::int32_t> some_positions(std::size_t seq_len) {
  std::vector<std::int32_t> positions = Random(1).positions(seq_len);
  for (std::size_t s = 0; 2 * s < seq_len && s < far_positions.size(); ++s)
    positions[2 * s] = far_positions[s];
  return positions;
}

/// Each size as seq_len and as dim, without all the pairs of long ones.
std::vector<std::array<std::size_t, 2>> shapes() {
  std::vector<std::array<std::size_t, 2>> shapes;
  for (const std::size_t size : sizes) {
    for (const std::size_t other : Sizes{1, 3, 5, 8, 33}) {
      shapes.push_back({size, other});
      shapes.push_back({other, size});
    }
  }
  return shapes;
}

/// What the docstring allows the sinusoidal encoding, at row i / dim.
std::function<double(std::size_t)> sinusoidal_bound(std::vector<std::int32_t> positions, double base,
                                                    std::size_t dim) {
  return [=](std::size_t i) {
    const double distance = std::abs(static_cast<double>(positions[i / dim]));
    return 0x1p-25 + 0x1p-52 * (1 + distance * std::max(1.0, 1 / base));
  };
}

// ---- Integer ----------------------------------------------------------------------------------------------

TEST_CASE("integer encoding is the position, rounded once", "[encodings]") {
  for (const auto [seq_len, dim] : shapes()) {
    CAPTURE(seq_len, dim);
    const std::vector<std::int32_t> positions = some_positions(seq_len);
    const std::vector<double> exact = reference::integer_encoding(positions, dim);
    REQUIRE_THAT(integer(positions, dim), has_bits_of(std::vector<float>(exact.begin(), exact.end())));
  }
}

TEST_CASE("integer encoding is exact up to 2^24 either way, and ties to even beyond", "[encodings]") {
  REQUIRE(integer({1 << 24, -(1 << 24), (1 << 24) - 1, (1 << 24) + 1, (1 << 24) + 3}, 1) ==
          std::vector<float>{16777216, -16777216, 16777215, 16777216, 16777220});
}

// ---- Binary -----------------------------------------------------------------------------------------------

TEST_CASE("binary encoding is the position's bits, lowest first", "[encodings]") {
  for (const auto [seq_len, dim] : shapes()) {
    CAPTURE(seq_len, dim);
    const std::vector<std::int32_t> positions = some_positions(seq_len);
    REQUIRE_THAT(binary(positions, dim), is_within(reference::binary_encoding(positions, dim), 0));
  }
  REQUIRE(binary({6}, 4) == std::vector<float>{0, 1, 1, 0});
}

TEST_CASE("from 7 to 8 four bits flip", "[encodings]") {
  const std::vector<float> bits = binary({7, 8}, 4);
  for (std::size_t c = 0; c < 4; ++c) REQUIRE(std::abs(bits[c] - bits[4 + c]) == 1);
}

TEST_CASE("binary encoding repeats the sign past bit 31", "[encodings]") {
  constexpr std::int32_t lowest = std::numeric_limits<std::int32_t>::min();
  constexpr std::size_t dim = 70;
  const std::vector<float> bits = binary({5, -1, -2, lowest}, dim);
  for (std::size_t c = 0; c < dim; ++c) {
    CAPTURE(c);
    REQUIRE(bits[c] == (c == 0 || c == 2 ? 1 : 0));
    REQUIRE(bits[dim + c] == 1);
    REQUIRE(bits[2 * dim + c] == (c == 0 ? 0 : 1));
    REQUIRE(bits[3 * dim + c] == (c < 31 ? 0 : 1));
  }
}

TEST_CASE("binary encoding gives every position its own digits", "[encodings]") {
  const std::vector<float> bits = binary(consecutive(256), 8);
  for (std::size_t s = 0; s < 256; ++s) {
    float position = 0;
    for (std::size_t c = 8; c-- > 0;) position = 2 * position + bits[8 * s + c];
    REQUIRE(position == static_cast<float>(s));
  }
}

// ---- Sinusoidal -------------------------------------------------------------------------------------------

TEST_CASE("sinusoidal encoding keeps its bound", "[encodings]") {
  for (const auto [seq_len, dim] : shapes()) {
    CAPTURE(seq_len, dim);
    const std::vector<std::int32_t> positions = some_positions(seq_len);
    REQUIRE_THAT(sinusoidal(positions, 10'000, dim),
                 is_within(reference::sinusoidal_encoding(positions, 10'000, dim),
                           sinusoidal_bound(positions, 10'000, dim)));
  }
}

TEST_CASE("sinusoidal encoding keeps its bound at other bases", "[encodings]") {
  const double base = GENERATE(0.1, 0.5, 1.0, 1.5, 2.0, 100.0, 500'000.0, 1e6);
  const std::size_t dim = GENERATE(as<std::size_t>(), 6, 7, 64);
  CAPTURE(base, dim);
  const std::vector<std::int32_t> positions(far_positions.begin(), far_positions.end());
  REQUIRE_THAT(sinusoidal(positions, base, dim),
               is_within(reference::sinusoidal_encoding(positions, base, dim),
                         sinusoidal_bound(positions, base, dim)));
}

TEST_CASE("sinusoidal encoding at position 0 is sin 0 and cos 0", "[encodings]") {
  REQUIRE(sinusoidal({0}, 10'000, 7) == std::vector<float>{0, 1, 0, 1, 0, 1, 0});
}

TEST_CASE("sinusoidal encoding: an odd dim ends with a sine", "[encodings]") {
  const std::vector<float> row = sinusoidal({1}, 10'000, 3);
  REQUIRE_THAT(row, is_within({std::sin(1.0), std::cos(1.0), std::sin(std::pow(10'000, -2.0 / 3))}, 0x1p-24));
}

TEST_CASE("sinusoidal encoding: a step along turns every pair by a fixed angle", "[encodings]") {
  // The paper's reason for it: PE(s + k) is a linear function of PE(s). At base 1 each pair turns a radian a
  // step.
  const std::vector<float> rows = sinusoidal({40, 43}, 1, 8);
  for (std::size_t c = 0; c < 8; c += 2) {
    const double turned_sine = rows[c] * std::cos(3.0) + rows[c + 1] * std::sin(3.0);
    const double turned_cosine = rows[c + 1] * std::cos(3.0) - rows[c] * std::sin(3.0);
    REQUIRE_THAT((std::vector{rows[8 + c], rows[8 + c + 1]}),
                 is_within({turned_sine, turned_cosine}, 0x1p-22));
  }
}

// ---- Refusals ---------------------------------------------------------------------------------------------

TEST_CASE("encodings refuse an out of another length, write nothing, and work again", "[encodings][errors]") {
  Buffer<std::int32_t> positions(consecutive(5));
  const std::size_t rows = GENERATE(as<std::size_t>(), 4, 6);
  Buffer<float> out(rows * 9);
  REQUIRE_THAT(integer_encoding(positions.view(5), out.view(rows, 9)), refuses_shape("out", rows));
  REQUIRE_THAT(binary_encoding(positions.view(5), out.view(rows, 9)), refuses_shape("out", rows));
  REQUIRE_THAT(sinusoidal_encoding(positions.view(5), 10'000, out.view(rows, 9)), refuses_shape("out", rows));
  REQUIRE(out.untouched());

  Buffer<float> fitting(5 * 9);
  REQUIRE_THAT(integer_encoding(positions.view(5), fitting.view(5, 9)), is_ok());
  REQUIRE_THAT(binary_encoding(positions.view(5), fitting.view(5, 9)), is_ok());
  REQUIRE_THAT(sinusoidal_encoding(positions.view(5), 10'000, fitting.view(5, 9)), is_ok());
}

TEST_CASE("sinusoidal encoding refuses a base that is not finite and positive", "[encodings][errors]") {
  const double base = GENERATE(as<double>(), 0, -0.0, -1, infinity, -infinity, not_a_number);
  Buffer<std::int32_t> positions(consecutive(5));
  Buffer<float> out(5 * 9);
  REQUIRE_THAT(sinusoidal_encoding(positions.view(5), base, out.view(5, 9)), refuses_value("base", base));
  REQUIRE(out.untouched());
  REQUIRE_THAT(sinusoidal_encoding(positions.view(5), 10'000, out.view(5, 9)), is_ok());
}

}  // namespace

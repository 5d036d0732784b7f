#include "ropewalk/rope_scaling.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "reference/encodings.hpp"
#include "reference/rope.hpp"
#include "reference/rope_scaling.hpp"
#include "ropewalk/rope.hpp"
#include "support.hpp"

namespace {

using namespace ropewalk;
using namespace ropewalk::test;

constexpr std::array bad_positives = {0.0, -1.0, double{infinity}, -double{infinity}};

TensorView<const double, 1> view_of(const std::vector<double>& values) {
  return {values.data(), {values.size()}};
}

struct Scaled {
  std::vector<double> inv_freq;
  RopeScalingFactors factors;
};

Scaled scaled(const RopeScaling& scaling) {
  const std::size_t n_pairs = rope_scaling_pairs(scaling);
  Buffer<double> inv_freq(n_pairs);
  // Whatever was there has to go.
  RopeScalingFactors factors{7, 7};
  REQUIRE_THAT(rope_scaling(scaling, inv_freq.view(n_pairs), factors), is_ok());
  REQUIRE(inv_freq.intact());
  return {inv_freq.copy(), factors};
}

/// inv_freq alone, of a scaling without factors.
std::vector<double> inv_freq_of(const RopeScaling& scaling) {
  const auto [inv_freq, factors] = scaled(scaling);
  REQUIRE(factors.attention_factor == 1);
  REQUIRE(factors.softmax_factor == 1);
  return inv_freq;
}

std::vector<double> trained(double rope_theta, std::uint32_t head_dim) {
  return inv_freq_of({.rope_theta = rope_theta, .head_dim = head_dim});
}

// ---- Scalings ---------------------------------------------------------------------------------------------

/// For LongRoPE: the slower the pair, the larger its factor.
std::vector<double> factors_from(double first, double last, std::size_t n_pairs) {
  std::vector<double> factors;
  for (std::size_t i = 0; i < n_pairs; ++i) {
    const double way = static_cast<double>(i) / static_cast<double>(std::max<std::size_t>(n_pairs - 1, 1));
    factors.push_back(first + (last - first) * way * way);
  }
  return factors;
}

const std::vector<double> short_factors = factors_from(1, 1.4, 48);
const std::vector<double> long_factors = factors_from(1, 61.7, 48);

struct Named {
  std::string name;
  RopeScaling scaling;
};

/// As models have them, and one of each of the others.
std::vector<Named> models() {
  std::vector<Named> models = {
      {"Llama 3", {.rope_theta = 500'000, .head_dim = 128}},
      {"GPT-NeoX", {.head_dim = 64, .partial_rotary_factor = 0.25}},
      {"25 components", {.head_dim = 64, .partial_rotary_factor = 0.4}},
      {"position interpolation", {.type = RopeType::linear, .head_dim = 128, .factor = 10}},
      {"NTK-aware", {.type = RopeType::ntk, .head_dim = 128, .factor = 8}},
      {"Qwen2.5",
       {.type = RopeType::yarn,
        .rope_theta = 1e6,
        .head_dim = 128,
        .factor = 4,
        .original_max_position_embeddings = 32'768}},
      {"DeepSeek-V3",
       {.type = RopeType::yarn,
        .head_dim = 64,
        .factor = 40,
        .original_max_position_embeddings = 4'096,
        .mscale = 1,
        .mscale_all_dim = 1}},
      {"DeepSeek-V2-Lite",
       {.type = RopeType::yarn,
        .head_dim = 64,
        .factor = 40,
        .original_max_position_embeddings = 4'096,
        .mscale = 0.707,
        .mscale_all_dim = 0.707}},
      {"gpt-oss",
       {.type = RopeType::yarn,
        .rope_theta = 150'000,
        .head_dim = 64,
        .factor = 32,
        .original_max_position_embeddings = 4'096,
        .truncate = false}},
      {"YaRN by lengths",
       {.type = RopeType::yarn,
        .head_dim = 80,
        .max_position_embeddings = 131'072,
        .original_max_position_embeddings = 8'192}},
      {"Llama 3.1",
       {.type = RopeType::llama3,
        .rope_theta = 500'000,
        .head_dim = 128,
        .factor = 8,
        .original_max_position_embeddings = 8'192,
        .low_freq_factor = 1,
        .high_freq_factor = 4}},
      {"Llama 3.2",
       {.type = RopeType::llama3,
        .rope_theta = 500'000,
        .head_dim = 64,
        .factor = 32,
        .original_max_position_embeddings = 8'192,
        .low_freq_factor = 1,
        .high_freq_factor = 4}},
      {"Llama 4 Scout",
       {.type = RopeType::llama3,
        .rope_theta = 500'000,
        .head_dim = 128,
        .factor = 16,
        .original_max_position_embeddings = 8'192,
        .low_freq_factor = 1,
        .high_freq_factor = 1}},
      {"Gemma 4",
       {.type = RopeType::proportional, .rope_theta = 1e6, .head_dim = 512, .partial_rotary_factor = 0.25}},
      {"proportional by 8",
       {.type = RopeType::proportional,
        .rope_theta = 1e6,
        .head_dim = 128,
        .partial_rotary_factor = 0.5,
        .factor = 8}},
  };
  for (const double seq_len : {RopeScaling::not_given, 1.0, 2'048.0, 2'049.0, 16'384.0, 1e6}) {
    models.push_back({"dynamic at " + std::to_string(seq_len),
                      {.type = RopeType::dynamic,
                       .head_dim = 128,
                       .factor = 4,
                       .max_position_embeddings = 2'048,
                       .seq_len = seq_len}});
  }
  for (const double seq_len : {RopeScaling::not_given, 100.0, 4'096.0, 4'097.0, 131'072.0}) {
    models.push_back({"LongRoPE at " + std::to_string(seq_len),
                      {.type = RopeType::longrope,
                       .head_dim = 128,
                       .partial_rotary_factor = 0.75,
                       .max_position_embeddings = 131'072,
                       .original_max_position_embeddings = 4'096,
                       .seq_len = seq_len,
                       .short_factor = view_of(short_factors),
                       .long_factor = view_of(long_factors)}});
  }
  return models;
}

/// Any that are valid; `factors` is where LongRoPE's are kept.
RopeScaling random_scaling(Random& random, RopeType type, std::vector<double>& factors) {
  const auto between = [&](double low, double high) { return low * std::pow(high / low, random.uniform()); };
  const auto maybe = [&](double value) { return random.uniform() < 0.5 ? value : RopeScaling::not_given; };
  RopeScaling scaling;
  scaling.type = type;
  scaling.rope_theta = between(100, 1e7);
  scaling.head_dim = static_cast<std::uint32_t>(between(2, 300));
  scaling.partial_rotary_factor = random.uniform() < 0.5 ? 1 : between(1.0 / scaling.head_dim, 1);
  scaling.factor = between(1, 64);
  scaling.original_max_position_embeddings = std::round(between(64, 40'000));
  scaling.max_position_embeddings = std::round(scaling.original_max_position_embeddings * between(1, 64));
  scaling.seq_len = maybe(std::round(between(1, 400'000)));
  if (type == RopeType::yarn) {
    scaling.factor = maybe(scaling.factor);
    scaling.attention_factor = maybe(between(0.3, 2));
    scaling.beta_fast = between(8, 100);
    scaling.beta_slow = between(0.2, 4);
    scaling.truncate = random.uniform() < 0.7;
    scaling.mscale = maybe(random.uniform() < 0.2 ? 0 : between(0.3, 2));
    scaling.mscale_all_dim = maybe(random.uniform() < 0.2 ? 0 : between(0.3, 2));
  }
  if (type == RopeType::longrope) {
    const std::size_t n_pairs = rope_scaling_pairs(scaling);
    factors.clear();
    for (std::size_t i = 0; i < 2 * n_pairs; ++i) factors.push_back(between(1, 100));
    scaling.factor = maybe(scaling.factor);
    scaling.attention_factor = maybe(between(0.3, 2));
    scaling.short_factor = {factors.data(), {n_pairs}};
    scaling.long_factor = {factors.data() + n_pairs, {n_pairs}};
  }
  if (type == RopeType::llama3) {
    scaling.low_freq_factor = between(0.1, 4);
    scaling.high_freq_factor = scaling.low_freq_factor * between(2, 10);
  }
  if (type == RopeType::yarn || type == RopeType::llama3 || type == RopeType::longrope) {
    if (random.uniform() < 0.2) scaling.original_max_position_embeddings = RopeScaling::not_given;
  }
  return scaling;
}

constexpr std::array types = {RopeType::standard, RopeType::linear,      RopeType::ntk,
                              RopeType::dynamic,  RopeType::yarn,        RopeType::longrope,
                              RopeType::llama3,   RopeType::proportional};

// ---- Against the reference --------------------------------------------------------------------------------

/// The spacing of doubles just below a number, which is the finer one at a power of two.
double double_ulp(long double value) {
  const auto near = static_cast<double>(value);
  return near - std::nextafter(near, 0.0);
}

long double trained_frequency(const RopeScaling& scaling, std::size_t pair) {
  const bool proportional = scaling.type == RopeType::proportional;
  const double dim = proportional ? scaling.head_dim : scaling.head_dim * scaling.partial_rotary_factor;
  return reference::frequency(scaling.rope_theta, pair, static_cast<std::size_t>(dim));
}

/// What the docstring allows.
void require_near(const RopeScaling& scaling, const Scaled& got, const reference::ScaledRope& want) {
  REQUIRE(got.inv_freq.size() == want.inv_freq.size());
  const double ulps = scaling.type == RopeType::yarn && !scaling.truncate ? 8 : 4;
  for (std::size_t i = 0; i < want.inv_freq.size(); ++i) {
    CAPTURE(i, got.inv_freq[i]);
    const long double largest = std::max(want.inv_freq[i], trained_frequency(scaling, i));
    const double bound = want.inv_freq[i] == 0 ? 0 : ulps * double_ulp(largest);
    REQUIRE(std::abs(got.inv_freq[i] - want.inv_freq[i]) <= bound);
  }
  const auto is_near = [](double value, long double exact) {
    return std::abs(value - exact) <= 4 * double_ulp(exact);
  };
  REQUIRE(is_near(got.factors.attention_factor, want.attention_factor));
  REQUIRE(is_near(got.factors.softmax_factor, want.softmax_factor));
}

void require_as_reference(const RopeScaling& scaling) {
  require_near(scaling, scaled(scaling), reference::rope_scaling(scaling));
}

TEST_CASE("models' frequencies and factors keep their bound", "[rope_scaling]") {
  for (const auto& [name, scaling] : models()) {
    CAPTURE(name);
    require_as_reference(scaling);
  }
}

TEST_CASE("any scaling's frequencies and factors keep their bound", "[rope_scaling]") {
  Random random(1);
  std::vector<double> factors;
  for (const RopeType type : types) {
    for (int i = 0; i < 300; ++i) {
      const RopeScaling scaling = random_scaling(random, type, factors);
      CAPTURE(static_cast<int>(type), i, scaling.rope_theta, scaling.head_dim, scaling.partial_rotary_factor,
              scaling.factor, scaling.original_max_position_embeddings, scaling.truncate);
      require_as_reference(scaling);
    }
  }
}

/// Cosines and sines through the kernels' frequencies, rounded to double, and cache, rounded to float, against
/// those of the formula without any rounding. An ulp of a float below 1 is 2^-24.
void require_turns_true(const RopeScaling& scaling, const std::vector<std::int32_t>& positions,
                        double bound) {
  const auto [inv_freq, factors] = scaled(scaling);
  const std::size_t n_pairs = inv_freq.size();
  Buffer<std::int32_t> position_ids(positions);
  Buffer<double> frequencies(inv_freq);
  Buffer<float> cos(positions.size() * n_pairs);
  Buffer<float> sin(positions.size() * n_pairs);
  REQUIRE_THAT(build_rope_cache(position_ids.view(1, positions.size()), frequencies.view(n_pairs), {},
                                factors.attention_factor, cos.view(positions.size(), n_pairs),
                                sin.view(positions.size(), n_pairs)),
               is_ok());
  const reference::ScaledRope exact = reference::rope_scaling(scaling);
  const reference::RopeCache want =
      reference::build_rope_cache(positions, exact.inv_freq, 1, {}, exact.attention_factor);
  bound *= static_cast<double>(exact.attention_factor);
  REQUIRE_THAT(cos.copy(), is_within(want.cos, bound));
  REQUIRE_THAT(sin.copy(), is_within(want.sin, bound));
}

std::vector<std::int32_t> near_positions() {
  std::vector<std::int32_t> positions = {0, 1, -1, 4'095, 131'071, -131'071, 999'983, 1 << 24, (1 << 24) - 1};
  for (const std::int32_t position : Random(2).positions(30)) positions.push_back(position / (1 << 7));
  return positions;
}

std::vector<std::int32_t> all_positions() {
  std::vector<std::int32_t> positions(far_positions.begin(), far_positions.end());
  for (const std::int32_t position : Random(3).positions(30)) positions.push_back(position);
  return positions;
}

TEST_CASE("every model's cosines and sines are true, near and far", "[rope_scaling]") {
  for (const auto& [name, scaling] : models()) {
    CAPTURE(name);
    require_turns_true(scaling, near_positions(), 0x1p-24);
    require_turns_true(scaling, all_positions(), 1e-6);
  }
}

TEST_CASE("every scaling's cosines and sines are true, near and far", "[rope_scaling]") {
  Random random(4);
  std::vector<double> factors;
  for (const RopeType type : types) {
    for (int i = 0; i < 20; ++i) {
      const RopeScaling scaling = random_scaling(random, type, factors);
      CAPTURE(static_cast<int>(type), i);
      require_turns_true(scaling, near_positions(), 0x1p-24);
      require_turns_true(scaling, all_positions(), 1e-6);
    }
  }
}

// ---- What each scaling is ---------------------------------------------------------------------------------

TEST_CASE("a scaling has a frequency for each pair of the rotated part", "[rope_scaling]") {
  const auto pairs = [](RopeType type, std::uint32_t head_dim, double partial_rotary_factor) {
    return rope_scaling_pairs(
        {.type = type, .head_dim = head_dim, .partial_rotary_factor = partial_rotary_factor});
  };
  REQUIRE(pairs(RopeType::standard, 64, 1) == 32);
  REQUIRE(pairs(RopeType::standard, 64, 0.25) == 8);
  REQUIRE(pairs(RopeType::linear, 64, 0.4) == 13);
  REQUIRE(pairs(RopeType::ntk, 10, 0.7) == 4);
  REQUIRE(pairs(RopeType::yarn, 1, 1) == 1);
  REQUIRE(pairs(RopeType::llama3, 3, 1) == 2);
  REQUIRE(pairs(RopeType::standard, 3, 0.3) == 0);
  REQUIRE(pairs(RopeType::proportional, 64, 0.25) == 32);
  REQUIRE(pairs(RopeType::proportional, 65, 0.25) == 32);
  for (const double partial : {0.0, -1.0, 1.1, 1e300, double{infinity}, double{not_a_number}}) {
    REQUIRE(pairs(RopeType::standard, 64, partial) == 0);
  }
}

TEST_CASE("no scaling is rope_inv_freq", "[rope_scaling]") {
  for (const std::size_t n_pairs : sizes) {
    Buffer<double> inv_freq(n_pairs);
    REQUIRE_THAT(rope_inv_freq(500'000, inv_freq.view(n_pairs)), is_ok());
    REQUIRE_THAT(trained(500'000, static_cast<std::uint32_t>(2 * n_pairs)), has_bits_of(inv_freq.copy()));
  }
}

TEST_CASE("position interpolation divides every frequency", "[rope_scaling]") {
  std::vector<double> want = trained(10'000, 66);
  for (double& frequency : want) frequency /= 10;
  REQUIRE_THAT(inv_freq_of({.type = RopeType::linear, .head_dim = 66, .factor = 10}), has_bits_of(want));
}

TEST_CASE("NTK-aware scaling leaves the fastest pair, and divides the slowest", "[rope_scaling]") {
  const std::vector<double> before = trained(10'000, 128);
  const std::vector<double> after = inv_freq_of({.type = RopeType::ntk, .head_dim = 128, .factor = 8});
  REQUIRE(after.front() == 1);
  REQUIRE(std::abs(after.back() * 8 / before.back() - 1) < 1e-15);
  for (std::size_t i = 1; i < after.size(); ++i) {
    REQUIRE(after[i] < before[i]);
    REQUIRE(after[i] > before[i] / 8.000001);
  }
}

TEST_CASE("dynamic scaling waits for the trained length to pass", "[rope_scaling]") {
  const auto at = [](double seq_len) {
    return inv_freq_of({.type = RopeType::dynamic,
                        .head_dim = 128,
                        .factor = 4,
                        .max_position_embeddings = 2'048,
                        .seq_len = seq_len});
  };
  for (const double seq_len : {RopeScaling::not_given, 0.0, 1.0, 2'047.0, 2'048.0}) {
    REQUIRE_THAT(at(seq_len), has_bits_of(trained(10'000, 128)));
  }
  // 4 * 4096 / 2048 - 3
  REQUIRE_THAT(at(4'096), has_bits_of(inv_freq_of({.type = RopeType::ntk, .head_dim = 128, .factor = 5})));
  REQUIRE(at(2'049).back() < at(2'048).back());
}

TEST_CASE("NTK-aware and dynamic scaling do without a pair to slow down", "[rope_scaling]") {
  for (const std::uint32_t head_dim : {1U, 2U}) {
    REQUIRE(inv_freq_of({.type = RopeType::ntk, .head_dim = head_dim, .factor = 8}) ==
            std::vector<double>{1});
    REQUIRE(inv_freq_of({.type = RopeType::dynamic,
                         .head_dim = head_dim,
                         .factor = 8,
                         .max_position_embeddings = 10,
                         .seq_len = 1'000}) == std::vector<double>{1});
  }
}

TEST_CASE("every scaling does with a pair or two", "[rope_scaling]") {
  Random random(5);
  std::vector<double> factors;
  for (const RopeType type : types) {
    for (const std::uint32_t head_dim : {1U, 2U, 3U, 4U}) {
      if (type == RopeType::proportional && head_dim == 1) continue;
      for (int i = 0; i < 50; ++i) {
        RopeScaling scaling = random_scaling(random, type, factors);
        scaling.head_dim = head_dim;
        scaling.partial_rotary_factor = 1;
        factors.resize(4, 2);
        scaling.short_factor = scaling.long_factor = {factors.data(), {rope_scaling_pairs(scaling)}};
        CAPTURE(static_cast<int>(type), head_dim, i);
        require_as_reference(scaling);
      }
    }
  }
}

// ---- YaRN -------------------------------------------------------------------------------------------------

RopeScaling yarn(double factor) {
  return {
      .type = RopeType::yarn, .head_dim = 64, .factor = factor, .original_max_position_embeddings = 4'096};
}

TEST_CASE("YaRN keeps fast pairs, divides slow ones, and goes from the one to the other", "[rope_scaling]") {
  const std::vector<double> before = trained(10'000, 64);
  const std::vector<double> after = scaled(yarn(40)).inv_freq;
  // 64 ln(4096 / (32 * 2 pi)) / (2 ln 10000) is 10.47, and 22.51 for one turn.
  for (std::size_t i = 0; i < 32; ++i) {
    CAPTURE(i);
    if (i <= 10) REQUIRE(after[i] == before[i]);
    if (i >= 23) REQUIRE(after[i] == before[i] / 40);
    const double share = std::clamp((static_cast<double>(i) - 10) / 13, 0.0, 1.0);
    REQUIRE(std::abs(after[i] / before[i] - (share / 40 + 1 - share)) < 1e-15);
  }
}

TEST_CASE("YaRN by a factor of 1 is no scaling", "[rope_scaling]") {
  RopeScaling scaling = yarn(1);
  scaling.mscale = 0.7;
  scaling.mscale_all_dim = 0.9;
  const auto [inv_freq, factors] = scaled(scaling);
  REQUIRE(factors.attention_factor == 1);
  REQUIRE(factors.softmax_factor == 1);
  const std::vector<double> before = trained(10'000, 64);
  REQUIRE_THAT(inv_freq, is_within(before, [&](std::size_t i) { return 2 * double_ulp(before[i]); }));
}

TEST_CASE("YaRN by a factor below 1 leaves the logits as they are", "[rope_scaling]") {
  RopeScaling scaling = yarn(0.5);
  REQUIRE(scaled(scaling).factors.attention_factor == 1);
  scaling.mscale_all_dim = 1;
  REQUIRE(scaled(scaling).factors.softmax_factor == 1);
  require_as_reference(scaling);
}

TEST_CASE("YaRN without a ramp goes from the first pair to the second at once", "[rope_scaling]") {
  RopeScaling scaling = yarn(40);
  // Less than a turn even for the fastest pair.
  scaling.original_max_position_embeddings = 6;
  std::vector<double> want = trained(10'000, 64);
  for (std::size_t i = 1; i < want.size(); ++i) want[i] /= 40;
  REQUIRE_THAT(scaled(scaling).inv_freq, has_bits_of(want));
}

TEST_CASE("YaRN with a ramp that begins past the last pair divides all", "[rope_scaling]") {
  RopeScaling scaling = yarn(40);
  scaling.rope_theta = 2;
  std::vector<double> want = trained(2, 64);
  for (double& frequency : want) frequency /= 40;
  REQUIRE_THAT(scaled(scaling).inv_freq, has_bits_of(want));
  require_as_reference(scaling);
}

TEST_CASE("YaRN's factor is by default that of the lengths", "[rope_scaling]") {
  RopeScaling by_lengths = yarn(RopeScaling::not_given);
  by_lengths.max_position_embeddings = 163'840;
  const auto got = scaled(by_lengths);
  const auto want = scaled(yarn(40));
  REQUIRE_THAT(got.inv_freq, has_bits_of(want.inv_freq));
  REQUIRE(got.factors.attention_factor == want.factors.attention_factor);

  // Without an original length it is the maximal one.
  RopeScaling original = yarn(40);
  original.original_max_position_embeddings = RopeScaling::not_given;
  original.max_position_embeddings = 4'096;
  REQUIRE_THAT(scaled(original).inv_freq, has_bits_of(want.inv_freq));
}

TEST_CASE("YaRN's factors are as given, by mscale, or by the paper", "[rope_scaling]") {
  const auto factors = [](double attention_factor, double mscale, double mscale_all_dim) {
    RopeScaling scaling = yarn(40);
    scaling.attention_factor = attention_factor;
    scaling.mscale = mscale;
    scaling.mscale_all_dim = mscale_all_dim;
    return scaled(scaling).factors;
  };
  constexpr double none = RopeScaling::not_given;
  const double m1 = 0.1 * std::log(40) + 1;
  const double m7 = 0.1 * 0.7 * std::log(40) + 1;
  const auto is = [](double value, double want) { return std::abs(value - want) <= 1e-15; };

  REQUIRE(is(factors(none, none, none).attention_factor, m1));
  REQUIRE(is(factors(none, 0.7, none).attention_factor, m1));
  REQUIRE(is(factors(none, none, 0.7).attention_factor, m1));
  REQUIRE(is(factors(none, 0, 0.7).attention_factor, m1));
  REQUIRE(is(factors(none, 0.7, 0).attention_factor, m1));
  REQUIRE(is(factors(none, 0.7, 1).attention_factor, m7 / m1));
  REQUIRE(is(factors(none, 1, 1).attention_factor, 1));
  REQUIRE(factors(0.5, 0.7, 1).attention_factor == 0.5);

  REQUIRE(factors(none, none, none).softmax_factor == 1);
  REQUIRE(factors(none, 1, 0).softmax_factor == 1);
  REQUIRE(is(factors(none, none, 0.7).softmax_factor, m7 * m7));
  REQUIRE(is(factors(0.5, 0.7, 1).softmax_factor, m1 * m1));
}

// ---- LongRoPE ---------------------------------------------------------------------------------------------

RopeScaling longrope() {
  return {.type = RopeType::longrope,
          .head_dim = 96,
          .max_position_embeddings = 131'072,
          .original_max_position_embeddings = 4'096,
          .short_factor = view_of(short_factors),
          .long_factor = view_of(long_factors)};
}

TEST_CASE("LongRoPE divides by the short factors up to the original length, by the long ones past it",
          "[rope_scaling]") {
  const auto divided_by = [](const std::vector<double>& factors) {
    std::vector<double> want = trained(10'000, 96);
    for (std::size_t i = 0; i < want.size(); ++i) want[i] /= factors[i];
    return want;
  };
  RopeScaling scaling = longrope();
  for (const double seq_len : {RopeScaling::not_given, 0.0, 1.0, 4'096.0}) {
    scaling.seq_len = seq_len;
    REQUIRE_THAT(scaled(scaling).inv_freq, has_bits_of(divided_by(short_factors)));
  }
  for (const double seq_len : {4'097.0, 131'072.0, 1e7}) {
    scaling.seq_len = seq_len;
    REQUIRE_THAT(scaled(scaling).inv_freq, has_bits_of(divided_by(long_factors)));
  }
}

TEST_CASE("LongRoPE's attention factor is as given, or by the ratio of the lengths", "[rope_scaling]") {
  const auto attention = [](double by, double attention_factor) {
    RopeScaling scaling = longrope();
    scaling.factor = by;
    scaling.attention_factor = attention_factor;
    const RopeScalingFactors factors = scaled(scaling).factors;
    REQUIRE(factors.softmax_factor == 1);
    return factors.attention_factor;
  };
  constexpr double none = RopeScaling::not_given;
  // ln(32) / ln(4096) and ln(16) / ln(4096) are 5/12 and 4/12.
  REQUIRE(std::abs(attention(none, none) - std::sqrt(1 + 5.0 / 12)) <= 1e-15);
  REQUIRE(std::abs(attention(16, none) - std::sqrt(1 + 4.0 / 12)) <= 1e-15);
  REQUIRE(attention(1, none) == 1);
  REQUIRE(attention(0.5, none) == 1);
  REQUIRE(attention(16, 1.5) == 1.5);
}

// ---- Llama 3 ----------------------------------------------------------------------------------------------

RopeScaling llama3(double low_freq_factor, double high_freq_factor) {
  return {.type = RopeType::llama3,
          .rope_theta = 500'000,
          .head_dim = 128,
          .factor = 8,
          .original_max_position_embeddings = 8'192,
          .low_freq_factor = low_freq_factor,
          .high_freq_factor = high_freq_factor};
}

TEST_CASE("Llama 3 keeps short wavelengths, and lengthens long ones", "[rope_scaling]") {
  const std::vector<double> before = trained(500'000, 128);
  for (const double high : {1.0, 4.0}) {
    const std::vector<double> after = inv_freq_of(llama3(1, high));
    std::size_t between = 0;
    for (std::size_t i = 0; i < before.size(); ++i) {
      CAPTURE(high, i);
      const double turns = 8'192 * before[i] / 6.283185307179586;
      if (turns > high) {
        REQUIRE(after[i] == before[i]);
      } else if (turns < 1) {
        REQUIRE(after[i] == before[i] / 8);
      } else {
        const double smooth = (turns - 1) / (high - 1);
        REQUIRE(std::abs(after[i] / before[i] - (smooth + (1 - smooth) / 8)) < 1e-14);
        ++between;
      }
    }
    REQUIRE((between > 0) == (high > 1));
  }
}

TEST_CASE("Llama 3 with a wavelength just at a ramp of no length has no 0/0", "[rope_scaling]") {
  // The first pair turns just once in 2 pi positions.
  RopeScaling scaling = llama3(1, 1);
  scaling.original_max_position_embeddings = 6.283185307179586;
  REQUIRE(inv_freq_of(scaling).front() == 1);
}

// ---- Proportional -----------------------------------------------------------------------------------------

TEST_CASE("proportional scaling turns the first pairs as the whole head would, and the others not at all",
          "[rope_scaling]") {
  const auto turned = [](double partial_rotary_factor, double factor) {
    return inv_freq_of({.type = RopeType::proportional,
                        .head_dim = 66,
                        .partial_rotary_factor = partial_rotary_factor,
                        .factor = factor});
  };
  std::vector<double> want = trained(10'000, 66);
  REQUIRE_THAT(turned(1, RopeScaling::not_given), has_bits_of(want));
  // 66 * 0.5 / 2 is 16.5.
  std::fill(want.begin() + 16, want.end(), 0);
  REQUIRE_THAT(turned(0.5, RopeScaling::not_given), has_bits_of(want));
  for (double& frequency : want) frequency /= 8;
  REQUIRE_THAT(turned(0.5, 8), has_bits_of(want));
  REQUIRE(turned(0.01, 1) == std::vector<double>(33, 0));
}

// ---- Refusals ---------------------------------------------------------------------------------------------

/// Refused, with nothing written.
Status refused(const RopeScaling& scaling) {
  const std::size_t n_pairs = rope_scaling_pairs(scaling);
  Buffer<double> inv_freq(n_pairs);
  RopeScalingFactors factors{7, 7};
  const Status status = rope_scaling(scaling, inv_freq.view(n_pairs), factors);
  REQUIRE(inv_freq.untouched());
  REQUIRE(factors.attention_factor == 7);
  REQUIRE(factors.softmax_factor == 7);
  return status;
}

struct Field {
  const char* name;
  double RopeScaling::* value;
};

constexpr Field rope_theta{"rope_theta", &RopeScaling::rope_theta};
constexpr Field factor{"factor", &RopeScaling::factor};
constexpr Field max_len{"max_position_embeddings", &RopeScaling::max_position_embeddings};
constexpr Field original_len{"original_max_position_embeddings",
                             &RopeScaling::original_max_position_embeddings};
constexpr Field seq_len{"seq_len", &RopeScaling::seq_len};
constexpr Field attention_factor{"attention_factor", &RopeScaling::attention_factor};
constexpr Field beta_fast{"beta_fast", &RopeScaling::beta_fast};
constexpr Field beta_slow{"beta_slow", &RopeScaling::beta_slow};
constexpr Field mscale{"mscale", &RopeScaling::mscale};
constexpr Field mscale_all_dim{"mscale_all_dim", &RopeScaling::mscale_all_dim};
constexpr Field low_freq_factor{"low_freq_factor", &RopeScaling::low_freq_factor};
constexpr Field high_freq_factor{"high_freq_factor", &RopeScaling::high_freq_factor};

void require_refuses(RopeScaling scaling, const Field& field, double value) {
  CAPTURE(static_cast<int>(scaling.type), field.name, value);
  REQUIRE(!scaled(scaling).inv_freq.empty());
  scaling.*field.value = value;
  REQUIRE_THAT(refused(scaling), refuses_value(field.name, value));
}

RopeScaling valid(RopeType type) {
  switch (type) {
    case RopeType::yarn:
      return yarn(40);
    case RopeType::longrope:
      return longrope();
    case RopeType::llama3:
      return llama3(1, 4);
    default:
      return {.type = type, .head_dim = 64, .factor = 4, .max_position_embeddings = 2'048};
  }
}

TEST_CASE("a scaling refuses a field that is out of range, by its name", "[rope_scaling][errors]") {
  const std::vector<std::pair<RopeType, std::vector<Field>>> positive_fields = {
      {RopeType::standard, {rope_theta}},
      {RopeType::linear, {rope_theta, factor}},
      {RopeType::ntk, {rope_theta, factor}},
      {RopeType::dynamic, {rope_theta, factor, max_len}},
      {RopeType::yarn, {rope_theta, factor, original_len, attention_factor, beta_fast, beta_slow}},
      {RopeType::longrope, {rope_theta, factor, max_len, original_len, attention_factor}},
      {RopeType::llama3, {rope_theta, factor, original_len, low_freq_factor, high_freq_factor}},
      {RopeType::proportional, {rope_theta, factor}},
  };
  for (const auto& [type, fields] : positive_fields) {
    for (const Field& field : fields) {
      for (const double value : bad_positives) require_refuses(valid(type), field, value);
    }
  }
  for (const double value : {-1.0, double{infinity}}) {
    require_refuses(valid(RopeType::dynamic), seq_len, value);
    require_refuses(valid(RopeType::longrope), seq_len, value);
    require_refuses(valid(RopeType::yarn), mscale, value);
    require_refuses(valid(RopeType::yarn), mscale_all_dim, value);
  }
  for (const double value : {1.0, 0.5}) {
    require_refuses(valid(RopeType::yarn), rope_theta, value);
    require_refuses(valid(RopeType::longrope), original_len, value);
  }
  require_refuses(valid(RopeType::llama3), rope_theta, 1);
  require_refuses(valid(RopeType::llama3), high_freq_factor, 0.99);
}

TEST_CASE("a scaling refuses a field that is not given and has no default", "[rope_scaling][errors]") {
  constexpr double none = RopeScaling::not_given;
  for (const RopeType type : {RopeType::linear, RopeType::ntk, RopeType::dynamic, RopeType::llama3}) {
    require_refuses(valid(type), factor, none);
  }
  require_refuses(valid(RopeType::dynamic), max_len, none);
  require_refuses(valid(RopeType::longrope), max_len, none);
  for (const RopeType type : {RopeType::yarn, RopeType::llama3}) {
    require_refuses(valid(type), original_len, none);
  }
  require_refuses(valid(RopeType::yarn), beta_fast, none);
  require_refuses(valid(RopeType::llama3), low_freq_factor, none);
  require_refuses(valid(RopeType::llama3), high_freq_factor, none);
  require_refuses(valid(RopeType::standard), rope_theta, none);
  // Not the one that it stands in for.
  for (const RopeType type : {RopeType::yarn, RopeType::longrope, RopeType::llama3}) {
    RopeScaling by_max_len = valid(type);
    by_max_len.original_max_position_embeddings = none;
    by_max_len.max_position_embeddings = 4'096;
    require_refuses(by_max_len, max_len, -1);
  }
  RopeScaling without_lengths = longrope();
  without_lengths.max_position_embeddings = none;
  without_lengths.factor = 4;
  require_refuses(without_lengths, original_len, none);
  RopeScaling without_factor = yarn(none);
  REQUIRE_THAT(refused(without_factor), refuses_value("max_position_embeddings", none));
}

TEST_CASE("a scaling looks at no field that it has no use for", "[rope_scaling]") {
  RopeScaling scaling{.head_dim = 64};
  for (const Field& field : {factor, max_len, original_len, seq_len, attention_factor, beta_fast, beta_slow,
                             mscale, mscale_all_dim, low_freq_factor, high_freq_factor}) {
    scaling.*field.value = -1;
  }
  REQUIRE_THAT(inv_freq_of(scaling), has_bits_of(trained(10'000, 64)));
}

TEST_CASE("a scaling refuses heads in which nothing turns", "[rope_scaling][errors]") {
  for (const RopeType type : types) {
    for (const double partial : {0.0, -0.5, 1.01, double{infinity}, double{not_a_number}}) {
      RopeScaling scaling = valid(type);
      scaling.partial_rotary_factor = partial;
      REQUIRE_THAT(refused(scaling), refuses_value("partial_rotary_factor", partial));
    }
    RopeScaling scaling = valid(type);
    scaling.head_dim = 0;
    REQUIRE_THAT(refused(scaling), refuses_value("head_dim", 0));
  }
  REQUIRE_THAT(refused({.head_dim = 3, .partial_rotary_factor = 0.3}), refuses_value("head_dim", 3));
  REQUIRE_THAT(refused({.type = RopeType::proportional, .head_dim = 1}), refuses_value("head_dim", 1));
}

TEST_CASE("LongRoPE refuses factors for more or fewer pairs, and ones out of range",
          "[rope_scaling][errors]") {
  for (const bool is_long : {false, true}) {
    const char* const name = is_long ? "long_factor" : "short_factor";
    const auto with = [&](const std::vector<double>& factors) {
      RopeScaling scaling = longrope();
      (is_long ? scaling.long_factor : scaling.short_factor) = view_of(factors);
      return refused(scaling);
    };
    REQUIRE_THAT(with({}), refuses_shape(name, 0));
    REQUIRE_THAT(with(std::vector<double>(47, 1)), refuses_shape(name, 47));
    REQUIRE_THAT(with(std::vector<double>(49, 1)), refuses_shape(name, 49));
    for (const double value : {0.0, -1.0, double{infinity}, double{not_a_number}}) {
      for (const std::size_t pair : {0u, 23u, 47u}) {
        std::vector<double> factors(48, 1);
        factors[pair] = value;
        REQUIRE_THAT(with(factors), refuses_value(name, value));
      }
    }
  }
}

TEST_CASE("a scaling refuses room for more or fewer pairs", "[rope_scaling][errors]") {
  for (const RopeType type : types) {
    const RopeScaling scaling = valid(type);
    for (const std::size_t n_pairs : {rope_scaling_pairs(scaling) - 1, rope_scaling_pairs(scaling) + 1}) {
      Buffer<double> inv_freq(n_pairs);
      RopeScalingFactors factors{7, 7};
      REQUIRE_THAT(rope_scaling(scaling, inv_freq.view(n_pairs), factors),
                   refuses_shape("inv_freq", n_pairs));
      REQUIRE(inv_freq.untouched());
      REQUIRE(factors.attention_factor == 7);
      REQUIRE(factors.softmax_factor == 7);
    }
  }
}

}  // namespace

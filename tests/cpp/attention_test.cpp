#include "ropewalk/attention.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "reference/attention.hpp"
#include "ropewalk/rope.hpp"
#include "support.hpp"

namespace {

using namespace ropewalk;
using namespace ropewalk::test;
using Shape = reference::AttentionShape;

/// The docstring's bound for random components: on a weight, and on an output where no value is larger
/// than 1.
constexpr double bound = 0x1p-19;

/// The docstring's bounds at worst.
double worst_weight_error(const Shape& shape) {
  return static_cast<double>(shape.head_dim + 32) * 0x1p-23 + static_cast<double>(shape.kv_len) * 0x1p-26;
}
double worst_out_error(const Shape& shape) {
  return static_cast<double>(shape.head_dim + 32) * 0x1p-22 + static_cast<double>(shape.kv_len) * 0x1p-23;
}

struct Problem {
  Shape shape;
  AttentionOptions options;
  std::vector<float> query;
  std::vector<float> key;
  std::vector<float> value;
};

struct Result {
  std::vector<float> out;
  std::vector<float> weights;
};

/// Random queries, keys and values, scaled so that the largest score is as large as the bound allows:
/// softmax_scale * sum |query_c key_c| = 2^4.
Problem make_problem(Random& random, const Shape& shape, AttentionOptions options = {}) {
  Problem problem{shape, options, random.normals(shape.q_len * shape.n_heads * shape.head_dim),
                  random.normals(shape.kv_len * shape.n_kv_heads * shape.head_dim),
                  random.normals(shape.kv_len * shape.n_kv_heads * shape.v_head_dim)};
  double largest = 0;
  for (std::size_t i = 0; i < shape.q_len * shape.n_heads; ++i) {
    for (std::size_t j = 0; j < shape.kv_len * shape.n_kv_heads; ++j) {
      double sum = 0;
      for (std::size_t c = 0; c < shape.head_dim; ++c) {
        sum += std::abs(static_cast<double>(problem.query[i * shape.head_dim + c]) *
                        problem.key[j * shape.head_dim + c]);
      }
      largest = std::max(largest, sum);
    }
  }
  problem.options.softmax_scale = static_cast<float>(15.999 / largest);
  return problem;
}

/// Calls the kernel as its docstring asks: scratch of just the size it states, or weights.
Result run(const Problem& problem, bool with_weights = true) {
  const auto [q_len, kv_len, n_heads, n_kv_heads, head_dim, v_head_dim] = problem.shape;
  Buffer<float> query(problem.query);
  Buffer<float> key(problem.key);
  Buffer<float> value(problem.value);
  Buffer<float> out(q_len * n_heads * v_head_dim);
  Buffer<float> weights(n_heads * q_len * kv_len);
  Buffer<float> scratch(static_cast<std::size_t>(attention_scratch_size(kv_len)));
  REQUIRE_THAT(
      attention(query.view(q_len, n_heads, head_dim), key.view(kv_len, n_kv_heads, head_dim),
                value.view(kv_len, n_kv_heads, v_head_dim), problem.options,
                out.view(q_len, n_heads, v_head_dim),
                with_weights ? weights.view(n_heads, q_len, kv_len) : TensorView<float, 3>{},
                with_weights ? TensorView<float, 1>{scratch.values().data(), {scratch.values().size()}}
                             : scratch.view(static_cast<std::size_t>(attention_scratch_size(kv_len)))),
      is_ok());
  REQUIRE(out.intact());
  REQUIRE(weights.intact());
  REQUIRE(scratch.intact());
  if (with_weights) {
    REQUIRE(scratch.untouched());
  } else {
    REQUIRE(weights.untouched());
  }
  return {out.copy(), weights.copy()};
}

reference::AttentionResult exact(const Problem& problem) {
  return reference::attention(to_double(problem.query), to_double(problem.key), to_double(problem.value),
                              problem.shape, problem.options);
}

double largest_magnitude(const std::vector<float>& values) {
  double largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(static_cast<double>(value)));
  return largest;
}

void require_keeps_its_bounds(const Problem& problem) {
  const auto [q_len, kv_len, n_heads, n_kv_heads, head_dim, v_head_dim] = problem.shape;
  CAPTURE(q_len, kv_len, n_heads, n_kv_heads, head_dim, v_head_dim);
  CAPTURE(problem.options.causal, problem.options.causal_offset);
  const reference::AttentionResult want = exact(problem);
  const Result got = run(problem);
  REQUIRE_THAT(got.weights, is_within(want.weights, bound));
  REQUIRE_THAT(got.out, is_within(want.out, bound * largest_magnitude(problem.value)));
  REQUIRE_THAT(run(problem, false).out, has_bits_of(got.out));
}

// ---- Against the reference --------------------------------------------------------------------------------

TEST_CASE("attention keeps its bounds at any size, with weights and without", "[attention]") {
  std::vector<Shape> shapes;
  for (const std::size_t size : sizes) {
    shapes.push_back({size, 9, 2, 1, 8, 8});
    shapes.push_back({5, size, 2, 2, 8, 5});
    shapes.push_back({5, 9, 1, 1, size, 8});
    shapes.push_back({6, 9, 1, 1, 8, size});
    if (size < 100) shapes.push_back({size, size, 3, 1, size, size});
  }
  Random random(1);
  for (const Shape& shape : shapes) {
    require_keeps_its_bounds(make_problem(random, shape));
    require_keeps_its_bounds(make_problem(random, shape, {.causal = true}));
  }
}

TEST_CASE("attention keeps its bounds for any number of queries, keys and visible keys", "[attention]") {
  Random random(2);
  for (std::size_t q_len = 1; q_len <= 9; ++q_len) {
    for (std::size_t kv_len = 1; kv_len <= 9; ++kv_len) {
      for (std::int32_t causal_offset = -3; causal_offset <= 9; ++causal_offset) {
        require_keeps_its_bounds(make_problem(random, {q_len, kv_len, 1, 1, 3, 3}, {true, causal_offset}));
      }
    }
  }
}

TEST_CASE("attention keeps its bounds for any grouping of heads", "[attention]") {
  Random random(3);
  for (const std::size_t n_heads : Sizes{1, 2, 3, 4, 6, 8, 12}) {
    for (std::size_t n_kv_heads = 1; n_kv_heads <= n_heads; ++n_kv_heads) {
      if (n_heads % n_kv_heads != 0) continue;
      require_keeps_its_bounds(make_problem(random, {5, 7, n_heads, n_kv_heads, 6, 5}, {.causal = true}));
    }
  }
}

TEST_CASE("attention keeps its bounds at the page's size", "[attention]") {
  Random random(4);
  require_keeps_its_bounds(make_problem(random, {64, 64, 8, 8, 64, 64}, {.causal = true}));
  require_keeps_its_bounds(make_problem(random, {17, 512, 2, 1, 512, 33}, {true, 512 - 17}));
}

TEST_CASE("attention keeps its bounds where errors add up: every key weighs the same", "[attention]") {
  // Equal terms are rounded the same way each time, so that their errors add up and never cancel.
  for (std::size_t kv_len = 1; kv_len <= 2'048; kv_len += kv_len < 300 ? 1 : 97) {
    CAPTURE(kv_len);
    const Problem problem{{1, kv_len, 1, 1, 4, 1},
                          {},
                          std::vector<float>(4, 1),
                          std::vector<float>(4 * kv_len, 1),
                          std::vector<float>(kv_len, 1)};
    const Result result = run(problem);
    const std::vector<double> equal(kv_len, 1 / static_cast<double>(kv_len));
    REQUIRE_THAT(result.weights, is_within(equal, worst_weight_error(problem.shape)));
    REQUIRE_THAT(result.out, is_within({1}, worst_out_error(problem.shape)));
  }
}

TEST_CASE("attention keeps its bounds where errors add up: equal products in a score", "[attention]") {
  // The same true score twice, in equal products of one size and of twice that size, which are rounded
  // otherwise.
  Random random(18);
  for (const std::size_t head_dim : Sizes{2, 8, 64, 130, 256, 512}) {
    for (int attempt = 0; attempt < 50; ++attempt) {
      const auto component = static_cast<float>(1 + random.uniform());
      Problem problem{{1, 2, 1, 1, head_dim, 1}, {}, std::vector<float>(head_dim, 1), {}, {1, -1}};
      problem.key.resize(2 * head_dim, 0);
      std::fill_n(&problem.key[0], head_dim, component);
      std::fill_n(&problem.key[head_dim], head_dim / 2, 2 * component);
      problem.options.softmax_scale =
          static_cast<float>(15.999 / (static_cast<double>(head_dim) * static_cast<double>(component)));
      CAPTURE(head_dim, component);
      const Result result = run(problem);
      REQUIRE_THAT(result.weights, is_within({0.5, 0.5}, worst_weight_error(problem.shape)));
      REQUIRE_THAT(result.out, is_within({0}, worst_out_error(problem.shape)));
    }
  }
}

// ---- Weights ----------------------------------------------------------------------------------------------

TEST_CASE("every row of weights sums to 1, and none is negative", "[attention]") {
  Random random(5);
  for (const std::size_t kv_len : sizes) {
    for (const bool causal : {false, true}) {
      const Problem problem = make_problem(random, {33, kv_len, 2, 1, 9, 1}, {.causal = causal});
      const Result result = run(problem);
      for (std::size_t row = 0; row < 2 * 33; ++row) {
        double sum = 0;
        for (std::size_t j = 0; j < kv_len; ++j) {
          const float weight = result.weights[row * kv_len + j];
          REQUIRE(weight >= 0);
          sum += weight;
        }
        CAPTURE(kv_len, causal, row);
        REQUIRE(std::abs(sum - 1) <= bound);
      }
    }
  }
}

TEST_CASE("a query uses its last visible key, and not the next one", "[attention][causal]") {
  Random random(6);
  for (std::int32_t causal_offset = -10; causal_offset <= 20; ++causal_offset) {
    const Problem problem = make_problem(random, {13, 18, 2, 1, 5, 3}, {true, causal_offset});
    const Result result = run(problem);
    for (std::size_t row = 0; row < 2 * 13; ++row) {
      const std::int64_t edge = static_cast<std::int64_t>(row % 13) + causal_offset;
      for (std::int64_t j = 0; j < 18; ++j) {
        const float weight = result.weights[row * 18 + static_cast<std::size_t>(j)];
        CAPTURE(causal_offset, row, j);
        // No score is above 2^4 in magnitude, so that e^-32 is the least that a visible weight is of the
        // largest.
        if (j <= edge) REQUIRE(weight > 0);
        if (j > edge) REQUIRE(same_bits(weight, 0.0F));
      }
    }
  }
}

TEST_CASE("a row that sees nothing is zero", "[attention][causal]") {
  Random random(7);
  for (const std::int32_t causal_offset :
       {-1, -2, -4, -5, -9, -300, std::numeric_limits<std::int32_t>::min()}) {
    for (const bool with_weights : {true, false}) {
      const Problem problem = make_problem(random, {9, 7, 2, 2, 4, 6}, {true, causal_offset});
      const Result result = run(problem, with_weights);
      for (std::size_t i = 0; i < 9; ++i) {
        const bool sees_nothing = static_cast<std::int64_t>(i) + causal_offset < 0;
        for (std::size_t head = 0; head < 2; ++head) {
          for (std::size_t c = 0; c < 6; ++c)
            REQUIRE((result.out[(i * 2 + head) * 6 + c] == 0) == sees_nothing);
          for (std::size_t j = 0; with_weights && sees_nothing && j < 7; ++j) {
            REQUIRE(result.weights[(head * 9 + i) * 7 + j] == 0);
          }
        }
      }
    }
  }
}

TEST_CASE("a row whose every score is -inf is zero, and a key at -inf weighs nothing", "[attention]") {
  for (const std::size_t kv_len : sizes) {
    CAPTURE(kv_len);
    Problem problem{{2, kv_len, 1, 1, 5, 3},
                    {},
                    std::vector<float>(2 * 5, 1),
                    std::vector<float>(kv_len * 5, -infinity),
                    std::vector<float>(kv_len * 3, 2)};
    for (const bool with_weights : {true, false}) {
      REQUIRE(run(problem, with_weights).out == std::vector<float>(2 * 3, 0));
    }
    REQUIRE(run(problem).weights == std::vector<float>(2 * kv_len, 0));

    // One finite score among them takes all.
    for (std::size_t c = 0; c < 5; ++c) problem.key[5 * (kv_len / 2) + c] = -3;
    const Result result = run(problem);
    for (std::size_t j = 0; j < 2 * kv_len; ++j)
      REQUIRE(result.weights[j] == (j % kv_len == kv_len / 2 ? 1 : 0));
    REQUIRE(result.out == std::vector<float>(2 * 3, 2));
  }
}

TEST_CASE("a causal_offset at either end of int32 sees all or nothing", "[attention][causal]") {
  Random random(8);
  Problem problem =
      make_problem(random, {9, 7, 1, 1, 4, 6}, {true, std::numeric_limits<std::int32_t>::max()});
  const Result all = run(problem);
  problem.options.causal_offset = std::numeric_limits<std::int32_t>::min();
  REQUIRE(run(problem).weights == std::vector<float>(9 * 7, 0));
  problem.options.causal = false;
  REQUIRE_THAT(run(problem).weights, has_bits_of(all.weights));
}

TEST_CASE("scores of ten thousand neither overflow nor underflow", "[attention]") {
  // All numbers here are exact in float: scores are 1e4, 1e4 - 1, -1e4 and so on.
  for (const std::size_t kv_len : sizes) {
    CAPTURE(kv_len);
    Problem problem{{1, kv_len, 1, 1, 2, 1}, {}, {100, 1}, {}, {}};
    for (std::size_t j = 0; j < kv_len; ++j) {
      problem.key.push_back(j % 3 == 2 ? -100.0F : 100.0F);
      problem.key.push_back(-static_cast<float>(j % 5));
      problem.value.push_back(static_cast<float>(j % 7) / 7);
    }
    for (const float sign : {1.0F, -1.0F}) {
      problem.query = {sign * 100, sign};
      const Result result = run(problem);
      REQUIRE_THAT(result.weights, is_within(exact(problem).weights, bound));
      REQUIRE_THAT(result.out, is_within(exact(problem).out, bound));
    }
  }
  // Every score -1e4: without the maximum off, each weight would be 0 / 0.
  const Problem low{{1, 9, 1, 1, 1, 1}, {}, {-100}, std::vector<float>(9, 100), std::vector<float>(9, 1)};
  REQUIRE_THAT(run(low).weights, is_within(std::vector<double>(9, 1.0 / 9), bound));
}

TEST_CASE("a softmax_scale of 0 weighs all keys alike, a negative one turns the order round", "[attention]") {
  Random random(9);
  Problem problem = make_problem(random, {3, 9, 1, 1, 7, 2});
  const float scale = problem.options.softmax_scale;
  problem.options.softmax_scale = 0;
  REQUIRE_THAT(run(problem).weights, is_within(std::vector<double>(3 * 9, 1.0 / 9), bound));
  problem.options.softmax_scale = -scale;
  REQUIRE_THAT(run(problem).weights, is_within(exact(problem).weights, bound));
}

// ---- What may not leak ------------------------------------------------------------------------------------

TEST_CASE("what a masked key or value holds does not leak", "[attention][causal]") {
  const float poison = GENERATE(not_a_number, infinity, -infinity);
  const bool in_key = GENERATE(true, false);
  const std::int32_t causal_offset = GENERATE(-2, 0, 1, 5);
  constexpr std::size_t q_len = 11;
  constexpr std::size_t kv_len = 14;
  constexpr std::size_t v_head_dim = 9;
  Random random(10);
  const Problem clean = make_problem(random, {q_len, kv_len, 2, 1, 6, v_head_dim}, {true, causal_offset});
  const Result want = run(clean);
  for (std::size_t j = 0; j < kv_len; ++j) {
    Problem poisoned = clean;
    std::vector<float>& target = in_key ? poisoned.key : poisoned.value;
    const std::size_t width = target.size() / kv_len;
    std::fill(&target[j * width], &target[j * width] + width, poison);
    for (const bool with_weights : {true, false}) {
      const Result got = run(poisoned, with_weights);
      for (std::size_t i = 0; i < q_len; ++i) {
        if (reference::sees(i, j, clean.options)) continue;
        CAPTURE(i, j);
        for (std::size_t c = i * 2 * v_head_dim; c < (i + 1) * 2 * v_head_dim; ++c) {
          REQUIRE(same_bits(got.out[c], want.out[c]));
        }
        for (std::size_t head = 0; with_weights && head < 2; ++head) {
          for (std::size_t k = 0; k < kv_len; ++k) {
            const std::size_t at = (head * q_len + i) * kv_len + k;
            REQUIRE(same_bits(got.weights[at], want.weights[at]));
          }
        }
      }
    }
  }
}

TEST_CASE("NaN or +inf in a visible score makes its row NaN, and no other", "[attention]") {
  const float poison = GENERATE(not_a_number, infinity);
  for (const std::size_t kv_len : Sizes{1, 3, 4, 5, 8, 9, 17}) {
    for (std::size_t j = 0; j < kv_len; ++j) {
      Random random(11);
      Problem problem = make_problem(random, {kv_len, kv_len, 1, 1, 5, 6}, {.causal = true});
      for (float& component : problem.query) component = std::abs(component) + 1;
      Problem poisoned = problem;
      std::fill(&poisoned.key[j * 5], &poisoned.key[j * 5] + 5, poison);
      const Result want = run(problem);
      const Result got = run(poisoned);
      for (std::size_t i = 0; i < kv_len; ++i) {
        CAPTURE(kv_len, i, j);
        for (std::size_t c = i * 6; c < (i + 1) * 6; ++c) {
          REQUIRE((i >= j ? std::isnan(got.out[c]) : same_bits(got.out[c], want.out[c])));
        }
        for (std::size_t k = 0; k < kv_len; ++k) {
          const float weight = got.weights[i * kv_len + k];
          REQUIRE((i >= j && k <= i ? std::isnan(weight) : same_bits(weight, want.weights[i * kv_len + k])));
        }
      }
    }
  }
}

TEST_CASE("NaN in a query stays in its row and head", "[attention]") {
  Random random(12);
  Problem problem = make_problem(random, {6, 9, 3, 3, 4, 5});
  const Result want = run(problem);
  problem.query[(2 * 3 + 1) * 4 + 3] = not_a_number;
  const Result got = run(problem);
  for (std::size_t i = 0; i < got.out.size(); ++i) {
    REQUIRE((i / 5 == 2 * 3 + 1 ? std::isnan(got.out[i]) : same_bits(got.out[i], want.out[i])));
  }
  for (std::size_t i = 0; i < got.weights.size(); ++i) {
    REQUIRE((i / 9 == 1 * 6 + 2 ? std::isnan(got.weights[i]) : same_bits(got.weights[i], want.weights[i])));
  }
}

// ---- What is the same as what -----------------------------------------------------------------------------

TEST_CASE("grouped heads are heads whose keys and values are repeated", "[attention]") {
  Random random(13);
  const Problem grouped = make_problem(random, {9, 10, 6, 2, 7, 5}, {true, 1});
  Problem repeated = grouped;
  repeated.shape.n_kv_heads = 6;
  repeated.key.clear();
  repeated.value.clear();
  for (std::size_t j = 0; j < 10; ++j) {
    for (std::size_t head = 0; head < 6; ++head) {
      const std::size_t from = j * 2 + head / 3;
      repeated.key.insert(repeated.key.end(), &grouped.key[from * 7], &grouped.key[from * 7] + 7);
      repeated.value.insert(repeated.value.end(), &grouped.value[from * 5], &grouped.value[from * 5] + 5);
    }
  }
  REQUIRE_THAT(run(repeated).weights, has_bits_of(run(grouped).weights));
  REQUIRE_THAT(run(repeated).out, has_bits_of(run(grouped).out));
}

TEST_CASE("a causal row is full attention on its prefix", "[attention][causal]") {
  Random random(14);
  const Problem causal = make_problem(random, {17, 20, 2, 2, 6, 9}, {true, 3});
  const Result rows = run(causal);
  for (std::size_t i = 0; i < 17; ++i) {
    const std::size_t seen = i + 4;
    Problem prefix = causal;
    prefix.shape.q_len = 1;
    prefix.shape.kv_len = seen;
    prefix.options.causal = false;
    prefix.query = {&causal.query[i * 12], &causal.query[i * 12] + 12};
    prefix.key.resize(seen * 12);
    prefix.value.resize(seen * 18);
    const Result row = run(prefix);
    // Both are within the bound of the one true row.
    const std::vector<float> out(&rows.out[i * 18], &rows.out[i * 18] + 18);
    REQUIRE_THAT(row.out, is_within(to_double(out), 2 * bound * largest_magnitude(causal.value)));
    for (std::size_t head = 0; head < 2; ++head) {
      const float* const begin = &rows.weights[(head * 17 + i) * 20];
      const std::vector<float> weights(begin, begin + seen);
      REQUIRE_THAT((std::vector(&row.weights[head * seen], &row.weights[head * seen] + seen)),
                   is_within(to_double(weights), 2 * bound));
    }
  }
}

TEST_CASE("the order of the keys does not matter without a mask", "[attention]") {
  Random random(15);
  const Problem problem = make_problem(random, {5, 33, 1, 1, 8, 7});
  Problem reversed = problem;
  for (std::size_t j = 0; j < 33; ++j) {
    std::copy_n(&problem.key[j * 8], 8, &reversed.key[(32 - j) * 8]);
    std::copy_n(&problem.value[j * 7], 7, &reversed.value[(32 - j) * 7]);
  }
  REQUIRE_THAT(run(reversed).out,
               is_within(to_double(run(problem).out), 2 * bound * largest_magnitude(problem.value)));
}

TEST_CASE("each head answers for itself", "[attention]") {
  Random random(16);
  const Problem all = make_problem(random, {7, 9, 3, 3, 5, 6}, {.causal = true});
  const Result together = run(all);
  for (std::size_t head = 0; head < 3; ++head) {
    Problem one{{7, 9, 1, 1, 5, 6}, all.options, {}, {}, {}};
    for (std::size_t i = 0; i < 7; ++i) {
      one.query.insert(one.query.end(), &all.query[(i * 3 + head) * 5], &all.query[(i * 3 + head) * 5] + 5);
    }
    for (std::size_t j = 0; j < 9; ++j) {
      one.key.insert(one.key.end(), &all.key[(j * 3 + head) * 5], &all.key[(j * 3 + head) * 5] + 5);
      one.value.insert(one.value.end(), &all.value[(j * 3 + head) * 6], &all.value[(j * 3 + head) * 6] + 6);
    }
    const Result alone = run(one);
    REQUIRE_THAT(alone.weights,
                 has_bits_of(std::vector(&together.weights[head * 63], &together.weights[head * 63] + 63)));
  }
}

TEST_CASE("under rotary embedding the weights do not notice where the sentence stands", "[attention][rope]") {
  const RopeLayout layout = GENERATE(RopeLayout::interleaved, RopeLayout::half);
  constexpr std::size_t seq_len = 33;
  constexpr std::size_t head_dim = 64;
  Random random(17);
  const Problem problem = make_problem(random, {seq_len, seq_len, 2, 2, head_dim, 1}, {.causal = true});
  const auto weights_at = [&](std::int32_t first) {
    Problem moved = problem;
    std::vector<std::int32_t> positions = consecutive(seq_len, first);
    std::vector<double> inv_freq(head_dim / 2);
    std::vector<float> cos(seq_len * head_dim / 2);
    std::vector<float> sin(seq_len * head_dim / 2);
    const TensorView<float, 2> cos_view{cos.data(), {seq_len, head_dim / 2}};
    const TensorView<float, 2> sin_view{sin.data(), {seq_len, head_dim / 2}};
    REQUIRE_THAT(rope_inv_freq(10'000, {inv_freq.data(), {head_dim / 2}}), is_ok());
    REQUIRE_THAT(build_rope_cache({positions.data(), {seq_len}}, {inv_freq.data(), {head_dim / 2}}, cos_view,
                                  sin_view),
                 is_ok());
    for (std::vector<float>* const x : {&moved.query, &moved.key}) {
      REQUIRE_THAT(apply_rope({x->data(), {seq_len, 2, head_dim}}, cos_view, sin_view, layout), is_ok());
    }
    return run(moved).weights;
  };
  const std::vector<float> at_the_start = weights_at(0);
  for (const std::int32_t first : {1, 4'095, 65'535, 100'000}) {
    CAPTURE(first);
    REQUIRE_THAT(weights_at(first), is_within(to_double(at_the_start), 1e-5));
  }
}

// ---- Refusals ---------------------------------------------------------------------------------------------

/// A call in which any one shape can be made wrong.
struct Call {
  std::array<std::size_t, 3> query = {5, 4, 6};
  std::array<std::size_t, 3> key = {7, 2, 6};
  std::array<std::size_t, 3> value = {7, 2, 3};
  std::array<std::size_t, 3> out = {5, 4, 3};
  std::array<std::size_t, 3> weights = {4, 5, 7};
  std::size_t scratch = static_cast<std::size_t>(attention_scratch_size(7));
  AttentionOptions options = {};
};

void require_refused(const Call& call, const Refuses& refusal) {
  constexpr std::size_t room = 1'000;
  Buffer<float> inputs(std::vector<float>(room, 0.5F));
  Buffer<float> out(room);
  Buffer<float> weights(room);
  Buffer<float> scratch(room);
  const auto attempt = [&](const Call& with) {
    const TensorView<const float, 3> query{inputs.values().data(), with.query};
    return attention(query, {query.data, with.key}, {query.data, with.value}, with.options,
                     {out.values().data(), with.out}, {weights.values().data(), with.weights},
                     {scratch.values().data(), {with.scratch}});
  };
  REQUIRE_THAT(attempt(call), refusal);
  REQUIRE(out.untouched());
  REQUIRE(weights.untouched());
  REQUIRE(scratch.untouched());
  REQUIRE_THAT(attempt(Call{}), is_ok());
}

TEST_CASE("attention refuses sizes that disagree, writes nothing, and works again", "[attention][errors]") {
  require_refused({.key = {7, 2, 5}}, refuses_shape("key", 5));
  require_refused({.key = {7, 2, 7}}, refuses_shape("key", 7));
  require_refused({.key = {7, 3, 6}, .value = {7, 3, 3}}, refuses_shape("key", 3));
  require_refused({.key = {7, 8, 6}, .value = {7, 8, 3}}, refuses_shape("key", 8));
  require_refused({.key = {7, 0, 6}, .value = {7, 0, 3}}, refuses_shape("key", 0));
  require_refused({.value = {6, 2, 3}}, refuses_shape("value", 6));
  require_refused({.value = {8, 2, 3}}, refuses_shape("value", 8));
  require_refused({.value = {7, 1, 3}}, refuses_shape("value", 1));
  require_refused({.value = {7, 4, 3}}, refuses_shape("value", 4));
  require_refused({.out = {4, 4, 3}}, refuses_shape("out", 4 * 4 * 3));
  require_refused({.out = {5, 3, 3}}, refuses_shape("out", 5 * 3 * 3));
  require_refused({.out = {5, 4, 6}}, refuses_shape("out", 5 * 4 * 6));
  require_refused({.out = {4, 5, 3}}, refuses_shape("out", 5 * 4 * 3));
  require_refused({.weights = {3, 5, 7}}, refuses_shape("weights", 3 * 5 * 7));
  require_refused({.weights = {5, 4, 7}}, refuses_shape("weights", 4 * 5 * 7));
  require_refused({.weights = {4, 5, 8}}, refuses_shape("weights", 4 * 5 * 8));
}

TEST_CASE("attention refuses too little scratch where it has no weights to work in", "[attention][errors]") {
  for (const std::size_t scratch :
       Sizes{std::size_t{0}, static_cast<std::size_t>(attention_scratch_size(7)) - 1}) {
    require_refused({.weights = {0, 0, 0}, .scratch = scratch}, refuses_shape("scratch", scratch));
  }
}

TEST_CASE("attention refuses a softmax_scale that is not finite", "[attention][errors]") {
  for (const float scale : {not_a_number, infinity, -infinity}) {
    require_refused({.options = {.softmax_scale = scale}},
                    refuses_value("softmax_scale", static_cast<double>(scale)));
  }
}

}  // namespace

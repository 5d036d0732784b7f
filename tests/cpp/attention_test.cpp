#include "ropewalk/attention.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
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

/// The same for a score.
constexpr double score_bound = 0x1p-18;

/// The docstring's bounds at worst.
double worst_weight_error(const Shape& shape) {
  return static_cast<double>(shape.head_dim + 32) * 0x1p-23 + static_cast<double>(shape.kv_len) * 0x1p-26;
}
double worst_out_error(const Shape& shape) {
  return static_cast<double>(shape.head_dim + 32) * 0x1p-22 + static_cast<double>(shape.kv_len) * 0x1p-23;
}

struct Problem {
  Shape shape;
  AttentionOptions options;  ///< its tensors are those below
  std::vector<float> query;  ///< heads here are [batch, len, n_heads, dim], whatever `format` the kernel gets
  std::vector<float> key;
  std::vector<float> value;
  HeadsFormat format = HeadsFormat::bshd;
  std::size_t spare = 0;  ///< rows of NaN behind those of each sequence, as in a cache that is not yet full
  std::vector<std::int32_t> kv_lens{};
  std::vector<std::uint8_t> mask{};
  std::array<std::size_t, 4> mask_shape{};
  std::vector<float> bias{};
  std::array<std::size_t, 4> bias_shape{};

  AttentionOptions with_tensors() const {
    AttentionOptions all = options;
    if (!kv_lens.empty()) all.kv_lens = {kv_lens.data(), {kv_lens.size()}};
    if (!mask.empty()) all.mask = {mask.data(), mask_shape};
    if (!bias.empty()) all.bias = {bias.data(), bias_shape};
    return all;
  }

  bool sees(std::size_t b, std::size_t head, std::size_t i, std::size_t j) const {
    return reference::sees(b, head, i, j, shape, with_tensors());
  }
};

struct Result {
  std::vector<float> out;  ///< [batch, q_len, n_heads, v_head_dim]
  std::vector<float> weights;
  std::vector<float> scores;
};

/// Random queries, keys and values, scaled so that the largest score is as large as the bound allows:
/// softmax_scale * sum |query_c key_c| = 2^4.
Problem make_problem(Random& random, const Shape& shape, AttentionOptions options = {}) {
  Problem problem{.shape = shape,
                  .options = options,
                  .query = random.normals(shape.batch * shape.q_len * shape.n_heads * shape.head_dim),
                  .key = random.normals(shape.batch * shape.kv_len * shape.n_kv_heads * shape.head_dim),
                  .value = random.normals(shape.batch * shape.kv_len * shape.n_kv_heads * shape.v_head_dim)};
  double largest = 0;
  for (std::size_t i = 0; i < shape.batch * shape.q_len * shape.n_heads; ++i) {
    for (std::size_t j = 0; j < shape.batch * shape.kv_len * shape.n_kv_heads; ++j) {
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

/// Heads in storage between canaries, in the format that a problem asks for.
class Heads {
 public:
  /// Nothing but canaries, which are NaN.
  Heads(const Problem& problem, std::size_t len, std::size_t n_heads, std::size_t dim)
      : batch_(problem.shape.batch),
        capacity_(len + problem.spare),
        len_(len),
        n_heads_(n_heads),
        dim_(dim),
        format_(problem.format),
        storage_(batch_ * capacity_ * n_heads * dim) {}

  Heads(const Problem& problem, std::size_t len, std::size_t n_heads, std::size_t dim,
        const std::vector<float>& values)
      : Heads(problem, len, n_heads, dim) {
    REQUIRE(values.size() == batch_ * len * n_heads * dim);
    each([&](std::size_t from, std::size_t at) { storage_[at] = values[from]; });
  }

  HeadsView<float> view() {
    HeadsView<float> view;
    REQUIRE_THAT(heads_as(storage_.values(), format_, batch_, capacity_, len_, n_heads_, dim_, "heads", view),
                 is_ok());
    return view;
  }

  /// [batch, len, n_heads, dim]
  std::vector<float> copy() {
    std::vector<float> values(batch_ * len_ * n_heads_ * dim_);
    each([&](std::size_t to, std::size_t at) { values[to] = storage_[at]; });
    return values;
  }

  /// Neither the spare rows nor what is around them were written.
  bool intact() {
    Buffer<float> fresh(storage_.values().size());
    std::vector<bool> written(storage_.values().size());
    each([&](std::size_t, std::size_t at) { written[at] = true; });
    for (std::size_t at = 0; at < written.size(); ++at) {
      if (!written[at] && !same_bits(storage_[at], fresh[at])) return false;
    }
    return storage_.intact();
  }

 private:
  /// The index in [batch, len, n_heads, dim] and that in storage.
  template <class Visit>
  void each(Visit visit) const {
    std::size_t index = 0;
    for (std::size_t b = 0; b < batch_; ++b) {
      for (std::size_t s = 0; s < len_; ++s) {
        for (std::size_t h = 0; h < n_heads_; ++h) {
          const std::size_t row = format_ == HeadsFormat::bshd ? (b * capacity_ + s) * n_heads_ + h
                                                               : (b * n_heads_ + h) * capacity_ + s;
          for (std::size_t c = 0; c < dim_; ++c) visit(index++, row * dim_ + c);
        }
      }
    }
  }

  std::size_t batch_;
  std::size_t capacity_;
  std::size_t len_;
  std::size_t n_heads_;
  std::size_t dim_;
  HeadsFormat format_;
  Buffer<float> storage_;
};

/// Keys or values in a cache between canaries, which is not full.
template <class Element>
class Cached {
 public:
  static constexpr std::size_t spare = 3;

  Cached(const Problem& problem, bool are_keys, std::size_t dim, const std::vector<float>& values)
      : shape_(problem.shape), are_keys_(are_keys), dim_(dim), storage_(empty(nullptr).size()) {
    Heads rows(problem, shape_.kv_len, shape_.n_kv_heads, dim, values);
    const CachedHeads<Element> cache = empty(storage_.values().data());
    // What is not written is NaN, which must not show.
    const Status status =
        are_keys ? append_keys(rows.view(), 0, cache) : append_values(rows.view(), 0, cache);
    REQUIRE_THAT(status, is_ok());
    REQUIRE(storage_.intact());
  }

  KeptHeads view() {
    const CachedHeads<Element> cache = empty(storage_.values().data());
    return are_keys_ ? KeptHeads::keys(cache, shape_.kv_len) : KeptHeads::values(cache, shape_.kv_len);
  }

 private:
  CachedHeads<Element> empty(Element* data) const {
    const std::size_t capacity = shape_.kv_len + spare;
    if (are_keys_) return {data, shape_.batch, shape_.n_kv_heads, dim_, capacity};
    return {data, shape_.batch, shape_.n_kv_heads, capacity, dim_};
  }

  Shape shape_;
  bool are_keys_;
  std::size_t dim_;
  Buffer<Element> storage_;
};

/// Calls the kernel as its docstring asks: with scratch of just the size it states.
Result run_on(const Problem& problem, KeptHeads key, KeptHeads value, bool with_weights, bool with_scores) {
  const auto [batch, q_len, kv_len, n_heads, n_kv_heads, head_dim, v_head_dim] = problem.shape;
  Heads query(problem, q_len, n_heads, head_dim, problem.query);
  Heads out(problem, q_len, n_heads, v_head_dim);
  Buffer<float> weights(batch * n_heads * q_len * kv_len);
  Buffer<float> scores(batch * n_heads * q_len * kv_len);
  const auto room = static_cast<std::size_t>(attention_scratch_size(
      {q_len, kv_len, n_heads, n_kv_heads, head_dim, v_head_dim, with_weights, key.in_panels()}));
  Buffer<float> scratch(room);
  // Between canaries as well, for the sanitizer to see a read past their ends.
  Buffer<std::int32_t> kv_lens(problem.kv_lens);
  Buffer<std::uint8_t> mask(problem.mask);
  Buffer<float> bias(problem.bias);
  AttentionOptions options = problem.options;
  if (!problem.kv_lens.empty()) options.kv_lens = kv_lens.view(problem.kv_lens.size());
  if (!problem.mask.empty()) options.mask = {mask.values().data(), problem.mask_shape};
  if (!problem.bias.empty()) options.bias = {bias.values().data(), problem.bias_shape};
  REQUIRE(options.mask.size() == problem.mask.size());
  REQUIRE(options.bias.size() == problem.bias.size());
  REQUIRE_THAT(attention(query.view(), key, value, options, out.view(),
                         with_weights ? weights.view(batch, n_heads, q_len, kv_len) : TensorView<float, 4>{},
                         with_scores ? scores.view(batch, n_heads, q_len, kv_len) : TensorView<float, 4>{},
                         scratch.view(room)),
               is_ok());
  REQUIRE(out.intact());
  REQUIRE(weights.intact());
  REQUIRE(scores.intact());
  REQUIRE(scratch.intact());
  if (!with_weights) REQUIRE(weights.untouched());
  if (!with_scores) REQUIRE(scores.untouched());
  return {out.copy(), weights.copy(), scores.copy()};
}

Result run(const Problem& problem, bool with_weights = true, bool with_scores = true) {
  const auto [batch, q_len, kv_len, n_heads, n_kv_heads, head_dim, v_head_dim] = problem.shape;
  Heads key(problem, kv_len, n_kv_heads, head_dim, problem.key);
  Heads value(problem, kv_len, n_kv_heads, v_head_dim, problem.value);
  return run_on(problem, key.view(), value.view(), with_weights, with_scores);
}

/// The same where keys and values are those of a cache.
template <class Element = float>
Result run_cached(const Problem& problem, bool with_weights = true, bool with_scores = true) {
  Cached<Element> key(problem, true, problem.shape.head_dim, problem.key);
  Cached<Element> value(problem, false, problem.shape.v_head_dim, problem.value);
  return run_on(problem, key.view(), value.view(), with_weights, with_scores);
}

reference::AttentionResult exact(const Problem& problem) {
  return reference::attention(to_double(problem.query), to_double(problem.key), to_double(problem.value),
                              problem.shape, problem.with_tensors());
}

double largest_magnitude(const std::vector<float>& values) {
  double largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(static_cast<double>(value)));
  return largest;
}

/// -inf just where it should be; all else within the bound.
void require_scores_within(std::vector<float> got, std::vector<double> want) {
  for (std::size_t i = 0; i < want.size(); ++i) {
    if (!(want[i] < -std::numeric_limits<double>::max())) continue;
    CAPTURE(i);
    REQUIRE(got[i] == -infinity);
    got[i] = 0;
    want[i] = 0;
  }
  REQUIRE_THAT(got, is_within(std::move(want), score_bound));
}

void require_keeps_its_bounds(const Problem& problem) {
  const auto [batch, q_len, kv_len, n_heads, n_kv_heads, head_dim, v_head_dim] = problem.shape;
  const AttentionOptions& options = problem.options;
  CAPTURE(batch, q_len, kv_len, n_heads, n_kv_heads, head_dim, v_head_dim);
  CAPTURE(options.query_offset, options.causal, options.left_window_size, options.right_window_size);
  CAPTURE(options.softmax_scale, options.softcap, options.score_stage, problem.format, problem.spare);
  CAPTURE(problem.kv_lens, problem.mask_shape, problem.bias_shape);
  const reference::AttentionResult want = exact(problem);
  for (const bool cached : {false, true}) {
    CAPTURE(cached);
    const auto got_with = [&](bool with_weights, bool with_scores) {
      return cached ? run_cached(problem, with_weights, with_scores)
                    : run(problem, with_weights, with_scores);
    };
    const Result got = got_with(true, true);
    REQUIRE_THAT(got.weights, is_within(want.weights, bound));
    REQUIRE_THAT(got.out, is_within(want.out, bound * largest_magnitude(problem.value)));
    require_scores_within(got.scores, want.scores);
    // What is asked for beside the output changes nothing.
    for (const bool with_weights : {false, true}) {
      for (const bool with_scores : {false, true}) {
        const Result other = got_with(with_weights, with_scores);
        REQUIRE_THAT(other.out, has_bits_of(got.out));
        if (with_weights) REQUIRE_THAT(other.weights, has_bits_of(got.weights));
        if (with_scores) REQUIRE_THAT(other.scores, has_bits_of(got.scores));
      }
    }
  }
}

// ---- Against the reference --------------------------------------------------------------------------------

TEST_CASE("attention keeps its bounds at any size, with weights and without", "[attention]") {
  std::vector<Shape> shapes;
  for (const std::size_t size : sizes) {
    shapes.push_back({1, size, 9, 2, 1, 8, 8});
    shapes.push_back({1, 5, size, 2, 2, 8, 5});
    shapes.push_back({1, 5, 9, 1, 1, size, 8});
    shapes.push_back({1, 6, 9, 1, 1, 8, size});
    if (size < 100) shapes.push_back({1, size, size, 3, 1, size, size});
  }
  Random random(1);
  for (const Shape& shape : shapes) {
    require_keeps_its_bounds(make_problem(random, shape));
    require_keeps_its_bounds(make_problem(random, shape, {.causal = true}));
  }
}

TEST_CASE("attention keeps its bounds at any size where keys and values are laid out as panels",
          "[attention]") {
  Random random(30);
  const Sizes around_panels{1, 7, 8, 9, 15, 16, 17};
  for (const std::size_t q_len : Sizes{32, 33, 37, 47, 48, 49}) {
    for (const std::size_t size : around_panels) {
      require_keeps_its_bounds(make_problem(random, {1, q_len, size, 1, 1, 5, 6}));
      require_keeps_its_bounds(make_problem(random, {1, q_len, 11, 1, 1, size, 6}, {.causal = true}));
      require_keeps_its_bounds(make_problem(random, {1, q_len, 11, 1, 1, 3, size}, {.causal = true}));
    }
  }
  for (const std::size_t kv_len : Sizes{255, 256, 257, 511, 512, 513, 770}) {
    const auto offset = static_cast<std::int32_t>(kv_len - 35);
    require_keeps_its_bounds(make_problem(random, {1, 35, kv_len, 1, 1, 9, 5}));
    require_keeps_its_bounds(
        make_problem(random, {1, 35, kv_len, 1, 1, 9, 5}, {.query_offset = offset, .causal = true}));
    require_keeps_its_bounds(make_problem(random, {1, 35, kv_len, 1, 1, 9, 5},
                                          {.query_offset = offset, .causal = true, .left_window_size = 20}));
  }
}

TEST_CASE("attention keeps its bounds for any number of queries, keys and visible keys", "[attention]") {
  Random random(2);
  for (std::size_t q_len = 1; q_len <= 9; ++q_len) {
    for (std::size_t kv_len = 1; kv_len <= 9; ++kv_len) {
      for (std::int32_t query_offset = -3; query_offset <= 9; ++query_offset) {
        require_keeps_its_bounds(make_problem(random, {1, q_len, kv_len, 1, 1, 3, 3},
                                              {.query_offset = query_offset, .causal = true}));
      }
    }
  }
}

TEST_CASE("attention keeps its bounds for any grouping of heads", "[attention]") {
  Random random(3);
  for (const std::size_t n_heads : Sizes{1, 2, 3, 4, 6, 8, 12}) {
    for (std::size_t n_kv_heads = 1; n_kv_heads <= n_heads; ++n_kv_heads) {
      if (n_heads % n_kv_heads != 0) continue;
      require_keeps_its_bounds(make_problem(random, {1, 5, 7, n_heads, n_kv_heads, 6, 5}, {.causal = true}));
    }
  }
}

TEST_CASE("attention keeps its bounds at the page's size", "[attention]") {
  Random random(4);
  require_keeps_its_bounds(make_problem(random, {1, 64, 64, 8, 8, 64, 64}, {.causal = true}));
  require_keeps_its_bounds(
      make_problem(random, {1, 17, 512, 2, 1, 512, 33}, {.query_offset = 512 - 17, .causal = true}));
}

TEST_CASE("attention keeps its bounds where errors add up: every key weighs the same", "[attention]") {
  // Equal terms are rounded the same way each time, so that their errors add up and never cancel.
  for (std::size_t kv_len = 1; kv_len <= 2'048; kv_len += kv_len < 300 ? 1 : 97) {
    CAPTURE(kv_len);
    const Problem problem{{1, 1, kv_len, 1, 1, 4, 1},
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
      Problem problem{{1, 1, 2, 1, 1, head_dim, 1}, {}, std::vector<float>(head_dim, 1), {}, {1, -1}};
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

// ---- Every option -----------------------------------------------------------------------------------------

std::size_t below(Random& random, std::size_t end) {
  return static_cast<std::size_t>(random.uniform() * static_cast<double>(end));
}

/// Of [batch, n_heads, q_len, kv_len], any extent but the last may be 1, and the last one shorter.
std::array<std::size_t, 4> broadcast_shape(Random& random, const Shape& shape) {
  std::array<std::size_t, 4> extents = {shape.batch, shape.n_heads, shape.q_len, shape.kv_len};
  for (std::size_t d = 0; d < 3; ++d) {
    if (below(random, 2) == 0) extents[d] = 1;
  }
  if (below(random, 3) == 0) extents[3] = 1 + below(random, shape.kv_len);
  return extents;
}

void mask_at_random(Random& random, Problem& problem) {
  problem.mask_shape = broadcast_shape(random, problem.shape);
  const auto [batch, n_heads, q_len, kv_len] = problem.mask_shape;
  problem.mask.resize(batch * n_heads * q_len * kv_len);
  constexpr std::array<std::uint8_t, 3> seen = {1, 128, 255};
  // Lone keys, or the long runs that masks have in life.
  const double change = below(random, 2) == 0 ? 0.5 : 0.1;
  bool sees = true;
  for (std::uint8_t& element : problem.mask) {
    if (random.uniform() < change) sees = !sees;
    element = sees ? seen[below(random, 3)] : std::uint8_t{0};
  }
}

void bias_at_random(Random& random, Problem& problem) {
  problem.bias_shape = broadcast_shape(random, problem.shape);
  const auto [batch, n_heads, q_len, kv_len] = problem.bias_shape;
  problem.bias = random.normals(batch * n_heads * q_len * kv_len);
  if (below(random, 2) == 0) return;
  for (float& element : problem.bias) {
    if (below(random, 3) == 0) element = -infinity;
  }
}

/// Small, and anything else at random: now and then every option at once, more queries than are worth laying keys and
/// values out for, and more keys than a tile has.
Problem any_problem(Random& random) {
  const std::size_t n_kv_heads = 1 + below(random, 3);
  const Shape shape{.batch = 1 + below(random, 3),
                    .q_len = 1 + below(random, below(random, 4) == 0 ? 45 : 11),
                    .kv_len = 1 + (below(random, 50) == 0 ? 240 : 0) + below(random, 21),
                    .n_heads = n_kv_heads * (1 + below(random, 3)),
                    .n_kv_heads = n_kv_heads,
                    .head_dim = 1 + below(random, 10),
                    .v_head_dim = 1 + below(random, 10)};
  const auto now_and_then = [&] { return below(random, 2) == 0; };
  Problem problem = make_problem(random, shape);
  AttentionOptions& options = problem.options;
  problem.format = now_and_then() ? HeadsFormat::bshd : HeadsFormat::bhsd;
  problem.spare = below(random, 3);
  options.causal = now_and_then();
  options.query_offset = static_cast<std::int32_t>(below(random, 30)) - 8;
  if (now_and_then()) options.left_window_size = static_cast<std::int32_t>(below(random, 12));
  if (now_and_then()) options.right_window_size = static_cast<std::int32_t>(below(random, 12));
  if (now_and_then()) options.softcap = std::array{0.25F, 2.0F, 15.0F, 50.0F}[below(random, 4)];
  if (now_and_then()) {
    for (std::size_t b = 0; b < shape.batch; ++b) {
      problem.kv_lens.push_back(static_cast<std::int32_t>(below(random, shape.kv_len + 1)));
    }
  }
  if (now_and_then()) mask_at_random(random, problem);
  if (now_and_then()) bias_at_random(random, problem);
  options.score_stage =
      std::array{ScoreStage::raw, ScoreStage::softcapped, ScoreStage::masked}[below(random, 3)];
  return problem;
}

TEST_CASE("attention keeps its bounds under any options at once", "[attention]") {
  Random random(20);
  std::size_t seen = 0;
  std::size_t unseen = 0;
  for (int attempt = 0; attempt < 3'000; ++attempt) {
    CAPTURE(attempt);
    const Problem problem = any_problem(random);
    require_keeps_its_bounds(problem);
    for (std::size_t b = 0; b < problem.shape.batch; ++b) {
      for (std::size_t j = 0; j < problem.shape.kv_len; ++j) ++(problem.sees(b, 0, 0, j) ? seen : unseen);
    }
  }
  // Neither has the upper hand.
  REQUIRE(seen > 10'000);
  REQUIRE(unseen > 10'000);
}

TEST_CASE("what options leave unseen neither leaks nor is shown, and what they show is seen", "[attention]") {
  // Poison in one key and value, under any options: rows that do not see it keep every bit, rows that do have it all.
  Random random(21);
  const auto poison_row = [](std::vector<float>& heads, std::size_t row, std::size_t width, float poison) {
    std::fill(&heads[row * width], &heads[row * width] + width, poison);
  };
  std::size_t kept = 0;
  std::size_t poisoned_rows = 0;
  for (int attempt = 0; attempt < 1'000; ++attempt) {
    Problem clean = any_problem(random);
    clean.options.softcap = 0;
    clean.options.score_stage = ScoreStage::masked;
    const auto [batch, q_len, kv_len, n_heads, n_kv_heads, head_dim, v_head_dim] = clean.shape;
    const std::size_t at_b = below(random, batch);
    const std::size_t at_j = below(random, kv_len);
    const bool in_key = below(random, 2) == 0;
    const float poison = std::array{not_a_number, infinity, -infinity}[in_key ? 0 : below(random, 3)];
    Problem poisoned = clean;
    if (in_key) {
      poison_row(poisoned.key, at_b * kv_len + at_j, n_kv_heads * head_dim, poison);
    } else {
      poison_row(poisoned.value, at_b * kv_len + at_j, n_kv_heads * v_head_dim, poison);
    }
    CAPTURE(attempt, in_key, poison);
    const Result want = run(clean);
    const Result got = run(poisoned);
    REQUIRE_THAT(run(poisoned, false, false).out, has_bits_of(got.out));
    for (std::size_t b = 0; b < batch; ++b) {
      for (std::size_t head = 0; head < n_heads; ++head) {
        for (std::size_t i = 0; i < q_len; ++i) {
          CAPTURE(b, head, i);
          const bool hit = b == at_b && clean.sees(b, head, i, at_j);
          ++(hit ? poisoned_rows : kept);
          const std::size_t out_row = ((b * q_len + i) * n_heads + head) * v_head_dim;
          for (std::size_t c = out_row; c < out_row + v_head_dim; ++c) {
            REQUIRE((hit ? !std::isfinite(got.out[c]) : same_bits(got.out[c], want.out[c])));
          }
          const std::size_t row = ((b * n_heads + head) * q_len + i) * kv_len;
          for (std::size_t j = 0; j < kv_len; ++j) {
            CAPTURE(j);
            const float weight = got.weights[row + j];
            const float score = got.scores[row + j];
            if (!clean.sees(b, head, i, j)) {
              REQUIRE(same_bits(weight, 0.0F));
              REQUIRE(score == -infinity);
            } else if (hit && in_key) {
              REQUIRE(std::isnan(weight));
              REQUIRE((j == at_j ? std::isnan(score) : same_bits(score, want.scores[row + j])));
            } else {
              REQUIRE(same_bits(weight, want.weights[row + j]));
              REQUIRE(same_bits(score, want.scores[row + j]));
            }
          }
        }
      }
    }
  }
  REQUIRE(kept > 1'000);
  REQUIRE(poisoned_rows > 1'000);
}

// ---- Which keys are seen ----------------------------------------------------------------------------------

/// Where weights are not zero: a line for each query, 'x' for a key that is seen.
std::vector<std::string> seen_keys(const AttentionOptions& options, std::size_t q_len, std::size_t kv_len,
                                   const std::vector<std::int32_t>& kv_lens = {}) {
  Random random(22);
  Problem problem = make_problem(random, {1, q_len, kv_len, 1, 1, 2, 1}, options);
  problem.kv_lens = kv_lens;
  const Result result = run(problem);
  std::vector<std::string> lines(q_len, std::string(kv_len, '.'));
  for (std::size_t i = 0; i < q_len; ++i) {
    for (std::size_t j = 0; j < kv_len; ++j) {
      if (result.weights[i * kv_len + j] != 0) lines[i][j] = 'x';
    }
  }
  return lines;
}

using Lines = std::vector<std::string>;

TEST_CASE("causal queries see what is not behind them", "[attention][causal]") {
  REQUIRE(seen_keys({.causal = true}, 3, 5) == Lines{"x....",  //
                                                     "xx...",  //
                                                     "xxx.."});
  REQUIRE(seen_keys({.query_offset = 2, .causal = true}, 3, 5) == Lines{"xxx..",  //
                                                                        "xxxx.",  //
                                                                        "xxxxx"});
  REQUIRE(seen_keys({.query_offset = -1, .causal = true}, 3, 5) == Lines{".....",  //
                                                                         "x....",  //
                                                                         "xx..."});
  // Without causal the offset alone takes nothing out.
  REQUIRE(seen_keys({.query_offset = -1}, 1, 5) == Lines{"xxxxx"});
}

TEST_CASE("windows lie about the query, causal or not", "[attention][window]") {
  REQUIRE(seen_keys({.left_window_size = 1}, 5, 5) == Lines{"xxxxx",  //
                                                            "xxxxx",  //
                                                            ".xxxx",  //
                                                            "..xxx",  //
                                                            "...xx"});
  REQUIRE(seen_keys({.right_window_size = 1}, 5, 5) == Lines{"xx...",  //
                                                             "xxx..",  //
                                                             "xxxx.",  //
                                                             "xxxxx",  //
                                                             "xxxxx"});
  REQUIRE(seen_keys({.query_offset = 2, .left_window_size = 2, .right_window_size = 1}, 5, 6) ==
          Lines{"xxxx..",  //
                ".xxxx.",  //
                "..xxxx",  //
                "...xxx",  //
                "....xx"});
  REQUIRE(seen_keys({.causal = true, .left_window_size = 1, .right_window_size = 3}, 4, 4) ==
          Lines{"x...",  //
                "xx..",  //
                ".xx.",  //
                "..xx"});
  REQUIRE(seen_keys({.left_window_size = 0, .right_window_size = 0}, 3, 4) == Lines{"x...",  //
                                                                                    ".x..",  //
                                                                                    "..x."});
  // A window that has left the keys, at either end.
  REQUIRE(seen_keys({.query_offset = 4, .left_window_size = 1}, 3, 4) == Lines{"...x",  //
                                                                               "....",  //
                                                                               "...."});
  REQUIRE(seen_keys({.query_offset = -3, .right_window_size = 1}, 3, 4) == Lines{"....",  //
                                                                                 "....",  //
                                                                                 "x..."});
}

TEST_CASE("with kv_lens the queries are the last of the keys there are", "[attention][kv_lens]") {
  REQUIRE(seen_keys({}, 2, 5, {3}) == Lines{"xxx..",  //
                                            "xxx.."});
  REQUIRE(seen_keys({.causal = true}, 2, 5, {3}) == Lines{"xx...",  //
                                                          "xxx.."});
  REQUIRE(seen_keys({.causal = true}, 2, 5, {5}) == Lines{"xxxx.",  //
                                                          "xxxxx"});
  // More queries than keys: the first ones stand before them.
  REQUIRE(seen_keys({.causal = true}, 4, 5, {2}) == Lines{".....",  //
                                                          ".....",  //
                                                          "x....",  //
                                                          "xx..."});
  REQUIRE(seen_keys({.left_window_size = 1}, 3, 5, {4}) == Lines{"xxxx.",  //
                                                                 ".xxx.",  //
                                                                 "..xx."});
  REQUIRE(seen_keys({.right_window_size = 1}, 3, 5, {4}) == Lines{"xxx..",  //
                                                                  "xxxx.",  //
                                                                  "xxxx."});
  REQUIRE(seen_keys({}, 2, 3, {0}) == Lines{"...",  //
                                            "..."});
  // They go before the offset.
  REQUIRE(seen_keys({.query_offset = 7, .causal = true}, 2, 5, {3}) == Lines{"xx...",  //
                                                                             "xxx.."});
}

TEST_CASE("offsets and windows at the ends of int32 do not wrap around", "[attention][window]") {
  constexpr std::int32_t most = std::numeric_limits<std::int32_t>::max();
  constexpr std::int32_t least = std::numeric_limits<std::int32_t>::min();
  const Lines all(3, "xxxx");
  const Lines none(3, "....");
  REQUIRE(seen_keys({.causal = true, .left_window_size = most, .right_window_size = most}, 3, 4) ==
          seen_keys({.causal = true}, 3, 4));
  REQUIRE(seen_keys({.left_window_size = most, .right_window_size = most}, 3, 4) == all);
  REQUIRE(seen_keys({.left_window_size = least, .right_window_size = least}, 3, 4) == all);
  REQUIRE(seen_keys({.query_offset = most, .left_window_size = 0}, 3, 4) == none);
  REQUIRE(seen_keys({.query_offset = most, .right_window_size = most}, 3, 4) == all);
  REQUIRE(seen_keys({.query_offset = least, .right_window_size = 0}, 3, 4) == none);
  REQUIRE(seen_keys({.query_offset = least, .left_window_size = most}, 3, 4) == all);
  REQUIRE(seen_keys({.query_offset = most - 1, .left_window_size = most}, 3, 4) == Lines{"xxxx",  //
                                                                                         "xxxx",  //
                                                                                         ".xxx"});
  REQUIRE(seen_keys({.query_offset = -most, .right_window_size = most}, 3, 4) == Lines{"x...",  //
                                                                                       "xx..",  //
                                                                                       "xxx."});
}

TEST_CASE("a mask or a bias that says what causal or windows say does what they do", "[attention][mask]") {
  Random random(23);
  for (int attempt = 0; attempt < 200; ++attempt) {
    Problem by_options = make_problem(random, {2, 1 + below(random, 9), 1 + below(random, 20), 2, 1, 5, 6});
    by_options.options.causal = below(random, 2) == 0;
    by_options.options.query_offset = static_cast<std::int32_t>(below(random, 20)) - 4;
    by_options.options.left_window_size = static_cast<std::int32_t>(below(random, 10)) - 1;
    by_options.options.right_window_size = static_cast<std::int32_t>(below(random, 10)) - 1;
    Problem by_mask = by_options;
    by_mask.options = {.softmax_scale = by_options.options.softmax_scale};
    Problem by_bias = by_mask;
    by_mask.mask_shape = by_bias.bias_shape = {1, 1, by_options.shape.q_len, by_options.shape.kv_len};
    for (std::size_t i = 0; i < by_options.shape.q_len; ++i) {
      for (std::size_t j = 0; j < by_options.shape.kv_len; ++j) {
        const bool seen = by_options.sees(0, 0, i, j);
        by_mask.mask.push_back(seen ? 1 : 0);
        by_bias.bias.push_back(seen ? 0 : -infinity);
      }
    }
    const Result want = run(by_options);
    for (const Problem* const other : {&by_mask, &by_bias}) {
      const Result got = run(*other);
      REQUIRE_THAT(got.out, has_bits_of(want.out));
      REQUIRE_THAT(got.weights, has_bits_of(want.weights));
      REQUIRE_THAT(got.scores, has_bits_of(want.scores));
    }
  }
}

TEST_CASE("keys past the end of a mask or a bias are not seen", "[attention][mask]") {
  Random random(24);
  for (const std::size_t shorter : Sizes{1, 4, 5, 10}) {
    CAPTURE(shorter);
    Problem brief = make_problem(random, {1, 6, 11, 2, 2, 5, 4});
    brief.mask_shape = brief.bias_shape = {1, 2, 6, shorter};
    brief.mask.assign(2 * 6 * shorter, 1);
    brief.mask[0] = 0;
    brief.bias = random.normals(2 * 6 * shorter);
    Problem whole = brief;
    whole.mask_shape[3] = whole.bias_shape[3] = 11;
    whole.mask.assign(2 * 6 * 11, 0);
    whole.bias.assign(2 * 6 * 11, -infinity);
    for (std::size_t row = 0; row < 2 * 6; ++row) {
      std::copy_n(&brief.mask[row * shorter], shorter, &whole.mask[row * 11]);
      std::copy_n(&brief.bias[row * shorter], shorter, &whole.bias[row * 11]);
    }
    const auto without = [](Problem problem, bool mask) {
      if (mask) problem.mask.clear(), problem.mask_shape = {};
      if (!mask) problem.bias.clear(), problem.bias_shape = {};
      return problem;
    };
    for (const bool mask : {false, true}) {
      const Result want = run(without(whole, mask));
      const Result got = run(without(brief, mask));
      REQUIRE_THAT(got.out, has_bits_of(want.out));
      REQUIRE_THAT(got.weights, has_bits_of(want.weights));
      REQUIRE_THAT(got.scores, has_bits_of(want.scores));
      for (std::size_t i = 0; i < got.weights.size(); ++i) {
        if (i % 11 >= shorter) REQUIRE(same_bits(got.weights[i], 0.0F));
      }
    }
  }
}

TEST_CASE("a sequence of no keys is zero, and its neighbour is not", "[attention][kv_lens]") {
  Random random(25);
  Problem problem = make_problem(random, {3, 5, 6, 2, 1, 4, 3});
  problem.kv_lens = {6, 0, 2};
  const Result result = run(problem);
  for (std::size_t i = 0; i < result.out.size(); ++i) {
    REQUIRE((result.out[i] == 0) == (i / (5 * 2 * 3) == 1));
  }
  for (std::size_t i = 0; i < result.weights.size(); ++i) {
    const std::size_t b = i / (2 * 5 * 6);
    const bool seen = b == 0 || (b == 2 && i % 6 < 2);
    REQUIRE((result.weights[i] > 0) == seen);
    REQUIRE((result.scores[i] == -infinity) == !seen);
  }
}

// ---- Bias, softcap and the stages of a score --------------------------------------------------------------

TEST_CASE("scale, then softcap, then bias, then softmax", "[attention][softcap]") {
  // One query of 2, keys of 1 and 3: scores 8 and 24 at a scale of 4; capped at 10, then 1 and 2 added.
  Problem problem{{1, 1, 2, 1, 1, 1, 1}, {.softmax_scale = 4, .softcap = 10}, {2}, {1, 3}, {5, 7}};
  problem.bias = {1, 2};
  problem.bias_shape = {1, 1, 1, 2};
  const std::array<double, 2> capped = {6.6403677026784896,
                                        9.8367485769367981};  // 10 tanh(0.8), 10 tanh(2.4)
  const double odds = std::exp(capped[1] + 2 - capped[0] - 1);
  problem.options.score_stage = ScoreStage::raw;
  REQUIRE_THAT(run(problem).scores, is_within({8, 24}, 0));
  problem.options.score_stage = ScoreStage::softcapped;
  REQUIRE_THAT(run(problem).scores, is_within({capped[0], capped[1]}, 1e-5));
  problem.options.score_stage = ScoreStage::masked;
  REQUIRE_THAT(run(problem).scores, is_within({capped[0] + 1, capped[1] + 2}, 1e-5));
  REQUIRE_THAT(run(problem).weights, is_within({1 / (1 + odds), odds / (1 + odds)}, 1e-6));
  REQUIRE_THAT(run(problem).out, is_within({(5 + 7 * odds) / (1 + odds)}, 1e-5));
}

TEST_CASE("raw and softcapped scores show every key, whatever is seen", "[attention][softcap]") {
  Random random(26);
  for (int attempt = 0; attempt < 200; ++attempt) {
    Problem problem = any_problem(random);
    if (problem.options.score_stage == ScoreStage::masked) continue;
    Problem open = make_problem(random, problem.shape);
    open.query = problem.query;
    open.key = problem.key;
    open.options = {.softmax_scale = problem.options.softmax_scale,
                    .softcap = problem.options.softcap,
                    .score_stage = problem.options.score_stage};
    REQUIRE_THAT(run(problem).scores, has_bits_of(run(open).scores));
  }
}

/// Scores of a query of 1 and these keys, which the products do not round.
std::vector<float> softcapped(const std::vector<float>& raw, float softcap) {
  const Problem problem{{1, 1, raw.size(), 1, 1, 1, 1},
                        {.softcap = softcap, .score_stage = ScoreStage::softcapped},
                        {1},
                        raw,
                        std::vector<float>(raw.size(), 1)};
  return run(problem).scores;
}

TEST_CASE("softcap keeps its bound at any size of score", "[attention][softcap]") {
  Random random(27);
  for (const float softcap : {1e-3F, 0.7F, 1.0F, 15.0F, 30.0F, 50.0F, 1'000.0F}) {
    std::vector<float> raw;
    for (int i = 0; i < 5'000; ++i) raw.push_back(static_cast<float>(random.uniform() * 10 - 5) * softcap);
    for (float magnitude = 1e-30F; magnitude < 1e30F; magnitude *= 1.7F) {
      raw.push_back(magnitude);
      raw.push_back(-magnitude);
    }
    std::vector<double> want;
    for (const float score : raw) {
      want.push_back(static_cast<double>(softcap) * std::tanh(score / static_cast<double>(softcap)));
    }
    CAPTURE(softcap);
    REQUIRE_THAT(softcapped(raw, softcap),
                 is_within(want, [&want](std::size_t i) { return 0x1p-22 * std::abs(want[i]); }));
  }
}

TEST_CASE("softcap at its extremes", "[attention][softcap]") {
  const std::vector<float> raw = {0.0F, 3.0F, -3.0F, infinity, -infinity, 0x1p-149F};
  REQUIRE_THAT(softcapped(raw, 0), has_bits_of(raw));
  REQUIRE_THAT(softcapped(raw, -0.0F), has_bits_of(raw));
  REQUIRE_THAT(softcapped({0, infinity, -infinity}, 2), has_bits_of<float>({0, 2, -2}));
  REQUIRE_THAT(softcapped({3, -3, 0}, std::numeric_limits<float>::max()), is_within({3, -3, 0}, 1e-6));
  // Far less than any score: every score is at the cap.
  REQUIRE_THAT(softcapped({3, -3, 1e30F, 0}, 1e-40F), is_within({1e-40, -1e-40, 1e-40, 0}, 1e-44));
  for (const std::size_t size : sizes) {
    for (std::size_t at = 0; at < size; ++at) {
      std::vector<float> one(size, 1);
      one[at] = not_a_number;
      const std::vector<float> got = softcapped(one, 2);
      for (std::size_t j = 0; j < size; ++j) REQUIRE(std::isnan(got[j]) == (j == at));
    }
  }
}

TEST_CASE("+inf becomes the softcap, and weighs what that weighs", "[attention][softcap]") {
  const Problem problem{{1, 1, 2, 1, 1, 1, 1}, {.softcap = 2}, {1}, {infinity, 0}, {1, 0}};
  const double odds = std::exp(2.0);
  REQUIRE_THAT(run(problem).weights, is_within({odds / (1 + odds), 1 / (1 + odds)}, bound));
}

TEST_CASE("NaN or +inf in a visible bias makes its row NaN, and no other", "[attention][bias]") {
  const float poison = GENERATE(not_a_number, infinity);
  Random random(28);
  for (std::size_t at = 0; at < 9; ++at) {
    Problem problem = make_problem(random, {1, 6, 9, 1, 1, 4, 5}, {.query_offset = 2, .causal = true});
    problem.bias_shape = {1, 1, 6, 9};
    problem.bias = random.normals(6 * 9);
    problem.bias[3 * 9 + 1] = -infinity;
    const Result want = run(problem);
    problem.bias[3 * 9 + at] = poison;
    const Result got = run(problem);
    const bool hit = at <= 5;
    for (std::size_t k = 0; k < 6 * 9; ++k) {
      const bool seen = k % 9 <= 5 && (k % 9 != 1 || at == 1);
      CAPTURE(at, k);
      if (k / 9 == 3 && hit && seen) {
        REQUIRE(std::isnan(got.weights[k]));
      } else {
        REQUIRE(same_bits(got.weights[k], want.weights[k]));
      }
    }
    for (std::size_t c = 0; c < 6 * 5; ++c) {
      REQUIRE((c / 5 == 3 && hit ? std::isnan(got.out[c]) : same_bits(got.out[c], want.out[c])));
    }
  }
}

TEST_CASE("a bias of -inf hides a key whatever its score is", "[attention][bias]") {
  for (const float score : {not_a_number, infinity, -infinity, 3.0F}) {
    Problem problem{{1, 1, 3, 1, 1, 1, 1}, {}, {1}, {1, score, 1}, {1, score, 3}};
    problem.bias = {0, -infinity, 0};
    problem.bias_shape = {1, 1, 1, 3};
    const Result result = run(problem);
    REQUIRE_THAT(result.scores, has_bits_of<float>({1, -infinity, 1}));
    REQUIRE_THAT(result.weights, has_bits_of<float>({0.5F, 0, 0.5F}));
    REQUIRE_THAT(result.out, has_bits_of<float>({2}));
  }
}

TEST_CASE("no weight on the largest value is nothing", "[attention]") {
  // The second score is so far below the first that its weight is 0, though the key is seen.
  const Problem problem{{1, 1, 2, 1, 1, 1, 1}, {}, {1}, {0, -200}, {1, std::numeric_limits<float>::max()}};
  REQUIRE_THAT(run(problem).out, has_bits_of<float>({1}));
  REQUIRE_THAT(run(problem).weights, has_bits_of<float>({1, 0}));
}

TEST_CASE("a row whose every score is -inf reads no value", "[attention]") {
  const float poison = GENERATE(not_a_number, infinity);
  const auto q_len = GENERATE(std::size_t{6}, std::size_t{38});
  for (std::size_t dead = 0; dead < q_len; ++dead) {
    Random random(29);
    Problem problem = make_problem(random, {1, q_len, 7, 1, 1, 2, 3});
    for (float& component : problem.key) component = std::abs(component);
    const Result want = run(problem);
    for (std::size_t j = 0; j < 7; ++j) problem.key[j * 2] = infinity;
    for (std::size_t i = 0; i < q_len; ++i) {
      problem.query[i * 2] = i == dead ? -1.0F : 0.0F;
      problem.query[i * 2 + 1] = 0;
    }
    std::fill(problem.value.begin(), problem.value.end(), poison);
    const Result got = run(problem);
    for (std::size_t c = 0; c < q_len * 3; ++c) {
      if (c / 3 == dead) REQUIRE(same_bits(got.out[c], 0.0F));
      if (c / 3 != dead) REQUIRE(!std::isfinite(got.out[c]));
    }
    for (std::size_t j = 0; j < 7; ++j) REQUIRE(same_bits(got.weights[dead * 7 + j], 0.0F));
  }
}

// ---- Weights ----------------------------------------------------------------------------------------------

TEST_CASE("every row of weights sums to 1, and none is negative", "[attention]") {
  Random random(5);
  for (const std::size_t kv_len : sizes) {
    for (const bool causal : {false, true}) {
      const Problem problem = make_problem(random, {1, 33, kv_len, 2, 1, 9, 1}, {.causal = causal});
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
  for (std::int32_t query_offset = -10; query_offset <= 20; ++query_offset) {
    const Problem problem =
        make_problem(random, {1, 13, 18, 2, 1, 5, 3}, {.query_offset = query_offset, .causal = true});
    const Result result = run(problem);
    for (std::size_t row = 0; row < 2 * 13; ++row) {
      const std::int64_t edge = static_cast<std::int64_t>(row % 13) + query_offset;
      for (std::int64_t j = 0; j < 18; ++j) {
        const float weight = result.weights[row * 18 + static_cast<std::size_t>(j)];
        CAPTURE(query_offset, row, j);
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
  for (const std::int32_t query_offset :
       {-1, -2, -4, -5, -9, -300, std::numeric_limits<std::int32_t>::min()}) {
    for (const bool with_weights : {true, false}) {
      const Problem problem =
          make_problem(random, {1, 9, 7, 2, 2, 4, 6}, {.query_offset = query_offset, .causal = true});
      const Result result = run(problem, with_weights);
      for (std::size_t i = 0; i < 9; ++i) {
        const bool sees_nothing = static_cast<std::int64_t>(i) + query_offset < 0;
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
    Problem problem{{1, 2, kv_len, 1, 1, 5, 3},
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

TEST_CASE("a query_offset at either end of int32 sees all or nothing", "[attention][causal]") {
  Random random(8);
  Problem problem = make_problem(random, {1, 9, 7, 1, 1, 4, 6},
                                 {.query_offset = std::numeric_limits<std::int32_t>::max(), .causal = true});
  const Result all = run(problem);
  problem.options.query_offset = std::numeric_limits<std::int32_t>::min();
  REQUIRE(run(problem).weights == std::vector<float>(9 * 7, 0));
  problem.options.causal = false;
  REQUIRE_THAT(run(problem).weights, has_bits_of(all.weights));
}

TEST_CASE("scores of ten thousand neither overflow nor underflow", "[attention]") {
  // All numbers here are exact in float: scores are 1e4, 1e4 - 1, -1e4 and so on.
  for (const std::size_t kv_len : sizes) {
    CAPTURE(kv_len);
    Problem problem{{1, 1, kv_len, 1, 1, 2, 1}, {}, {100, 1}, {}, {}};
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
  const Problem low{{1, 1, 9, 1, 1, 1, 1}, {}, {-100}, std::vector<float>(9, 100), std::vector<float>(9, 1)};
  REQUIRE_THAT(run(low).weights, is_within(std::vector<double>(9, 1.0 / 9), bound));
}

TEST_CASE("a softmax_scale of 0 weighs all keys alike, a negative one turns the order round", "[attention]") {
  Random random(9);
  Problem problem = make_problem(random, {1, 3, 9, 1, 1, 7, 2});
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
  const std::int32_t query_offset = GENERATE(-2, 0, 1, 5);
  const auto q_len = GENERATE(std::size_t{11}, std::size_t{20});  // Of two heads, 40 are enough for panels.
  const bool cached = GENERATE(false, true);
  const auto run_it = [cached](const Problem& problem, bool with_weights) {
    return cached ? run_cached(problem, with_weights) : run(problem, with_weights);
  };
  constexpr std::size_t kv_len = 14;
  constexpr std::size_t v_head_dim = 9;
  Random random(10);
  const Problem clean = make_problem(random, {1, q_len, kv_len, 2, 1, 6, v_head_dim},
                                     {.query_offset = query_offset, .causal = true});
  const Result want = run_it(clean, true);
  for (std::size_t j = 0; j < kv_len; ++j) {
    Problem poisoned = clean;
    std::vector<float>& target = in_key ? poisoned.key : poisoned.value;
    const std::size_t width = target.size() / kv_len;
    std::fill(&target[j * width], &target[j * width] + width, poison);
    for (const bool with_weights : {true, false}) {
      const Result got = run_it(poisoned, with_weights);
      for (std::size_t i = 0; i < q_len; ++i) {
        if (clean.sees(0, 0, i, j)) continue;
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
  for (const std::size_t kv_len : Sizes{1, 3, 4, 5, 8, 9, 17, 33, 49}) {
    for (std::size_t j = 0; j < kv_len; ++j) {
      Random random(11);
      Problem problem = make_problem(random, {1, kv_len, kv_len, 1, 1, 5, 6}, {.causal = true});
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
  Problem problem = make_problem(random, {1, 6, 9, 3, 3, 4, 5});
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
  const Problem grouped = make_problem(random, {1, 9, 10, 6, 2, 7, 5}, {.query_offset = 1, .causal = true});
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

/// A cache of bfloat16 gives what one of the floats gives that they stand for.
void require_same_in_bfloat16(Problem problem) {
  for (std::vector<float>* const kept : {&problem.key, &problem.value}) {
    for (float& number : *kept) number = static_cast<float>(BFloat16(number));
  }
  const auto [batch, q_len, kv_len, n_heads, n_kv_heads, head_dim, v_head_dim] = problem.shape;
  CAPTURE(batch, q_len, kv_len, n_heads, n_kv_heads, head_dim, v_head_dim, problem.format);
  const Result want = run_cached(problem);
  const Result got = run_cached<BFloat16>(problem);
  REQUIRE_THAT(got.out, has_bits_of(want.out));
  REQUIRE_THAT(got.weights, has_bits_of(want.weights));
  REQUIRE_THAT(got.scores, has_bits_of(want.scores));
}

TEST_CASE("bfloat16 is the floats it stands for", "[attention][bfloat16]") {
  Random random(40);
  for (const std::size_t size : sizes) {
    for (const std::size_t q_len : Sizes{1, 4, 5, 35}) {
      require_same_in_bfloat16(make_problem(random, {1, q_len, size, 2, 2, 8, 8}));
      require_same_in_bfloat16(make_problem(random, {1, q_len, 11, 2, 1, size, 8}, {.causal = true}));
      require_same_in_bfloat16(make_problem(random, {1, q_len, 11, 2, 1, 8, size}, {.causal = true}));
    }
  }
  for (int attempt = 0; attempt < 500; ++attempt) {
    CAPTURE(attempt);
    require_same_in_bfloat16(any_problem(random));
  }
}

TEST_CASE("a causal row is full attention on its prefix", "[attention][causal]") {
  Random random(14);
  const Problem causal = make_problem(random, {1, 17, 20, 2, 2, 6, 9}, {.query_offset = 3, .causal = true});
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

TEST_CASE("both formats are the same heads", "[attention]") {
  Random random(30);
  for (int attempt = 0; attempt < 200; ++attempt) {
    Problem problem = any_problem(random);
    problem.format = HeadsFormat::bshd;
    problem.spare = 0;
    const Result want = run(problem);
    problem.format = HeadsFormat::bhsd;
    problem.spare = below(random, 3);
    const Result got = run(problem);
    REQUIRE_THAT(got.out, has_bits_of(want.out));
    REQUIRE_THAT(got.weights, has_bits_of(want.weights));
    REQUIRE_THAT(got.scores, has_bits_of(want.scores));
  }
}

TEST_CASE("each sequence of a batch answers for itself", "[attention]") {
  Random random(31);
  for (int attempt = 0; attempt < 200; ++attempt) {
    const Problem all = any_problem(random);
    const Result together = run(all);
    for (std::size_t b = 0; b < all.shape.batch; ++b) {
      const auto part = [&](const auto& whole, std::size_t n) {
        return std::decay_t<decltype(whole)>(
            whole.begin() + static_cast<std::ptrdiff_t>(b * whole.size() / n),
            whole.begin() + static_cast<std::ptrdiff_t>((b + 1) * whole.size() / n));
      };
      Problem one = all;
      one.shape.batch = 1;
      one.query = part(all.query, all.shape.batch);
      one.key = part(all.key, all.shape.batch);
      one.value = part(all.value, all.shape.batch);
      if (!all.kv_lens.empty()) one.kv_lens = {all.kv_lens[b]};
      if (all.mask_shape[0] > 1) one.mask = part(all.mask, all.shape.batch), one.mask_shape[0] = 1;
      if (all.bias_shape[0] > 1) one.bias = part(all.bias, all.shape.batch), one.bias_shape[0] = 1;
      const Result alone = run(one);
      REQUIRE_THAT(alone.out, has_bits_of(part(together.out, all.shape.batch)));
      REQUIRE_THAT(alone.weights, has_bits_of(part(together.weights, all.shape.batch)));
      REQUIRE_THAT(alone.scores, has_bits_of(part(together.scores, all.shape.batch)));
    }
  }
}

TEST_CASE("the order of the keys does not matter without a mask", "[attention]") {
  Random random(15);
  const Problem problem = make_problem(random, {1, 5, 33, 1, 1, 8, 7});
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
  const Problem all = make_problem(random, {1, 7, 9, 3, 3, 5, 6}, {.causal = true});
  const Result together = run(all);
  for (std::size_t head = 0; head < 3; ++head) {
    Problem one{{1, 7, 9, 1, 1, 5, 6}, all.options, {}, {}, {}};
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
  const Problem problem = make_problem(random, {1, seq_len, seq_len, 2, 2, head_dim, 1}, {.causal = true});
  const auto weights_at = [&](std::int32_t first) {
    Problem moved = problem;
    std::vector<std::int32_t> positions = consecutive(seq_len, first);
    std::vector<double> inv_freq(head_dim / 2);
    std::vector<float> cos(seq_len * head_dim / 2);
    std::vector<float> sin(seq_len * head_dim / 2);
    const TensorView<float, 2> cos_view{cos.data(), {seq_len, head_dim / 2}};
    const TensorView<float, 2> sin_view{sin.data(), {seq_len, head_dim / 2}};
    REQUIRE_THAT(rope_inv_freq(10'000, {inv_freq.data(), {head_dim / 2}}), is_ok());
    REQUIRE_THAT(build_rope_cache({positions.data(), {1, seq_len}}, {inv_freq.data(), {head_dim / 2}}, {}, 1,
                                  cos_view, sin_view),
                 is_ok());
    for (std::vector<float>* const x : {&moved.query, &moved.key}) {
      HeadsView<float> heads;
      REQUIRE_THAT(heads_as(std::span(*x), HeadsFormat::bshd, 1, seq_len, seq_len, 2, head_dim, "x", heads),
                   is_ok());
      REQUIRE_THAT(apply_rope(heads, cos_view, sin_view, {}, layout), is_ok());
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

/// Heads as a call gives them: batch, len, n_heads, head_dim.
using HeadsShape = std::array<std::size_t, 4>;
using Square = std::array<std::size_t, 4>;

/// A call in which any one shape can be made wrong.
/// Floats of scratch of the call that follows.
std::size_t scratch_size(bool with_weights) {
  return static_cast<std::size_t>(attention_scratch_size({5, 7, 4, 2, 6, 3, with_weights}));
}

struct Call {
  HeadsShape query = {2, 5, 4, 6};
  HeadsShape key = {2, 7, 2, 6};
  HeadsShape value = {2, 7, 2, 3};
  HeadsShape out = {2, 5, 4, 3};
  Square weights = {2, 4, 5, 7};
  Square scores = {2, 4, 5, 7};
  Square mask = {};
  Square bias = {};
  std::vector<std::int32_t> kv_lens = {};
  std::size_t scratch = scratch_size(false);
  AttentionOptions options = {};
};

template <class T>
HeadsView<T> dense(T* data, const HeadsShape& shape) {
  const auto [batch, len, n_heads, head_dim] = shape;
  return {data, batch, len, n_heads, head_dim, len * n_heads * head_dim, n_heads * head_dim, head_dim};
}

void require_refused(const Call& call, const Refuses& refusal) {
  constexpr std::size_t room = 10'000;
  Buffer<float> inputs(std::vector<float>(room, 0.5F));
  Buffer<std::uint8_t> mask(std::vector<std::uint8_t>(room, 1));
  Buffer<float> out(room);
  Buffer<float> weights(room);
  Buffer<float> scores(room);
  Buffer<float> scratch(room);
  const auto attempt = [&](const Call& with) {
    const float* const data = inputs.values().data();
    AttentionOptions options = with.options;
    options.mask = {mask.values().data(), with.mask};
    options.bias = {data, with.bias};
    options.kv_lens = {with.kv_lens.data(), {with.kv_lens.size()}};
    return attention(dense(data, with.query), dense(data, with.key), dense(data, with.value), options,
                     dense(out.values().data(), with.out), {weights.values().data(), with.weights},
                     {scores.values().data(), with.scores}, {scratch.values().data(), {with.scratch}});
  };
  REQUIRE_THAT(attempt(call), refusal);
  REQUIRE(out.untouched());
  REQUIRE(weights.untouched());
  REQUIRE(scores.untouched());
  REQUIRE(scratch.untouched());
  REQUIRE_THAT(attempt(Call{}), is_ok());
}

TEST_CASE("attention refuses sizes that disagree, writes nothing, and works again", "[attention][errors]") {
  require_refused({.key = {1, 7, 2, 6}}, refuses_shape("key", 1));
  require_refused({.key = {3, 7, 2, 6}}, refuses_shape("key", 3));
  require_refused({.key = {2, 7, 2, 5}}, refuses_shape("key", 5));
  require_refused({.key = {2, 7, 2, 7}}, refuses_shape("key", 7));
  require_refused({.key = {2, 7, 3, 6}, .value = {2, 7, 3, 3}}, refuses_shape("key", 3));
  require_refused({.key = {2, 7, 8, 6}, .value = {2, 7, 8, 3}}, refuses_shape("key", 8));
  require_refused({.key = {2, 7, 0, 6}, .value = {2, 7, 0, 3}}, refuses_shape("key", 0));
  require_refused({.value = {1, 7, 2, 3}}, refuses_shape("value", 1));
  require_refused({.value = {4, 7, 2, 3}}, refuses_shape("value", 4));
  require_refused({.value = {2, 6, 2, 3}}, refuses_shape("value", 6));
  require_refused({.value = {2, 8, 2, 3}}, refuses_shape("value", 8));
  require_refused({.value = {2, 7, 1, 3}}, refuses_shape("value", 1));
  require_refused({.value = {2, 7, 4, 3}}, refuses_shape("value", 4));
  require_refused({.out = {1, 5, 4, 3}}, refuses_shape("out", 5 * 4 * 3));
  require_refused({.out = {2, 4, 4, 3}}, refuses_shape("out", 2 * 4 * 4 * 3));
  require_refused({.out = {2, 5, 3, 3}}, refuses_shape("out", 2 * 5 * 3 * 3));
  require_refused({.out = {2, 5, 4, 6}}, refuses_shape("out", 2 * 5 * 4 * 6));
  require_refused({.out = {2, 4, 5, 3}}, refuses_shape("out", 2 * 5 * 4 * 3));
  require_refused({.weights = {1, 4, 5, 7}}, refuses_shape("weights", 4 * 5 * 7));
  require_refused({.weights = {2, 3, 5, 7}}, refuses_shape("weights", 2 * 3 * 5 * 7));
  require_refused({.weights = {2, 5, 4, 7}}, refuses_shape("weights", 2 * 4 * 5 * 7));
  require_refused({.weights = {2, 4, 5, 8}}, refuses_shape("weights", 2 * 4 * 5 * 8));
  require_refused({.scores = {1, 4, 5, 7}}, refuses_shape("scores", 4 * 5 * 7));
  require_refused({.scores = {2, 3, 5, 7}}, refuses_shape("scores", 2 * 3 * 5 * 7));
  require_refused({.scores = {2, 5, 4, 7}}, refuses_shape("scores", 2 * 4 * 5 * 7));
  require_refused({.scores = {2, 4, 5, 6}}, refuses_shape("scores", 2 * 4 * 5 * 6));
}

TEST_CASE("attention refuses values that are not kept as keys are, and more keys than there is room for",
          "[attention][errors]") {
  Random random(50);
  const Problem problem = make_problem(random, {1, 2, 5, 1, 1, 4, 4});
  Heads query(problem, 2, 1, 4, problem.query);
  Heads rows(problem, 5, 1, 4, problem.value);
  Cached<float> keys(problem, true, 4, problem.key);
  Cached<float> values(problem, false, 4, problem.value);
  Heads out(problem, 2, 1, 4);
  Buffer<float> scratch(static_cast<std::size_t>(attention_scratch_size({2, 5, 1, 1, 4, 4})));
  const auto attend = [&](const KeptHeads& key, const KeptHeads& value) {
    return attention(query.view(), key, value, {}, out.view(), {}, {}, scratch.view(scratch.values().size()));
  };
  REQUIRE_THAT(attend(keys.view(), rows.view()), refuses_shape("value", 5));
  REQUIRE_THAT(attend(rows.view(), values.view()), refuses_shape("value", 5));
  KeptHeads few_keys = keys.view();
  KeptHeads few_values = values.view();
  few_values.capacity = 4;
  REQUIRE_THAT(attend(keys.view(), few_values), refuses_shape("value", 5));
  few_keys.capacity = 4;
  REQUIRE_THAT(attend(few_keys, few_values), refuses_shape("key", 5));
  REQUIRE(scratch.untouched());
  REQUIRE_THAT(attend(keys.view(), values.view()), is_ok());
}

TEST_CASE("attention refuses a mask and a bias that do not broadcast", "[attention][errors]") {
  const std::vector<std::pair<Square, std::size_t>> wrong = {
      {{3, 1, 1, 7}, 3}, {{1, 2, 5, 7}, 2}, {{1, 8, 5, 7}, 8}, {{2, 4, 4, 7}, 4},
      {{2, 4, 2, 7}, 2}, {{1, 4, 6, 7}, 6}, {{2, 4, 5, 8}, 8}, {{1, 1, 1, 70}, 70}};
  for (const auto& [shape, given] : wrong) {
    require_refused({.mask = shape}, refuses_shape("mask", given));
    require_refused({.bias = shape}, refuses_shape("bias", given));
  }
}

TEST_CASE("attention refuses kv_lens that no sequence has", "[attention][errors]") {
  require_refused({.kv_lens = {7}}, refuses_shape("kv_lens", 1));
  require_refused({.kv_lens = {7, 7, 7}}, refuses_shape("kv_lens", 3));
  require_refused({.kv_lens = {8, 7}}, refuses_value("kv_lens", 8));
  require_refused({.kv_lens = {7, -1}}, refuses_value("kv_lens", -1));
  require_refused({.kv_lens = {0, std::numeric_limits<std::int32_t>::min()}},
                  refuses_value("kv_lens", std::numeric_limits<std::int32_t>::min()));
}

TEST_CASE("attention refuses too little scratch", "[attention][errors]") {
  for (const std::size_t scratch : Sizes{std::size_t{0}, scratch_size(false) - 1}) {
    require_refused({.weights = {0, 0, 0, 0}, .scratch = scratch}, refuses_shape("scratch", scratch));
  }
  for (const std::size_t scratch : Sizes{std::size_t{0}, scratch_size(true) - 1}) {
    require_refused({.scratch = scratch}, refuses_shape("scratch", scratch));
  }
}

TEST_CASE("attention refuses a softmax_scale or a softcap that cannot be", "[attention][errors]") {
  for (const float scale : {not_a_number, infinity, -infinity}) {
    require_refused({.options = {.softmax_scale = scale}},
                    refuses_value("softmax_scale", static_cast<double>(scale)));
  }
  for (const float softcap : {not_a_number, infinity, -infinity, -1.0F, -0x1p-149F}) {
    require_refused({.options = {.softcap = softcap}},
                    refuses_value("softcap", static_cast<double>(softcap)));
  }
}

}  // namespace

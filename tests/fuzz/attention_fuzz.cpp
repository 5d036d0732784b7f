#include "fuzz.hpp"
#include "reference/attention.hpp"
#include "ropewalk/attention.hpp"

namespace ropewalk::fuzz {
namespace {

using Shape4 = std::array<std::size_t, 4>;

struct Call {
  Heads<float> query;
  Heads<float> key;
  Heads<float> value;
  Heads<float> out;
  AttentionOptions options;
  Shape4 weights_shape{};
  Shape4 scores_shape{};
  std::array<std::size_t, 1> scratch_shape{};
};

struct Results {
  Status status;
  Heads<float> out;
  std::vector<float> weights;
  std::vector<float> scores;
  std::vector<float> scratch;

  bool untouched() const {
    using fuzz::untouched;
    return untouched(out.storage) && untouched(weights) && untouched(scores) && untouched(scratch);
  }
};

Results run(Call& call) {
  Results results{{},
                  call.out,
                  canaries<float>(call.weights_shape),
                  canaries<float>(call.scores_shape),
                  canaries<float>(call.scratch_shape)};
  results.status =
      attention(call.query.view(), call.key.view(), call.value.view(), call.options, results.out.view(),
                view(results.weights, call.weights_shape), view(results.scores, call.scores_shape),
                view(results.scratch, call.scratch_shape));
  return results;
}

bool is_empty(const Shape4& shape) { return std::find(shape.begin(), shape.end(), 0) != shape.end(); }

bool is_broadcast(const Shape4& shape, const Shape4& square) {
  if (is_empty(shape)) return true;
  for (std::size_t d = 0; d < 3; ++d) {
    if (shape[d] != 1 && shape[d] != square[d]) return false;
  }
  return shape[3] <= square[3];
}

bool is_valid(const Call& call) {
  const auto [batch, q_len, n_heads, head_dim] = call.query.shape;
  const auto [key_batch, kv_len, n_kv_heads, key_dim] = call.key.shape;
  const std::size_t v_head_dim = call.value.shape[3];
  const AttentionOptions& options = call.options;
  const Shape4 square{batch, n_heads, q_len, kv_len};
  if (key_batch != batch || key_dim != head_dim || n_kv_heads == 0 || n_heads % n_kv_heads != 0) return false;
  if (call.value.shape != Shape4{batch, kv_len, n_kv_heads, v_head_dim}) return false;
  if (call.out.shape != Shape4{batch, q_len, n_heads, v_head_dim}) return false;
  if (!is_empty(call.weights_shape) && call.weights_shape != square) return false;
  if (!is_empty(call.scores_shape) && call.scores_shape != square) return false;
  if (call.scratch_shape[0] < attention_scratch_size({q_len, kv_len, n_heads, n_kv_heads, head_dim,
                                                      v_head_dim, !is_empty(call.weights_shape)})) {
    return false;
  }
  if (!is_broadcast(options.mask.shape, square) || !is_broadcast(options.bias.shape, square)) return false;
  const std::size_t n_kv_lens = options.kv_lens.shape[0];
  if (n_kv_lens != 0 && n_kv_lens != batch) return false;
  for (std::size_t b = 0; b < n_kv_lens; ++b) {
    const std::int32_t len = options.kv_lens.data[b];
    if (len < 0 || static_cast<std::size_t>(len) > kv_len) return false;
  }
  return std::isfinite(options.softmax_scale) && std::isfinite(options.softcap) && options.softcap >= 0;
}

/// What holds of one row of weights and the row of out, whatever numbers went in. `scores` are masked.
void check_row(const float* scores, const float* weights, const float* out, std::size_t kv_len,
               std::size_t v_head_dim, auto sees) {
  bool any_nan = false;
  float largest = -infinity;
  for (std::size_t j = 0; j < kv_len; ++j) {
    if (!sees(j)) {
      require(scores[j] == -infinity, "the masked score of a key that is not seen is -inf");
      require(weights[j] == 0, "a key that is not seen weighs nothing");
    } else if (std::isnan(scores[j]) || scores[j] == infinity) {
      any_nan = true;
    } else {
      largest = std::max(largest, scores[j]);
    }
  }
  if (any_nan) {
    for (std::size_t j = 0; j < kv_len; ++j) {
      require(!sees(j) || std::isnan(weights[j]), "a NaN or +inf makes the visible weights of its row NaN");
    }
    for (std::size_t c = 0; c < v_head_dim; ++c) {
      require(std::isnan(out[c]), "a NaN or +inf makes its row of out NaN");
    }
  } else if (largest == -infinity) {
    for (std::size_t j = 0; j < kv_len; ++j)
      require(weights[j] == 0, "a row that sees nothing has no weights");
    for (std::size_t c = 0; c < v_head_dim; ++c) require(out[c] == 0, "a row that sees nothing is zero");
  } else {
    double sum = 0;
    for (std::size_t j = 0; j < kv_len; ++j) {
      require(weights[j] >= 0, "weights are not negative");
      sum += weights[j];
    }
    require_near(sum, 1, static_cast<double>(kv_len + 16) * 0x1p-23, "the weights of a row sum to 1");
  }
}

void check_reference(const Call& call, const Results& results, const reference::AttentionShape& shape) {
  const std::vector<double> query = to_double(call.query.packed());
  const std::vector<double> key = to_double(call.key.packed());
  const std::vector<double> value = to_double(call.value.packed());
  const reference::AttentionResult want = reference::attention(query, key, value, shape, call.options);

  // The bound is stated for scores of a moderate size.
  const auto largest = [](const std::vector<double>& values) {
    double largest = 0;
    for (const double element : values) largest = std::max(largest, std::abs(element));
    return largest;
  };
  const auto depth = static_cast<double>(shape.head_dim);
  const auto keys = static_cast<double>(shape.kv_len);
  const double sum = std::abs(call.options.softmax_scale) * depth * largest(query) * largest(key);
  if (!(sum <= 0x1p4)) return;

  const double score_bound = (depth + 32) * 0x1p-20 + 0x1p-20 * call.options.softcap;
  for (std::size_t i = 0; i < results.scores.size(); ++i) {
    if (results.scores[i] == -infinity && want.scores[i] == -infinity) continue;
    require_near(results.scores[i], want.scores[i], score_bound, "scores are those of the reference");
  }
  const double weight_bound = (depth + 32) * 0x1p-23 + keys * 0x1p-26;
  for (std::size_t i = 0; i < results.weights.size(); ++i) {
    require_near(results.weights[i], want.weights[i], weight_bound, "weights are those of the reference");
  }
  const double out_bound = ((depth + 32) * 0x1p-22 + keys * 0x1p-23) * largest(value);
  const std::vector<float> out = results.out.packed();
  for (std::size_t i = 0; i < out.size(); ++i) {
    require_near(out[i], want.out[i], out_bound, "out is that of the reference");
  }
}

/// What holds of a call that was taken.
void check(Input& input, const Call& call, const Results& results, bool tame) {
  const auto [batch, q_len, n_heads, head_dim] = call.query.shape;
  const std::size_t kv_len = call.key.shape[1];
  const std::size_t n_kv_heads = call.key.shape[2];
  const std::size_t v_head_dim = call.value.shape[3];
  const reference::AttentionShape shape{batch, q_len, kv_len, n_heads, n_kv_heads, head_dim, v_head_dim};
  const AttentionOptions& options = call.options;

  // The same with everything asked for, in other formats.
  Call full = call;
  for (Heads<float>* heads : {&full.query, &full.key, &full.value, &full.out}) {
    const std::vector<float> packed = heads->packed();
    *heads = {input, heads->shape, unwritten<float>};
    heads->unpack(packed);
  }
  full.weights_shape = full.scores_shape = {batch, n_heads, q_len, kv_len};
  full.options.score_stage = ScoreStage::masked;
  Results all = run(full);
  require(all.status.ok(), "asking for weights and scores too is taken");
  require(results.out.rest_untouched(), "only rows in use are written");
  require(same_numbers(results.out.packed(), all.out.packed()),
          "out does not depend on formats, weights and scores");
  if (!results.weights.empty()) require(same_numbers(results.weights, all.weights), "nor do weights");

  for (std::size_t b = 0; b < batch; ++b) {
    for (std::size_t h = 0; h < n_heads; ++h) {
      for (std::size_t i = 0; i < q_len; ++i) {
        const std::size_t row = ((b * n_heads + h) * q_len + i) * kv_len;
        check_row(all.scores.data() + row, all.weights.data() + row, all.out.view().row(b, i, h), kv_len,
                  v_head_dim, [&](std::size_t j) { return reference::sees(b, h, i, j, shape, options); });
      }
    }
  }
  if (tame) {
    require(all_finite(all.weights) && all_finite(all.out.packed()), "numbers give numbers");
    check_reference(call, results, shape);
  }

  // Whatever stands at the keys that one row does not see, the row stays as it is.
  if (batch * n_heads * q_len == 0) return;
  const std::size_t b = input.below(batch);
  const std::size_t h = input.below(n_heads);
  const std::size_t i = input.below(q_len);
  const std::size_t kv_head = h / (n_heads / n_kv_heads);
  Call other = full;
  for (std::size_t j = 0; j < kv_len; ++j) {
    if (reference::sees(b, h, i, j, shape, options)) continue;
    for (Heads<float>* heads : {&other.key, &other.value}) {
      const std::vector<float> noise = input.numbers<float>(heads->shape[3], false);
      std::copy(noise.begin(), noise.end(), heads->view().row(b, j, kv_head));
    }
  }
  Results again = run(other);
  const std::size_t row = ((b * n_heads + h) * q_len + i) * kv_len;
  require(std::equal(again.weights.begin() + static_cast<std::ptrdiff_t>(row),
                     again.weights.begin() + static_cast<std::ptrdiff_t>(row + kv_len),
                     all.weights.begin() + static_cast<std::ptrdiff_t>(row), same_number),
          "weights do not depend on keys that are not seen");
  const float* const out = again.out.view().row(b, i, h);
  require(std::equal(out, out + v_head_dim, all.out.view().row(b, i, h), same_number),
          "out does not depend on keys and values that are not seen");
}

void fuzz(Input& input) {
  const bool tame = input.flip();
  const std::size_t batch = input.extent(3);
  const std::size_t q_len = input.extent(input.flip() ? 10 : 40);
  const std::size_t kv_len = input.extent(input.flip() ? 6 : 40);
  const std::size_t n_kv_heads = input.extent(3);
  const std::size_t n_heads = n_kv_heads * input.extent(3) + (input.rarely() ? 1 : 0);
  const std::size_t head_dim = input.extent(input.flip() ? 6 : 36);
  const std::size_t v_head_dim = input.flip() ? head_dim : input.extent(20);
  const Shape4 square{batch, n_heads, q_len, kv_len};

  const auto values = [&](std::size_t size) { return input.numbers<float>(size, tame); };
  Call call{.query{input, input.disturbed(Shape4{batch, q_len, n_heads, head_dim}), values},
            .key{input, input.disturbed(Shape4{batch, kv_len, n_kv_heads, head_dim}), values},
            .value{input, input.disturbed(Shape4{batch, kv_len, n_kv_heads, v_head_dim}), values},
            .out{input, input.disturbed(Shape4{batch, q_len, n_heads, v_head_dim}), unwritten<float>},
            .options{}};
  if (input.flip()) call.weights_shape = input.disturbed(square);
  if (input.flip()) call.scores_shape = input.disturbed(square);
  call.scratch_shape = input.disturbed(std::array{static_cast<std::size_t>(attention_scratch_size(
      {q_len, kv_len, n_heads, n_kv_heads, head_dim, v_head_dim, !is_empty(call.weights_shape)}))});
  if (!is_reasonable(call.scratch_shape)) return;  // More than needed is taken, but is not there.

  AttentionOptions& options = call.options;
  options.query_offset = input.integer();
  options.causal = input.flip();
  options.left_window_size = input.integer();
  options.right_window_size = input.integer();
  options.softmax_scale = tame ? static_cast<float>(input.moderate(1)) : input.number<float>();
  options.softcap = input.flip() ? 0
                    : tame       ? static_cast<float>(25 + input.moderate(25))
                                 : input.number<float>();
  options.score_stage = input.one_of({ScoreStage::raw, ScoreStage::softcapped, ScoreStage::masked});

  std::vector<std::int32_t> kv_lens;
  if (input.flip()) {
    const auto shape = input.disturbed(std::array{batch});
    kv_lens = input.indices(room(shape), kv_len + 1);
    options.kv_lens = {kv_lens.data(), shape};
  }
  const auto broadcast = [&] {
    Shape4 shape = square;
    for (std::size_t d = 0; d < 3; ++d) {
      if (input.flip()) shape[d] = 1;
    }
    if (input.flip()) shape[3] = input.below(kv_len + 1);
    return input.disturbed(shape);
  };
  std::vector<std::uint8_t> mask;
  if (input.flip()) {
    const Shape4 shape = broadcast();
    mask.resize(room(shape));
    for (std::uint8_t& seen : mask) seen = input.flip() ? input.byte() : 0;
    options.mask = {mask.data(), shape};
  }
  std::vector<float> bias;
  if (input.flip()) {
    const Shape4 shape = broadcast();
    bias = input.numbers<float>(room(shape), tame);
    for (float& number : bias) {
      if (input.byte() < 64) number = -infinity;
    }
    options.bias = {bias.data(), shape};
  }

  const Results results = run(call);
  require_verdict(results.status, is_valid(call),
                  {"query", "key", "value", "out", "weights", "scores", "scratch", "mask", "bias", "kv_lens",
                   "softmax_scale", "softcap"});
  if (!results.status.ok()) return require(results.untouched(), "a refused call writes nothing");
  check(input, call, results, tame);
}

}  // namespace
}  // namespace ropewalk::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ropewalk::fuzz::Input input(data, size);
  ropewalk::fuzz::fuzz(input);
  return 0;
}

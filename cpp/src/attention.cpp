#include "ropewalk/attention.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "matmul.hpp"
#include "simd.hpp"
#include "softmax.hpp"

namespace ropewalk {
namespace {

using simd::Vector;

/// Queries that are worked on at once: as many as a tile of the products has rows.
constexpr std::size_t block_rows = 4;

constexpr float lowest = -std::numeric_limits<float>::infinity();

/// From the first key to the last one and one further.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;

  constexpr std::size_t size() const noexcept { return end - begin; }
  constexpr bool empty() const noexcept { return begin == end; }
};

/// The keys that one query sees: those of its span that neither the mask nor the bias takes out. The span is the
/// narrowest that holds them all.
struct SeenKeys {
  Span span;
  const std::uint8_t* mask = nullptr;  ///< by key; null where there is none
  const float* bias = nullptr;         ///< by key; null where there is none

  bool has_gaps() const noexcept { return mask != nullptr || bias != nullptr; }

  bool in_gap(std::size_t j) const noexcept {
    return (mask != nullptr && mask[j] == 0) || (bias != nullptr && bias[j] == lowest);
  }

  bool operator()(std::size_t j) const noexcept { return j >= span.begin && j < span.end && !in_gap(j); }

  /// The end of the run of keys, before `limit`, that are all seen or all not, as j is.
  std::size_t run_end(std::size_t j, std::size_t limit) const noexcept {
    if (j < span.begin) return std::min(span.begin, limit);
    if (j >= span.end) return limit;
    if (!has_gaps()) return std::min(span.end, limit);
    const bool gap = in_gap(j);
    while (j < limit && j < span.end && in_gap(j) == gap) ++j;
    return j;
  }
};

/// The row of a broadcast tensor: an extent of 1 serves every index.
template <class T>
T* broadcast_row(TensorView<T, 4> view, std::size_t b, std::size_t h, std::size_t i) noexcept {
  if (view.empty()) return nullptr;
  const auto [batch, n_heads, q_len, kv_len] = view.shape;
  return view.row(batch == 1 ? 0 : b, n_heads == 1 ? 0 : h, q_len == 1 ? 0 : i);
}

/// What query i of head h sees of `kv_len` keys.
SeenKeys seen_keys(const AttentionOptions& options, std::size_t b, std::size_t h, std::size_t i,
                   std::size_t q_len, std::size_t kv_len) noexcept {
  // In 64 bits, since an offset and a window may each be anything that an int32 holds.
  auto limit = static_cast<std::int64_t>(kv_len);
  std::int64_t position = static_cast<std::int64_t>(i) + options.query_offset;
  if (!options.kv_lens.empty()) {
    limit = options.kv_lens.data[b];
    position = static_cast<std::int64_t>(i) + limit - static_cast<std::int64_t>(q_len);
  }
  if (!options.mask.empty()) limit = std::min(limit, static_cast<std::int64_t>(options.mask.shape[3]));
  if (!options.bias.empty()) limit = std::min(limit, static_cast<std::int64_t>(options.bias.shape[3]));

  std::int64_t begin = 0;
  std::int64_t end = limit;
  if (options.causal) end = position + 1;
  if (options.right_window_size >= 0) end = std::min(end, position + options.right_window_size + 1);
  if (options.left_window_size >= 0) begin = position - options.left_window_size;

  SeenKeys seen{{static_cast<std::size_t>(std::clamp<std::int64_t>(begin, 0, limit)),
                 static_cast<std::size_t>(std::clamp<std::int64_t>(end, 0, limit))},
                broadcast_row(options.mask, b, h, i),
                broadcast_row(options.bias, b, h, i)};
  Span& span = seen.span;
  while (!span.empty() && seen.in_gap(span.begin)) ++span.begin;
  while (!span.empty() && seen.in_gap(span.end - 1)) --span.end;
  return seen;
}

/// Every score to softcap * tanh(score / softcap).
void cap(float* row, std::size_t size, float softcap) noexcept {
  for (std::size_t j = 0; j < size; j += simd::width) {
    const Vector scores = simd::load_up_to(row + j, size - j);
    simd::store_up_to(row + j, softcap * xsimd::tanh(scores / softcap), size - j);
  }
}

/// Scores of the span to what the softmax takes: with the bias, and -inf in the gaps, whatever the score was there.
void add_bias(float* row, const SeenKeys& seen) noexcept {
  for (std::size_t j = seen.span.begin; j < seen.span.end; ++j) {
    if (seen.in_gap(j)) {
      row[j] = lowest;
    } else if (seen.bias != nullptr) {
      row[j] += seen.bias[j];
    }
  }
}

/// The sum of step 3: out += weights · value over the keys that each row sees, and zeros for the weights of all others
/// of `keys`. It goes run by run of keys that the same rows see. Multiplying the others by their zeros would do for
/// numbers, but zero times an infinity is NaN.
void add_values(Rows<float> weights, const std::array<SeenKeys, block_rows>& seen, std::size_t rows,
                Span keys, Rows<const float> values, Rows<float> out, std::size_t v_head_dim) noexcept {
  std::array<bool, block_rows> sees{};
  std::array<std::size_t, block_rows> until;
  until.fill(keys.begin);
  std::size_t next = keys.end;
  for (std::size_t j = keys.begin; j < keys.end; j = next) {
    next = keys.end;
    std::size_t n_seeing = 0;
    for (std::size_t r = 0; r < rows; ++r) {
      if (until[r] == j) {
        sees[r] = seen[r](j);
        until[r] = seen[r].run_end(j, keys.end);
        if (!sees[r]) std::fill(weights[r] + j, weights[r] + until[r], 0.0f);
      }
      next = std::min(next, until[r]);
      n_seeing += sees[r] ? 1 : 0;
    }
    // All rows as one product, or else each that sees the run by itself.
    const std::size_t together = n_seeing == rows ? rows : 1;
    for (std::size_t r = 0; r < rows; r += together) {
      if (!sees[r]) continue;
      add_product({weights[r] + j, weights.stride}, values.from(j), out.from(r), together, v_head_dim,
                  next - j);
    }
  }
}

/// Does a mask or a bias of this shape serve [batch, n_heads, q_len, kv_len]?
Status check_broadcast(const char* argument, const std::array<std::size_t, 4>& shape,
                       const std::array<std::size_t, 4>& square) noexcept {
  for (std::size_t d = 0; d < 4; ++d) {
    const bool fits = d == 3 ? shape[d] <= square[d] : shape[d] == square[d] || shape[d] == 1;
    if (!fits) {
      return bad_shape(argument, static_cast<double>(shape[d]),
                       "[batch or 1, n_heads or 1, q_len or 1, at most kv_len], or empty");
    }
  }
  return {};
}

Status check(const HeadsView<const float>& query, const HeadsView<const float>& key,
             const HeadsView<const float>& value, const AttentionOptions& options,
             const HeadsView<float>& out, const TensorView<float, 4>& weights,
             const TensorView<float, 4>& scores, const TensorView<float, 1>& scratch) noexcept {
  const std::array square{query.batch, query.n_heads, query.len, key.len};
  const auto [batch, n_heads, q_len, kv_len] = square;
  if (key.batch != batch) return bad_shape("key", static_cast<double>(key.batch), "the batch of query");
  if (key.head_dim != query.head_dim) {
    return bad_shape("key", static_cast<double>(key.head_dim), "the head_dim of query");
  }
  if (key.n_heads == 0 || n_heads % key.n_heads != 0) {
    return bad_shape("key", static_cast<double>(key.n_heads), "a number of heads that divides n_heads");
  }
  if (value.batch != batch) return bad_shape("value", static_cast<double>(value.batch), "the batch of query");
  if (value.len != kv_len) return bad_shape("value", static_cast<double>(value.len), "as many rows as key");
  if (value.n_heads != key.n_heads) {
    return bad_shape("value", static_cast<double>(value.n_heads), "as many heads as key");
  }
  if (out.batch != batch || out.len != q_len || out.n_heads != n_heads || out.head_dim != value.head_dim) {
    return bad_shape("out", static_cast<double>(out.size()), "[batch, q_len, n_heads, v_head_dim]");
  }
  constexpr const char* square_or_empty = "[batch, n_heads, q_len, kv_len], or empty";
  if (!weights.empty() && weights.shape != square) {
    return bad_shape("weights", static_cast<double>(weights.size()), square_or_empty);
  }
  if (!scores.empty() && scores.shape != square) {
    return bad_shape("scores", static_cast<double>(scores.size()), square_or_empty);
  }
  if (weights.empty() && scratch.size() < attention_scratch_size(kv_len)) {
    return bad_shape("scratch", static_cast<double>(scratch.size()),
                     "at least attention_scratch_size(kv_len)");
  }
  if (!options.mask.empty()) {
    if (const Status status = check_broadcast("mask", options.mask.shape, square); !status.ok())
      return status;
  }
  if (!options.bias.empty()) {
    if (const Status status = check_broadcast("bias", options.bias.shape, square); !status.ok())
      return status;
  }
  const auto& kv_lens = options.kv_lens;
  if (!kv_lens.empty() && kv_lens.size() != batch) {
    return bad_shape("kv_lens", static_cast<double>(kv_lens.size()), "[batch], or empty");
  }
  for (std::size_t b = 0; b < kv_lens.size(); ++b) {
    const std::int32_t len = kv_lens.data[b];
    if (len < 0 || static_cast<std::size_t>(len) > kv_len)
      return bad_value("kv_lens", len, "from 0 to the number of keys");
  }
  if (!std::isfinite(options.softmax_scale)) {
    return bad_value("softmax_scale", static_cast<double>(options.softmax_scale), "a finite number");
  }
  if (!std::isfinite(options.softcap) || options.softcap < 0) {
    return bad_value("softcap", static_cast<double>(options.softcap), "a finite number, at least 0");
  }
  return {};
}

}  // namespace

Status attention(HeadsView<const float> query, HeadsView<const float> key, HeadsView<const float> value,
                 const AttentionOptions& options, HeadsView<float> out, TensorView<float, 4> weights,
                 TensorView<float, 4> scores, TensorView<float, 1> scratch) noexcept {
  if (const Status status = check(query, key, value, options, out, weights, scores, scratch); !status.ok())
    return status;
  const std::size_t q_len = query.len;
  const std::size_t kv_len = key.len;
  const std::size_t group_size = query.n_heads / key.n_heads;

  const auto attend = [&](std::size_t b, std::size_t h, std::size_t first) noexcept {
    const std::size_t rows = std::min(block_rows, q_len - first);
    const std::size_t kv_head = h / group_size;
    const Rows<const float> values{value.row(b, 0, kv_head), value.row_stride};
    const Rows<float> outs{out.row(b, first, h), out.row_stride};
    const Rows<float> block{weights.empty() ? scratch.data : weights.row(b, h, first), kv_len};
    const auto shows = [&](ScoreStage stage) noexcept {
      return !scores.empty() && options.score_stage == stage;
    };

    // What each row sees, and the span that any of them needs.
    std::array<SeenKeys, block_rows> seen;
    Span keys{kv_len, 0};
    for (std::size_t r = 0; r < rows; ++r) {
      seen[r] = seen_keys(options, b, h, first + r, q_len, kv_len);
      if (seen[r].span.empty()) continue;
      keys.begin = std::min(keys.begin, seen[r].span.begin);
      keys.end = std::max(keys.end, seen[r].span.end);
    }
    if (keys.begin > keys.end) keys = {};
    if (shows(ScoreStage::raw) || shows(ScoreStage::softcapped)) keys = {0, kv_len};

    // 1. Scores [rows, keys].
    multiply_transposed({query.row(b, first, h), query.row_stride},
                        {key.row(b, keys.begin, kv_head), key.row_stride}, options.softmax_scale,
                        {block.data + keys.begin, kv_len}, rows, keys.size(), query.head_dim);

    // 2. Weights: each row over its own span. One that weighs nothing adds nothing either.
    for (std::size_t r = 0; r < rows; ++r) {
      float* const row = block[r];
      Span& span = seen[r].span;
      const auto show = [&](Span part) noexcept {
        float* const shown = scores.row(b, h, first + r);
        std::fill_n(shown, part.begin, lowest);
        std::copy_n(row + part.begin, part.size(), shown + part.begin);
        std::fill(shown + part.end, shown + kv_len, lowest);
      };
      if (shows(ScoreStage::raw)) show(keys);
      if (options.softcap != 0) cap(row + keys.begin, keys.size(), options.softcap);
      if (shows(ScoreStage::softcapped)) show(keys);
      if (seen[r].has_gaps()) add_bias(row, seen[r]);
      if (shows(ScoreStage::masked)) show(span);
      if (!softmax_row(row + span.begin, span.size())) span = {};
      std::fill_n(outs[r], value.head_dim, 0.0f);
    }

    // 3. Values.
    if (!weights.empty()) keys = {0, kv_len};
    add_values(block, seen, rows, keys, values, outs, value.head_dim);
  };

  for (std::size_t b = 0; b < query.batch; ++b) {
    for (std::size_t h = 0; h < query.n_heads; ++h) {
      for (std::size_t first = 0; first < q_len; first += block_rows) attend(b, h, first);
    }
  }
  return {};
}

}  // namespace ropewalk

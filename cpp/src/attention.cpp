#include "ropewalk/attention.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "matmul.hpp"
#include "simd.hpp"

namespace ropewalk {
namespace {

using simd::Vector;

/// Queries that are worked on at once: as many as a tile of the products has rows.
constexpr std::size_t block_rows = 4;

/// How many keys, from the first, query i sees.
std::size_t visible_keys(std::size_t i, std::size_t kv_len, const AttentionOptions& options) noexcept {
  if (!options.causal) return kv_len;
  const auto end = static_cast<std::int64_t>(i) + options.causal_offset + 1;
  return static_cast<std::size_t>(std::clamp<std::int64_t>(end, 0, static_cast<std::int64_t>(kv_len)));
}

/// Scores to weights, in place; a row of nothing but -inf, and an empty one, to zeros.
void softmax(float* row, std::size_t size) noexcept {
  constexpr float lowest = -std::numeric_limits<float>::infinity();
  Vector largest(lowest);
  std::size_t j = 0;
  for (; j + simd::width <= size; j += simd::width) largest = xsimd::max(largest, simd::load(row + j));
  if (j < size) largest = xsimd::max(largest, simd::load_partial(row + j, size - j, lowest));
  float maximum = xsimd::reduce_max(largest);
  // -inf minus -inf is NaN; against any finite maximum exp gives the zero that is meant (and NaN scores stay NaN).
  const bool sees_nothing = maximum == lowest;
  if (sees_nothing) maximum = 0;

  Vector sums(0.0f);
  const auto exponential = [maximum](const Vector& scores) noexcept {
    return xsimd::exp(scores - Vector(maximum));
  };
  for (j = 0; j + simd::width <= size; j += simd::width) {
    const Vector weights = exponential(simd::load(row + j));
    sums += weights;
    simd::store(row + j, weights);
  }
  if (j < size) {
    const Vector weights = exponential(simd::load_partial(row + j, size - j, lowest));
    sums += weights;
    simd::store_partial(row + j, weights, size - j);
  }
  const float sum = xsimd::reduce_add(sums);
  if (sum == 0) return;
  const float factor = 1 / sum;
  for (j = 0; j + simd::width <= size; j += simd::width) simd::store(row + j, simd::load(row + j) * factor);
  for (; j < size; ++j) row[j] *= factor;
}

Status check(TensorView<const float, 3> query, TensorView<const float, 3> key,
             TensorView<const float, 3> value, const AttentionOptions& options, TensorView<float, 3> out,
             TensorView<float, 3> weights, TensorView<float, 1> scratch) noexcept {
  const auto [q_len, n_heads, head_dim] = query.shape;
  const auto [kv_len, n_kv_heads, key_dim] = key.shape;
  if (key_dim != head_dim) return bad_shape("key", static_cast<double>(key_dim), "the head_dim of query");
  if (n_kv_heads == 0 || n_heads % n_kv_heads != 0) {
    return bad_shape("key", static_cast<double>(n_kv_heads), "a number of heads that divides n_heads");
  }
  if (value.shape[0] != kv_len) {
    return bad_shape("value", static_cast<double>(value.shape[0]), "as many rows as key");
  }
  if (value.shape[1] != n_kv_heads) {
    return bad_shape("value", static_cast<double>(value.shape[1]), "as many heads as key");
  }
  if (out.shape != std::array{q_len, n_heads, value.shape[2]}) {
    return bad_shape("out", static_cast<double>(out.size()), "[q_len, n_heads, v_head_dim]");
  }
  if (!weights.empty() && weights.shape != std::array{n_heads, q_len, kv_len}) {
    return bad_shape("weights", static_cast<double>(weights.size()), "[n_heads, q_len, kv_len], or empty");
  }
  if (weights.empty() && scratch.size() < attention_scratch_size(kv_len)) {
    return bad_shape("scratch", static_cast<double>(scratch.size()),
                     "at least attention_scratch_size(kv_len)");
  }
  if (!std::isfinite(options.softmax_scale)) {
    return bad_value("softmax_scale", static_cast<double>(options.softmax_scale), "a finite number");
  }
  return {};
}

}  // namespace

Status attention(TensorView<const float, 3> query, TensorView<const float, 3> key,
                 TensorView<const float, 3> value, const AttentionOptions& options, TensorView<float, 3> out,
                 TensorView<float, 3> weights, TensorView<float, 1> scratch) noexcept {
  if (const Status status = check(query, key, value, options, out, weights, scratch); !status.ok())
    return status;
  const auto [q_len, n_heads, head_dim] = query.shape;
  const auto [kv_len, n_kv_heads, v_head_dim] = value.shape;
  const std::size_t group_size = n_heads / n_kv_heads;
  for (std::size_t h = 0; h < n_heads; ++h) {
    const std::size_t kv_head = h / group_size;
    const Rows<const float> queries{query.row(0u, h), n_heads * head_dim};
    const Rows<const float> keys{key.row(0u, kv_head), n_kv_heads * head_dim};
    const Rows<const float> values{value.row(0u, kv_head), n_kv_heads * v_head_dim};
    const Rows<float> outs{out.row(0u, h), n_heads * v_head_dim};
    for (std::size_t first = 0; first < q_len; first += block_rows) {
      const std::size_t rows = std::min(block_rows, q_len - first);
      // The last row of the block sees most, the first one least.
      const std::size_t seen_by_last = visible_keys(first + rows - 1, kv_len, options);
      const std::size_t seen_by_all = visible_keys(first, kv_len, options);
      const Rows<float> block{weights.empty() ? scratch.data : weights.row(h, first), kv_len};

      // 1. Scores [rows, seen_by_last].
      multiply_transposed(queries.from(first), keys, options.softmax_scale, block, rows, seen_by_last,
                          head_dim);

      // 2. Weights: each row over the keys that it sees, zeros after them.
      for (std::size_t r = 0; r < rows; ++r) {
        const std::size_t seen = visible_keys(first + r, kv_len, options);
        softmax(block[r], seen);
        std::fill(block[r] + seen, block[r] + kv_len, 0.0f);
      }

      // 3. Values: the keys that all rows see as one product, then each row's own last ones. Multiplying the others
      // by their zeros would do for numbers, but zero times an infinity is NaN.
      multiply(Rows<const float>{block.data, kv_len}, values, outs.from(first), rows, v_head_dim, seen_by_all,
               false);
      for (std::size_t r = 0; r < rows; ++r) {
        const std::size_t seen = visible_keys(first + r, kv_len, options);
        multiply({block[r] + seen_by_all, kv_len}, values.from(seen_by_all), outs.from(first + r), 1,
                 v_head_dim, seen - seen_by_all, true);
      }
    }
  }
  return {};
}

}  // namespace ropewalk

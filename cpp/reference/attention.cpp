#include "reference/attention.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

namespace ropewalk::reference {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// e^score over their sum. -inf stands for a key that is not seen, and weighs nothing.
std::vector<double> softmax(const std::vector<double>& scores) {
  double maximum = -infinity;
  for (const double score : scores) maximum = std::max(maximum, score);
  // The same number off every score leaves the quotient as it is, and keeps e^score from overflowing.
  const double shift = maximum == -infinity ? 0 : maximum;

  std::vector<double> weights;
  double sum = 0;
  for (const double score : scores) {
    weights.push_back(std::exp(score - shift));
    sum += weights.back();
  }
  for (double& weight : weights) weight = sum == 0 ? 0 : weight / sum;
  return weights;
}

/// Where [batch or 1, n_heads or 1, q_len or 1, kv] has the element for key j, which it must be long enough for.
std::size_t broadcast_index(const std::array<std::size_t, 4>& extents, std::size_t b, std::size_t head,
                            std::size_t i, std::size_t j) {
  const std::array<std::size_t, 4> index = {extents[0] == 1 ? 0 : b, extents[1] == 1 ? 0 : head,
                                            extents[2] == 1 ? 0 : i, j};
  return ((index[0] * extents[1] + index[1]) * extents[2] + index[2]) * extents[3] + index[3];
}

double bias_of(std::size_t b, std::size_t head, std::size_t i, std::size_t j,
               const AttentionOptions& options) {
  const auto& bias = options.bias;
  if (bias.data == nullptr) return 0;
  if (j >= bias.shape[3]) return -infinity;
  return bias.data[broadcast_index(bias.shape, b, head, i, j)];
}

}  // namespace

bool sees(std::size_t b, std::size_t head, std::size_t i, std::size_t j, const AttentionShape& shape,
          const AttentionOptions& options) {
  const auto key = static_cast<std::int64_t>(j);
  std::int64_t position = static_cast<std::int64_t>(i) + options.query_offset;
  if (options.kv_lens.data != nullptr) {
    const std::int64_t kv_len = options.kv_lens.data[b];
    if (key >= kv_len) return false;
    position = static_cast<std::int64_t>(i) + kv_len - static_cast<std::int64_t>(shape.q_len);
  }
  if (options.causal && key > position) return false;
  if (options.left_window_size >= 0 && key < position - options.left_window_size) return false;
  if (options.right_window_size >= 0 && key > position + options.right_window_size) return false;
  if (const auto& mask = options.mask; mask.data != nullptr) {
    if (j >= mask.shape[3]) return false;
    if (mask.data[broadcast_index(mask.shape, b, head, i, j)] == 0) return false;
  }
  return bias_of(b, head, i, j, options) != -infinity;
}

AttentionResult attention(std::span<const double> query, std::span<const double> key,
                          std::span<const double> value, const AttentionShape& shape,
                          const AttentionOptions& options) {
  const auto [batch, q_len, kv_len, n_heads, n_kv_heads, head_dim, v_head_dim] = shape;
  const double softcap = options.softcap;
  AttentionResult result;
  result.out.resize(batch * q_len * n_heads * v_head_dim);
  result.weights.resize(batch * n_heads * q_len * kv_len);
  result.scores.resize(batch * n_heads * q_len * kv_len);

  for (std::size_t b = 0; b < batch; ++b) {
    for (std::size_t head = 0; head < n_heads; ++head) {
      const std::size_t kv_head = head / (n_heads / n_kv_heads);
      for (std::size_t i = 0; i < q_len; ++i) {
        const std::size_t query_row = (b * q_len + i) * n_heads + head;
        const std::size_t square_row = (b * n_heads + head) * q_len + i;

        std::vector<double> masked;
        for (std::size_t j = 0; j < kv_len; ++j) {
          const std::size_t key_row = (b * kv_len + j) * n_kv_heads + kv_head;
          double dot = 0;
          for (std::size_t c = 0; c < head_dim; ++c) {
            dot += query[query_row * head_dim + c] * key[key_row * head_dim + c];
          }
          const double raw = options.softmax_scale * dot;
          const double capped = softcap == 0 ? raw : softcap * std::tanh(raw / softcap);
          const bool seen = sees(b, head, i, j, shape, options);
          masked.push_back(seen ? capped + bias_of(b, head, i, j, options) : -infinity);

          double& score = result.scores[square_row * kv_len + j];
          if (options.score_stage == ScoreStage::raw) score = raw;
          if (options.score_stage == ScoreStage::softcapped) score = capped;
          if (options.score_stage == ScoreStage::masked) score = masked.back();
        }

        const std::vector<double> weights = softmax(masked);
        for (std::size_t j = 0; j < kv_len; ++j) {
          if (!sees(b, head, i, j, shape, options)) continue;
          const std::size_t value_row = (b * kv_len + j) * n_kv_heads + kv_head;
          result.weights[square_row * kv_len + j] = weights[j];
          for (std::size_t c = 0; c < v_head_dim; ++c) {
            result.out[query_row * v_head_dim + c] += weights[j] * value[value_row * v_head_dim + c];
          }
        }
      }
    }
  }
  return result;
}

}  // namespace ropewalk::reference

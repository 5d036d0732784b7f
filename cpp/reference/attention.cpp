#include "reference/attention.hpp"

#include <algorithm>
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

}  // namespace

bool sees(std::size_t i, std::size_t j, const AttentionOptions& options) {
  return !options.causal ||
         static_cast<std::int64_t>(j) <= static_cast<std::int64_t>(i) + options.causal_offset;
}

AttentionResult attention(std::span<const double> query, std::span<const double> key,
                          std::span<const double> value, const AttentionShape& shape,
                          const AttentionOptions& options) {
  const auto [q_len, kv_len, n_heads, n_kv_heads, head_dim, v_head_dim] = shape;
  AttentionResult result;
  result.out.resize(q_len * n_heads * v_head_dim);
  result.weights.resize(n_heads * q_len * kv_len);

  for (std::size_t head = 0; head < n_heads; ++head) {
    const std::size_t kv_head = head / (n_heads / n_kv_heads);
    for (std::size_t i = 0; i < q_len; ++i) {
      std::size_t n_seen = 0;
      while (n_seen < kv_len && sees(i, n_seen, options)) ++n_seen;

      std::vector<double> scores;
      for (std::size_t j = 0; j < n_seen; ++j) {
        double dot = 0;
        for (std::size_t c = 0; c < head_dim; ++c) {
          dot += query[(i * n_heads + head) * head_dim + c] * key[(j * n_kv_heads + kv_head) * head_dim + c];
        }
        scores.push_back(options.softmax_scale * dot);
      }

      const std::vector<double> weights = softmax(scores);
      for (std::size_t j = 0; j < n_seen; ++j) {
        result.weights[(head * q_len + i) * kv_len + j] = weights[j];
        for (std::size_t c = 0; c < v_head_dim; ++c) {
          result.out[(i * n_heads + head) * v_head_dim + c] +=
              weights[j] * value[(j * n_kv_heads + kv_head) * v_head_dim + c];
        }
      }
    }
  }
  return result;
}

}  // namespace ropewalk::reference

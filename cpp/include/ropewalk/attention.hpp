#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "ropewalk/bfloat16.hpp"
#include "ropewalk/kv_cache.hpp"
#include "ropewalk/status.hpp"
#include "ropewalk/tensor_view.hpp"

namespace ropewalk {

/// What `scores` of attention() holds: softmax_scale * query · key; that after the softcap; or that with the bias added
/// and -inf for every key that is not seen. The fourth stage, after the softmax, is `weights`.
enum class ScoreStage : std::uint8_t { raw, softcapped, masked };

struct AttentionOptions {
  /// Query i stands at p = i + query_offset among the keys: 0 when queries and keys begin together, the number of
  /// cached keys when the queries follow them. With kv_lens it is p = i + kv_lens[b] - q_len instead: the queries are the
  /// last ones. p may be negative.
  std::int32_t query_offset = 0;
  /// Whether a query sees only the keys j <= p.
  bool causal = false;
  /// Whether a query sees only the keys p - left_window_size <= j <= p + right_window_size, causal or not; a negative
  /// size is no limit. Mistral's sliding_window of w is a left_window_size of w - 1.
  std::int32_t left_window_size = -1;
  std::int32_t right_window_size = -1;
  /// Multiplies query · key; 1/sqrt(head_dim) in the paper; finite.
  float softmax_scale = 1;
  /// Scores become softcap * tanh(score / softcap) (Gemma 2, arXiv:2408.00118, section 2), unless it is 0; finite, >= 0.
  float softcap = 0;
  /// [batch], the keys that each sequence has, from 0 to kv_len; or empty, when all have kv_len.
  TensorView<const std::int32_t, 1> kv_lens{};
  /// [batch or 1, n_heads or 1, q_len or 1, at most kv_len], not 0 where the key is seen; keys past its end are not.
  /// Empty when all are.
  TensorView<const std::uint8_t, 4> mask{};
  /// [batch or 1, n_heads or 1, q_len or 1, at most kv_len], added to the scores: ALiBi, T5's buckets, or an additive
  /// mask. -inf is a key that is not seen, and so are the keys past its end. Empty when there is none.
  TensorView<const float, 4> bias{};
  ScoreStage score_stage = ScoreStage::masked;
};

/// Keys or values: in rows of floats, or in the panels of a cache, which are of floats or of bfloat16.
struct KeptHeads {
  KeptHeads(const HeadsView<const float>& rows) noexcept
      : floats(rows.data),
        batch(rows.batch),
        len(rows.len),
        n_heads(rows.n_heads),
        head_dim(rows.head_dim),
        batch_stride(rows.batch_stride),
        head_stride(rows.head_stride),
        row_stride(rows.row_stride) {}
  KeptHeads(const HeadsView<float>& rows) noexcept : KeptHeads(HeadsView<const float>(rows)) {}

  /// The first `len` tokens of a cache.
  template <class Element>
  static KeptHeads keys(const CachedHeads<Element>& cache, std::size_t len) noexcept {
    return KeptHeads(cache, len, cache.columns, cache.depth);
  }
  template <class Element>
  static KeptHeads values(const CachedHeads<Element>& cache, std::size_t len) noexcept {
    return KeptHeads(cache, len, cache.depth, cache.columns);
  }

  bool in_panels() const noexcept { return panel_size != 0; }

  const float* floats = nullptr;  ///< or null, where they are
  const BFloat16* halves = nullptr;
  std::size_t batch;
  std::size_t len;
  std::size_t n_heads;
  std::size_t head_dim;
  std::size_t batch_stride;
  std::size_t head_stride;
  std::size_t row_stride = 0;  ///< of rows
  std::size_t panel_size = 0;  ///< of panels
  std::size_t capacity = 0;    ///< of panels, tokens that there is room for

 private:
  template <class Element>
  KeptHeads(const CachedHeads<Element>& cache, std::size_t kept, std::size_t room, std::size_t dim) noexcept
      : batch(cache.batch),
        len(kept),
        n_heads(cache.n_heads),
        head_dim(dim),
        batch_stride(cache.n_heads * cache.head_size()),
        head_stride(cache.head_size()),
        panel_size(cache.panel_size()),
        capacity(room) {
    if constexpr (std::is_same_v<Element, BFloat16>) {
      halves = cache.data;
    } else {
      floats = cache.data;
    }
  }
};

/// What the size of attention()'s scratch depends on.
struct AttentionExtents {
  std::size_t q_len = 0;
  std::size_t kv_len = 0;
  std::size_t n_heads = 0;
  std::size_t n_kv_heads = 0;  ///< divides n_heads
  std::size_t head_dim = 0;
  std::size_t v_head_dim = 0;
  bool with_weights = false;
  bool in_panels = false;  ///< whether keys and values are those of a cache
};

/// Floats of scratch that attention() needs: in proportion to kv_len, however many the queries are.
std::uint64_t attention_scratch_size(const AttentionExtents& extents) noexcept;

/// Scaled dot-product attention (arXiv:1706.03762, eq. 1) over heads, as ONNX Attention-24 defines it; grouped queries
/// (arXiv:2305.13245) share a key and value head: kv_head = head / (n_heads / n_kv_heads).
///
///     score = softcap(softmax_scale * query · key) + bias, seen keys alone;  weights = softmax(score);  out = weights · value
///
/// query     [batch, q_len, n_heads, head_dim], in either format, as all heads here
/// key       [batch, kv_len, n_kv_heads, head_dim], in rows, or keys of a cache
/// value     [batch, kv_len, n_kv_heads, v_head_dim], as key
/// out       [batch, q_len, n_heads, v_head_dim]
/// weights   [batch, n_heads, q_len, kv_len], the rows of the softmax; or empty when not asked for.
/// scores    [batch, n_heads, q_len, kv_len], at options.score_stage; or empty when not asked for.
/// scratch   [attention_scratch_size()] or more.
/// Errors    bad_shape: sizes that disagree, or n_heads not a multiple of n_kv_heads. bad_value: softmax_scale, softcap,
///           kv_lens. out, weights, scores and scratch are untouched.
/// Memory    none allocated; out, weights, scores and scratch overlap nothing.
/// Numerics  the row's maximum is subtracted before exp. A row that sees no key, or whose every score is -inf, is
///           zero in out and weights, never NaN. A key that is not seen is never read into a sum, so what key and value
///           hold there cannot leak (but `raw` and `softcapped` scores show every key). A NaN or +inf in a visible score
///           makes the visible weights of its row, and the row of out, NaN.
/// Accuracy  where softmax_scale * sum |query_c key_c| <= 2^4, at worst |weight error| <= (head_dim + 32) * 2^-23 +
///           kv_len * 2^-26 and |out error| <= ((head_dim + 32) * 2^-22 + kv_len * 2^-23) * max |value|; on components
///           drawn at random 2^-19 and 2^-19 * max |value|, tests/cpp/attention_test.cpp.
[[nodiscard]] Status attention(HeadsView<const float> query, KeptHeads key, KeptHeads value,
                               const AttentionOptions& options, HeadsView<float> out,
                               TensorView<float, 4> weights, TensorView<float, 4> scores,
                               TensorView<float, 1> scratch) noexcept;
}  // namespace ropewalk

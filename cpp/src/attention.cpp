#include "ropewalk/attention.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>

#include "exp.hpp"
#include "matmul.hpp"
#include "panels.hpp"
#include "ropewalk/parallel.hpp"
#include "simd.hpp"

// Attention over tiles of keys with a running softmax (arXiv:1805.02867; in tiles, arXiv:2205.14135): the matrix of
// scores is never whole, unless its weights are asked for. A block of queries goes over the keys tile by tile: its
// scores, the weights that come of them, and the sum of values.
//
// What was tried, on 8 heads of 64, 1,024 queries and keys, Node 24, two cores of a Zen 4 at 3.5 GHz; GFLOP/s of what
// registers alone reach with relaxed SIMD, 52 to 56 (SIMD128: 45):
//   whole rows of scores, keys and values as they lie         26
//   panels, tiles of 64 keys                                  34 to 37  SIMD128 31 to 35
//   exp of four vectors at once, constants from memory        39 to 43          34 to 39
//   6 x 2 accumulators where multiply-add is one instruction  40 to 42; their scale kept in a register, which spills: 28
//   the products functions of their own                       42 to 43 (35 to 38 inlined by the linker)
//   tiles of 128 and 256 keys                                 2 % and 3 % more
//   a panel for all rows before the next, or rows first       no difference
// And where keys lie as they came, milliseconds:
//   1 query on 4,096, head by head                            1.0 to 1.1 where heads lie side by side, else 0.5 to 0.6
//   slices of 32 keys for all heads, as they lie in memory    0.65 to 0.7, else slower (16 or 64: up to 0.1 more)
//   each row to its end, values by eight rows                 no better, and a fifth slower where all is near
//   a load of each line 16 rows ahead, for want of a prefetch no difference
//   panels of 32 columns, each head's front to back           0.37, of bfloat16 0.26 (rows: 0.57 and 0.35, there)
//   16 queries on 4,096 latents in groups of 6, as 4 + 1 + 1  3.9
//   groups of 6, tiles of 6 x 2; groups of 4, tiles of 4 x 2  4.3; 3.5
namespace ropewalk {
namespace {

using simd::Vector;

/// Queries of a block, which goes over the keys once: what is read of them serves all of its queries.
constexpr std::size_t block_rows = 4 * panel_rows;
/// Keys of a tile. Their panels and the block's scores stay in the nearest cache.
constexpr std::size_t tile_keys = 256;
/// Where heads lie side by side, their keys and values are read by so many at a time, for all rows of a block: in the order
/// of memory.
constexpr std::size_t slice_keys = 32;
/// From this many queries of a key head on its keys and values are laid out as panels first; below, that is not repaid.
constexpr std::size_t packing_rows = 32;

constexpr float lowest = -std::numeric_limits<float>::infinity();

/// From the first key to the last one and one further.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;

  constexpr std::size_t size() const noexcept { return end - begin; }
  constexpr bool empty() const noexcept { return begin == end; }

  /// The part of it that lies in the other: within its own bounds, even where there is none.
  constexpr Span operator&(Span other) const noexcept {
    const std::size_t from = std::clamp(other.begin, begin, end);
    return {from, std::clamp(other.end, from, end)};
  }

  /// The narrowest that holds both.
  constexpr Span operator|(Span other) const noexcept {
    if (empty()) return other;
    if (other.empty()) return *this;
    return {std::min(begin, other.begin), std::max(end, other.end)};
  }
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

/// Scores of `part` to what the softmax takes: with the bias, and -inf for what is not seen, whatever its score was.
/// `row` begins with the score of key part.begin.
void mask_and_bias(float* row, Span part, const SeenKeys& seen) noexcept {
  const Span visible = part & seen.span;
  if (visible.size() == part.size() && !seen.has_gaps()) return;
  std::fill(row, row + (visible.begin - part.begin), lowest);
  std::fill(row + (visible.end - part.begin), row + part.size(), lowest);
  if (!seen.has_gaps()) return;
  for (std::size_t j = visible.begin; j < visible.end; ++j) {
    float& score = row[j - part.begin];
    if (seen.in_gap(j)) {
      score = lowest;
    } else if (seen.bias != nullptr) {
      score += seen.bias[j];
    }
  }
}

/// The softmax of a query over the keys so far.
struct Running {
  float maximum = lowest;
  float sum = 0;

  /// What is subtracted from scores. -inf minus -inf is NaN; from any finite origin exp gives the zero that is meant
  /// (and NaN scores stay NaN).
  float origin() const noexcept { return maximum == lowest ? 0.0f : maximum; }

  /// What weights from another origin are to be multiplied by, once all keys are in.
  float normalization(float from) const noexcept {
    if (sum == 0) return 0;
    return (from == origin() ? 1.0f : simd::exp(simd::Vector(from - origin())).get(0)) / sum;
  }

  /// Scores of further keys to their weights, in place, before the division by the sum. What was summed up before is
  /// to be multiplied by the answer.
  [[gnu::noinline]] float add(float* row, std::size_t size) noexcept {
    constexpr std::size_t stride = 4 * simd::width;
    std::size_t j = 0;
    Vector largest[2] = {Vector(maximum), Vector(maximum)};
    for (; j + stride <= size; j += stride) {
      for (std::size_t i = 0; i < 4; ++i) {
        largest[i % 2] = xsimd::max(largest[i % 2], simd::load(row + j + i * simd::width));
      }
    }
    for (; j < size; j += simd::width) {
      largest[0] = xsimd::max(largest[0], simd::load_up_to(row + j, size - j, lowest));
    }
    const float before = maximum;
    maximum = xsimd::reduce_max(xsimd::max(largest[0], largest[1]));
    const Vector origin(this->origin());
    Vector sums(0.0f);
    for (j = 0; j + stride <= size; j += stride) {
      Vector weights[4];
      for (std::size_t i = 0; i < 4; ++i) weights[i] = simd::load(row + j + i * simd::width) - origin;
      simd::exp(weights);
      for (std::size_t i = 0; i < 4; ++i) {
        simd::store(row + j + i * simd::width, weights[i]);
        sums += weights[i];
      }
    }
    for (; j < size; j += simd::width) {
      const Vector weights = simd::exp(simd::load_up_to(row + j, size - j, lowest) - origin);
      simd::store_up_to(row + j, weights, size - j);
      sums += weights;
    }
    // Before the first key that counts all sums are zero, which may as well stay as they are.
    const bool stays = before == maximum || before == lowest;
    const float factor = stays ? 1.0f : simd::exp(Vector(before) - origin).get(0);
    sum = sum * factor + xsimd::reduce_add(sums);
    return factor;
  }
};

/// to = factor * from, which may be the same.
void scale(const float* from, std::size_t size, float factor, float* to) noexcept {
  std::size_t c = 0;
  for (; c + simd::width <= size; c += simd::width)
    simd::store(to + c, simd::load(from + c) * Vector(factor));
  for (; c < size; ++c) to[c] = from[c] * factor;
}

/// Queries of a block that are multiplied together, and what they need of a tile of keys: from the first key that any
/// of them sees, or the panel that it is in, to the last one.
struct Group {
  std::size_t first = 0;  ///< of the block's rows
  std::size_t rows = 0;
  std::size_t kv_head = 0;
  Span keys;
};

/// Those of one head of sequence b, in rows.
Rows<const float> rows_of(const KeptHeads& heads, std::size_t b, std::size_t kv_head) noexcept {
  return {heads.floats + b * heads.batch_stride + kv_head * heads.head_stride, heads.row_stride};
}

/// The panel that has column `column` of that head of a cache.
CachedPanel panel_of(const KeptHeads& heads, std::size_t b, std::size_t kv_head,
                     std::size_t column) noexcept {
  return CachedPanel{heads.floats, heads.halves}.from(b * heads.batch_stride + kv_head * heads.head_stride +
                                                      column / cached_columns * heads.panel_size);
}

/// A call's tensors, and what is to be done with them.
struct Call {
  AttentionExtents extents;
  HeadsView<const float> query;
  KeptHeads key;
  KeptHeads value;
  const AttentionOptions& options;
  HeadsView<float> out;
  TensorView<float, 4> weights;
  TensorView<float, 4> scores;
  TensorView<float, 1> scratch;
};

constexpr std::size_t n_tiles(const AttentionExtents& extents) noexcept {
  return (extents.kv_len + tile_keys - 1) / tile_keys;
}

/// Whether keys and values are laid out as panels first. Those of a cache are already.
constexpr bool packs(const AttentionExtents& extents) noexcept {
  return !extents.in_panels && extents.n_kv_heads != 0 &&
         extents.q_len * (extents.n_heads / extents.n_kv_heads) >= packing_rows;
}

/// What a block of queries has of the scratch, from `data` on.
struct Scratch {
  Scratch(const AttentionExtents& extents, float* data) noexcept
      : queries{data, extents.head_dim},
        sums{data + block_rows * queries.stride, whole_panels(extents.v_head_dim)},
        tile{sums.data + block_rows * sums.stride, extents.with_weights ? n_tiles(extents) : tile_keys} {}

  static constexpr std::uint64_t size(const AttentionExtents& extents) noexcept {
    return block_rows * (extents.head_dim + whole_panels<std::uint64_t>(extents.v_head_dim) +
                         (extents.with_weights ? n_tiles(extents) : tile_keys));
  }

  Rows<float> queries;  ///< [block_rows, head_dim]
  Rows<float> sums;     ///< [block_rows, v_head_dim], rounded up to whole panels: weights · value so far
  /// [block_rows, tile_keys]. Where the weights' own memory serves for it, [block_rows, n_tiles]: from which origin each
  /// tile's weights are.
  Rows<float> tile;
};

/// Keys and values of one sequence.
class KeysAndValues {
 public:
  KeysAndValues(const Call& call, std::size_t b) noexcept : call_(call), b_(b) {}

  /// Lay those of one head out as panels: from here on all groups are to be of that head.
  void pack(std::size_t kv_head, float* panels) noexcept {
    const std::size_t kv_len = call_.extents.kv_len;
    const std::size_t head_dim = call_.extents.head_dim;
    const std::size_t v_head_dim = call_.extents.v_head_dim;
    float* const value_panels = panels + whole_panels(kv_len) * head_dim;
    parallel_for(2, [&](std::size_t i, std::size_t) noexcept {
      if (i == 0) pack_transposed(rows_of(call_.key, b_, kv_head), kv_len, head_dim, panels);
      if (i == 1) {
        all_finite_ = ropewalk::pack(rows_of(call_.value, b_, kv_head), kv_len, v_head_dim, value_panels);
      }
    });
    key_panels_ = panels;
    value_panels_ = value_panels;
  }

  bool is_packed() const noexcept { return key_panels_ != nullptr; }

  /// Floats of panels.
  static constexpr std::uint64_t panels_size(std::uint64_t kv_len, std::uint64_t head_dim,
                                             std::uint64_t v_head_dim) noexcept {
    return whole_panels(kv_len) * head_dim + kv_len * whole_panels(v_head_dim);
  }

  /// Scores of each group for its keys. The scores' first column is that of key `tile.begin`.
  void scores(std::span<const Group> groups, const Scratch& room, Span tile,
              Rows<float> scores) const noexcept {
    const std::size_t head_dim = call_.extents.head_dim;
    const float softmax_scale = call_.options.softmax_scale;
    if (call_.extents.in_panels) {
      for (const Group& group : groups) {
        // Keys of a panel that are past its group's are multiplied too, but not written past the row.
        for (std::size_t j = group.keys.begin / cached_columns * cached_columns; j < group.keys.end;
             j += cached_columns) {
          multiply_cached(room.queries.from(group.first), panel_of(call_.key, b_, group.kv_head, j),
                          softmax_scale, scores.from(group.first).columns(j - tile.begin), group.rows,
                          std::min(cached_columns, call_.extents.kv_len - j), head_dim);
        }
      }
      return;
    }
    if (!is_packed()) {
      by_slices(call_.key, groups, tile, [&](const Group& group, Span keys) noexcept {
        multiply_transposed(room.queries.from(group.first),
                            rows_of(call_.key, b_, group.kv_head).from(keys.begin), softmax_scale,
                            scores.from(group.first).columns(keys.begin - tile.begin), group.rows,
                            keys.size(), head_dim);
      });
      return;
    }
    // A panel serves all groups while it is near.
    for (std::size_t j = tile.begin; j < tile.end; j += panel_width) {
      for (const Group& group : groups) {
        if (j < group.keys.begin || j >= group.keys.end) continue;
        multiply_panel(room.queries.from(group.first), key_panels_ + j * head_dim, softmax_scale,
                       scores.from(group.first).columns(j - tile.begin), group.rows, group.keys.end - j,
                       head_dim);
      }
    }
  }

  /// room.sums += weights · value over the keys of each group; `seen` is what each row sees.
  void add_values(std::span<const Group> groups, const Scratch& room, Span tile, const SeenKeys* seen,
                  Rows<const float> weights) const noexcept {
    const std::size_t v_head_dim = call_.extents.v_head_dim;
    if (!is_packed()) {
      by_slices(call_.value, groups, tile, [&](const Group& group, Span keys) noexcept {
        by_runs(
            seen + group.first, group.rows, keys, [&](std::size_t r, std::size_t rows, Span run) noexcept {
              const Rows<const float> of_run = weights.from(group.first + r).columns(run.begin - tile.begin);
              const Rows<float> sums = room.sums.from(group.first + r);
              if (!call_.extents.in_panels) {
                const Rows<const float> values = rows_of(call_.value, b_, group.kv_head).from(run.begin);
                add_product(of_run, values, sums, rows, v_head_dim, run.size());
                return;
              }
              for (std::size_t c = 0; c < v_head_dim; c += cached_columns) {
                add_cached_product(
                    of_run, panel_of(call_.value, b_, group.kv_head, c).from(run.begin * cached_columns),
                    sums.columns(c), rows, std::min(cached_columns, v_head_dim - c), run.size());
              }
            });
      });
      return;
    }
    for (std::size_t c = 0; c < v_head_dim; c += panel_width) {
      for (const Group& group : groups) {
        add_panel_product(weights.from(group.first).columns(group.keys.begin - tile.begin),
                          value_panels_ + c * call_.extents.kv_len + group.keys.begin * panel_width,
                          room.sums.from(group.first).columns(c), group.rows, group.keys.size());
      }
    }
    if (all_finite_) return;
    for (const Group& group : groups) {
      add_what_is_not_finite(weights.from(group.first).columns(group.keys.begin - tile.begin),
                             seen + group.first, group, room);
    }
  }

 private:
  /// `multiply` for each group; for one slice of the tile after the other, if `heads` lie side by side.
  template <class Multiply>
  static void by_slices(const KeptHeads& heads, std::span<const Group> groups, Span tile,
                        Multiply&& multiply) noexcept {
    const std::size_t size = heads.head_stride < heads.row_stride ? slice_keys : tile_keys;
    for (std::size_t j = tile.begin; j < tile.end; j += size) {
      for (const Group& group : groups) {
        const Span keys = group.keys & Span{j, j + size};
        if (!keys.empty()) multiply(group, keys);
      }
    }
  }

  /// `multiply` run by run of keys that the same rows see. Multiplying the others by their zeros would do for numbers, but
  /// zero times an infinity is NaN.
  template <class Multiply>
  static void by_runs(const SeenKeys* seen, std::size_t rows, Span keys, Multiply&& multiply) noexcept {
    std::array<bool, tile_rows> sees{};
    std::array<std::size_t, tile_rows> until;
    until.fill(keys.begin);
    std::size_t next = keys.end;
    for (std::size_t j = keys.begin; j < keys.end; j = next) {
      next = keys.end;
      std::size_t n_seeing = 0;
      for (std::size_t r = 0; r < rows; ++r) {
        if (until[r] == j) {
          sees[r] = seen[r](j);
          until[r] = seen[r].run_end(j, keys.end);
        }
        next = std::min(next, until[r]);
        n_seeing += sees[r] ? 1 : 0;
      }
      // All rows as one product, or else each that sees the run by itself.
      const std::size_t together = n_seeing == rows ? rows : 1;
      for (std::size_t r = 0; r < rows; r += together) {
        if (sees[r]) multiply(r, together, Span{j, next});
      }
    }
  }

  /// The rows that pack() left out, for the queries that see them.
  void add_what_is_not_finite(Rows<const float> weights, const SeenKeys* seen, const Group& group,
                              const Scratch& room) const noexcept {
    const std::size_t v_head_dim = call_.extents.v_head_dim;
    const Rows<const float> values = rows_of(call_.value, b_, group.kv_head);
    const Rows<float> sums = room.sums.from(group.first);
    for (std::size_t j = group.keys.begin; j < group.keys.end; ++j) {
      if (is_finite(values[j], v_head_dim)) continue;
      for (std::size_t r = 0; r < group.rows; ++r) {
        if (!seen[r](j)) continue;
        add_product(weights.from(r).columns(j - group.keys.begin), values.from(j), sums.from(r), 1,
                    v_head_dim, 1);
      }
    }
  }

  const Call& call_;
  std::size_t b_;
  const float* key_panels_ = nullptr;
  const float* value_panels_ = nullptr;
  bool all_finite_ = true;
};

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

Status check(const Call& call) noexcept {
  const auto& [extents, query, key, value, options, out, weights, scores, scratch] = call;
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
  // Of rows the capacity is 0.
  if (value.len != kv_len || value.capacity != key.capacity) {
    return bad_shape("value", static_cast<double>(value.len), "as many rows as key");
  }
  if (key.in_panels() && kv_len > key.capacity) {
    return bad_shape("key", static_cast<double>(kv_len), "from 1 to as many rows as it has room for");
  }
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
  if (scratch.size() < attention_scratch_size(extents)) {
    return bad_shape("scratch", static_cast<double>(scratch.size()), "at least attention_scratch_size()");
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

/// A block of queries of sequence b: these rows of all of its heads', one head after the other, as the rows of weights and
/// scores. So those that read the same keys are neighbours.
void attend(const Call& call, const KeysAndValues& attended, std::size_t b, Span block_of,
            const Scratch& room) noexcept {
  const auto& [extents, query, key, value, options, out, weights, scores, scratch] = call;
  const std::size_t q_len = query.len;
  const std::size_t kv_len = extents.kv_len;
  const std::size_t first = block_of.begin;
  const std::size_t rows = block_of.size();
  const std::size_t rows_of_keys = query.n_heads / extents.n_kv_heads * q_len;
  const std::size_t group_rows = attended.is_packed() ? panel_rows : tile_rows;
  const std::size_t head_dim = query.head_dim;
  const std::size_t v_head_dim = extents.v_head_dim;
  const bool with_weights = !weights.empty();
  const bool shows_all = !scores.empty() && options.score_stage != ScoreStage::masked;
  const auto rows_of = [&](TensorView<float, 4> square) noexcept {
    return Rows<float>{square.empty() ? nullptr : square.row(b, 0u, 0u) + first * kv_len, kv_len};
  };

  std::array<SeenKeys, block_rows> seen;
  std::array<Running, block_rows> running;
  Span keys{};
  std::fill_n(room.sums.data, rows * room.sums.stride, 0.0f);
  for (std::size_t r = 0; r < rows; ++r) {
    const std::size_t h = (first + r) / q_len;
    const std::size_t i = (first + r) % q_len;
    simd::copy(query.row(b, i, h), head_dim, room.queries[r]);
    seen[r] = seen_keys(options, b, h, i, q_len, kv_len);
    keys = keys | seen[r].span;
  }
  if (shows_all) keys = {0, kv_len};

  const Rows<float> weight_rows = rows_of(weights);
  const Rows<float> score_rows = rows_of(scores);
  if (!scores.empty() && !shows_all) {
    for (std::size_t r = 0; r < rows; ++r) std::fill_n(score_rows[r], kv_len, lowest);
  }

  // The same tiles whatever is asked for, and so the same sums.
  for (std::size_t begin = keys.begin / tile_keys * tile_keys; begin < keys.end; begin += tile_keys) {
    const Span tile{begin, std::min(begin + tile_keys, keys.end)};
    std::array<Group, block_rows> all_groups;
    std::size_t n_groups = 0;
    for (std::size_t r = 0, next = 0; r < rows; r = next) {
      const std::size_t kv_head = (first + r) / rows_of_keys;
      next = std::min({r + group_rows, rows, (kv_head + 1) * rows_of_keys - first});
      Group group{r, next - r, kv_head, {}};
      for (std::size_t i = r; i < r + group.rows; ++i) group.keys = group.keys | (tile & seen[i].span);
      group.keys.begin = group.keys.begin / panel_width * panel_width;
      if (shows_all) group.keys = tile;
      if (!group.keys.empty()) all_groups[n_groups++] = group;
    }
    const std::span<const Group> groups(all_groups.data(), n_groups);
    const Rows<float> block = with_weights ? weight_rows.columns(begin) : room.tile;

    // 1. Scores.
    attended.scores(groups, room, tile, block);

    // 2. Weights, and what they make of the sums before them.
    for (const Group& group : groups) {
      for (std::size_t r = group.first; r < group.first + group.rows; ++r) {
        float* const row = block[r] + (group.keys.begin - begin);
        const std::size_t size = group.keys.size();
        const auto show = [&](ScoreStage stage) noexcept {
          if (scores.empty() || options.score_stage != stage) return;
          std::copy_n(row, size, score_rows[r] + group.keys.begin);
        };
        show(ScoreStage::raw);
        if (options.softcap != 0) cap(row, size, options.softcap);
        show(ScoreStage::softcapped);
        mask_and_bias(row, group.keys, seen[r]);
        show(ScoreStage::masked);
        const float factor = running[r].add(row, size);
        if (with_weights) room.tile[r][begin / tile_keys] = running[r].origin();
        if (factor != 1) scale(room.sums[r], v_head_dim, factor, room.sums[r]);
      }
    }

    // 3. Values.
    attended.add_values(groups, room, tile, seen.data(), block);
  }

  // Each row over the sum of its weights; one that weighs nothing is zero.
  for (std::size_t r = 0; r < rows; ++r) {
    float* const to = out.row(b, (first + r) % q_len, (first + r) / q_len);
    if (running[r].sum == 0) {
      std::fill_n(to, v_head_dim, 0.0f);
    } else {
      scale(room.sums[r], v_head_dim, 1 / running[r].sum, to);
    }
    if (!with_weights) continue;
    float* const row = weight_rows[r];
    const Span span = seen[r].span;
    std::fill_n(row, span.begin, 0.0f);
    for (std::size_t begin = span.begin; begin < span.end;) {
      const std::size_t tile = begin / tile_keys;
      const std::size_t end = std::min((tile + 1) * tile_keys, span.end);
      scale(row + begin, end - begin, running[r].normalization(room.tile[r][tile]), row + begin);
      begin = end;
    }
    std::fill(row + span.end, row + kv_len, 0.0f);
    // What is not seen weighs zero, even where the others are NaN.
    if (!seen[r].has_gaps()) continue;
    for (std::size_t j = span.begin; j < span.end; ++j) {
      if (seen[r].in_gap(j)) row[j] = 0;
    }
  }
}

/// All blocks of queries, on as many threads as there are.
void attend_all(const Call& call) noexcept {
  const auto& [extents, query, key, value, options, out, weights, scores, scratch] = call;
  const auto thread_room = static_cast<std::size_t>(Scratch::size(extents));
  const auto room_of = [&](std::size_t thread) noexcept {
    return Scratch(extents, scratch.data + thread * thread_room);
  };

  if (!packs(extents)) {
    // All rows at once; few of them in blocks so small that there is one for each thread.
    const std::size_t n_rows = query.n_heads * query.len;
    const std::size_t share = (query.batch * n_rows + n_threads() - 1) / n_threads();
    // A cache is read head by head.
    const std::size_t rows_of_keys = query.n_heads / extents.n_kv_heads * query.len;
    const std::size_t most = extents.in_panels ? std::min(rows_of_keys, block_rows) : block_rows;
    const std::size_t size = std::clamp<std::size_t>(share, 1, most);
    const std::size_t n_blocks = (n_rows + size - 1) / size;
    parallel_for(query.batch * n_blocks, [&](std::size_t i, std::size_t thread) noexcept {
      const std::size_t first = i % n_blocks * size;
      attend(call, KeysAndValues(call, i / n_blocks), i / n_blocks, {first, std::min(first + size, n_rows)},
             room_of(thread));
    });
    return;
  }

  // One key head after the other, as there is room for the panels of one.
  float* const panels = scratch.data + n_threads() * thread_room;
  const std::size_t n_rows = query.n_heads / extents.n_kv_heads * query.len;
  const std::size_t n_blocks = (n_rows + block_rows - 1) / block_rows;
  for (std::size_t b = 0; b < query.batch; ++b) {
    KeysAndValues attended(call, b);
    for (std::size_t kv_head = 0; kv_head < extents.n_kv_heads; ++kv_head) {
      attended.pack(kv_head, panels);
      const Span rows{kv_head * n_rows, (kv_head + 1) * n_rows};
      parallel_for(n_blocks, [&](std::size_t i, std::size_t thread) noexcept {
        // Last blocks first: where a mask is causal they take the longest, and the short ones fill what time is left.
        const std::size_t first = rows.begin + (n_blocks - 1 - i) * block_rows;
        attend(call, attended, b, {first, std::min(first + block_rows, rows.end)}, room_of(thread));
      });
    }
  }
}

}  // namespace

std::uint64_t attention_scratch_size(const AttentionExtents& extents) noexcept {
  return n_threads() * Scratch::size(extents) +
         (packs(extents) ? KeysAndValues::panels_size(extents.kv_len, extents.head_dim, extents.v_head_dim)
                         : 0);
}

Status attention(HeadsView<const float> query, KeptHeads key, KeptHeads value,
                 const AttentionOptions& options, HeadsView<float> out, TensorView<float, 4> weights,
                 TensorView<float, 4> scores, TensorView<float, 1> scratch) noexcept {
  const AttentionExtents extents{query.len,      key.len,        query.n_heads,    key.n_heads,
                                 query.head_dim, value.head_dim, !weights.empty(), key.in_panels()};
  const Call call{extents, query, key, value, options, out, weights, scores, scratch};
  const Status status = check(call);
  if (status.ok()) attend_all(call);
  return status;
}

}  // namespace ropewalk

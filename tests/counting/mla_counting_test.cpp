/// mla_cost() counts by formula what mla() does. Here the products that mla.cpp calls are counted while it runs: this
/// program has its own multiply_transposed(), add_product() and attention(), which the linker takes in place of the
/// library's. They compute by plain loops, and take note of every multiply-add and of every address.

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "matmul.hpp"
#include "ropewalk/attention.hpp"
#include "ropewalk/kv_cache.hpp"
#include "ropewalk/mla.hpp"

namespace {

enum Part : std::size_t { project, expand, attend, n_parts };

/// What one part of a call has done.
struct Tally {
  double multiply_adds = 0;
  std::set<const float*> read;
  std::set<const float*> written;

  double bytes() const { return 4.0 * static_cast<double>(read.size() + written.size()); }
};

std::array<Tally, n_parts> tallies;
/// The tensors whose making is a part's own: a product is told by where its result goes.
std::set<const float*> expanded;

void note(std::set<const float*>& addresses, const float* row, std::size_t size) {
  for (std::size_t c = 0; c < size; ++c) addresses.insert(row + c);
}

Tally& tally_of(const float* out) { return tallies[expanded.contains(out) ? expand : project]; }

}  // namespace

namespace ropewalk {

void multiply_transposed(Rows<const float> a, Rows<const float> b, float scale, Rows<float> out,
                         std::size_t m, std::size_t n, std::size_t depth) noexcept {
  Tally& tally = tally_of(out[0]);
  for (std::size_t i = 0; i < m; ++i) {
    note(tally.read, a[i], depth);
    note(tally.written, out[i], n);
    for (std::size_t j = 0; j < n; ++j) {
      float sum = 0;
      for (std::size_t k = 0; k < depth; ++k) {
        sum += a[i][k] * b[j][k];
        ++tally.multiply_adds;
      }
      out[i][j] = scale * sum;
    }
  }
  for (std::size_t j = 0; j < n; ++j) note(tally.read, b[j], depth);
}

void add_product(Rows<const float> a, Rows<const float> b, Rows<float> out, std::size_t m, std::size_t n,
                 std::size_t depth) noexcept {
  Tally& tally = tally_of(out[0]);
  for (std::size_t i = 0; i < m; ++i) {
    note(tally.read, a[i], depth);
    note(tally.written, out[i], n);
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t k = 0; k < depth; ++k) {
        out[i][j] += a[i][k] * b[k][j];
        ++tally.multiply_adds;
      }
    }
  }
  for (std::size_t k = 0; k < depth; ++k) note(tally.read, b[k], n);
}

/// Of pairs that see each other alone. A latent that is key and value at once is read once.
std::uint64_t attention_scratch_size(const AttentionExtents&) noexcept { return 0; }

Status attention(HeadsView<const float> query, KeptHeads key, KeptHeads value,
                 const AttentionOptions& options, HeadsView<float> out, TensorView<float, 4>,
                 TensorView<float, 4>, TensorView<float, 1>) noexcept {
  const auto row_of = [](const KeptHeads& heads, std::size_t b, std::size_t j, std::size_t h) {
    return heads.floats + b * heads.batch_stride + j * heads.row_stride + h * heads.head_stride;
  };
  Tally& tally = tallies[attend];
  const std::size_t group_size = query.n_heads / key.n_heads;
  for (std::size_t b = 0; b < query.batch; ++b) {
    for (std::size_t h = 0; h < query.n_heads; ++h) {
      for (std::size_t i = 0; i < query.len; ++i) {
        note(tally.read, query.row(b, i, h), query.head_dim);
        note(tally.written, out.row(b, i, h), out.head_dim);
        std::vector<float> weights;
        float sum = 0;
        for (std::size_t j = 0; j < key.len; ++j) {
          if (options.causal && j > i + static_cast<std::size_t>(options.query_offset)) break;
          const float* const k = row_of(key, b, j, h / group_size);
          note(tally.read, k, key.head_dim);
          float dot = 0;
          for (std::size_t c = 0; c < key.head_dim; ++c) dot += query.row(b, i, h)[c] * k[c];
          weights.push_back(std::exp(options.softmax_scale * dot));
          sum += weights.back();
          tally.multiply_adds += static_cast<double>(key.head_dim);
        }
        float* const to = out.row(b, i, h);
        for (std::size_t c = 0; c < value.head_dim; ++c) to[c] = 0;
        for (std::size_t j = 0; j < weights.size(); ++j) {
          const float* const v = row_of(value, b, j, h / group_size);
          note(tally.read, v, value.head_dim);
          for (std::size_t c = 0; c < value.head_dim; ++c) to[c] += weights[j] / sum * v[c];
          tally.multiply_adds += static_cast<double>(value.head_dim);
        }
      }
    }
  }
  return {};
}

}  // namespace ropewalk

namespace {

using namespace ropewalk;

std::vector<float> run(const MlaShape& shape, const MlaOptions& options, const MlaExtents& extents) {
  const std::size_t tokens = extents.batch * extents.q_len;
  const auto floats = [seed = 0u](std::size_t size) mutable {
    std::vector<float> values(size);
    for (float& value : values) {
      seed = seed * 1664525u + 1013904223u;
      value = static_cast<float>(seed >> 8) * 0x1p-24f - 0.5f;
    }
    return values;
  };
  const auto view = [](std::vector<float>& values) {
    return TensorView<float, 1>{values.data(), {values.size()}};
  };
  auto fill = floats;
  const std::size_t expanded_rows = extents.batch * extents.expanded_capacity * shape.n_heads;
  std::vector<float> x = fill(tokens * shape.hidden_size);
  std::vector<float> q_a_proj = fill(shape.q_lora_rank * shape.hidden_size);
  std::vector<float> q_a_layernorm = fill(shape.q_lora_rank);
  std::vector<float> q_b_proj = fill(shape.n_heads * shape.qk_head_dim() *
                                     (shape.q_lora_rank == 0 ? shape.hidden_size : shape.q_lora_rank));
  std::vector<float> kv_a_proj = fill(shape.cached_dim() * shape.hidden_size);
  std::vector<float> kv_a_layernorm = fill(shape.kv_lora_rank);
  std::vector<float> kv_b_proj =
      fill(shape.n_heads * (shape.qk_nope_head_dim + shape.v_head_dim) * shape.kv_lora_rank);
  std::vector<float> o_proj = fill(shape.hidden_size * shape.n_heads * shape.v_head_dim);
  std::vector<float> cos = fill(extents.q_len * shape.qk_rope_head_dim / 2);
  std::vector<float> sin = fill(cos.size());
  std::vector<float> latents = fill(extents.batch * extents.latent_capacity * shape.cached_dim());
  std::vector<float> q_latent(tokens * shape.q_lora_rank);
  std::vector<float> query(tokens * shape.n_heads * shape.qk_head_dim());
  std::vector<float> key = fill(expanded_rows * shape.qk_head_dim());
  std::vector<float> value = fill(expanded_rows * shape.v_head_dim);
  std::vector<float> latent_query(tokens * shape.n_heads * shape.cached_dim());
  std::vector<float> latent_out(tokens * shape.n_heads * shape.kv_lora_rank);
  std::vector<float> heads(tokens * shape.n_heads * shape.v_head_dim);
  std::vector<float> out(tokens * shape.hidden_size);
  std::vector<float> scratch(
      mla_scratch_size(shape, options.form, extents.q_len, extents.kv_len, false, false));

  tallies = {};
  expanded.clear();
  for (const std::vector<float>* tensor : {&key, &value, &latent_query}) {
    note(expanded, tensor->data(), tensor->size());
  }
  if (options.form == MlaForm::absorbed) note(expanded, heads.data(), heads.size());
  const Status status = mla(shape, options, extents,
                            {view(x),
                             view(q_a_proj),
                             view(q_a_layernorm),
                             view(q_b_proj),
                             view(kv_a_proj),
                             view(kv_a_layernorm),
                             view(kv_b_proj),
                             view(o_proj),
                             view(cos),
                             view(sin),
                             view(latents),
                             view(q_latent),
                             view(query),
                             view(key),
                             view(value),
                             view(latent_query),
                             view(latent_out),
                             view(heads),
                             view(out),
                             {},
                             {},
                             view(scratch)});
  REQUIRE(status.ok());
  return out;
}

void require_counted(const MlaCost& cost) {
  const std::array<MlaWork, n_parts> parts = {cost.project, cost.expand, cost.attend};
  for (std::size_t part = 0; part < n_parts; ++part) {
    CAPTURE(part);
    REQUIRE(tallies[part].multiply_adds > 0);
    REQUIRE(parts[part].multiply_adds == tallies[part].multiply_adds);
    REQUIRE(parts[part].bytes == tallies[part].bytes());
  }
}

TEST_CASE("mla_cost is what the kernel's own products come to", "[mla][cost]") {
  const std::vector<MlaShape> shapes = {
      {8, 2, 6, 5, 3, 4, 7}, {8, 2, 0, 5, 3, 4, 7}, {11, 3, 4, 2, 1, 2, 5}, {5, 1, 0, 9, 6, 2, 3}};
  for (const MlaShape& shape : shapes) {
    for (const std::size_t batch : {1u, 2u}) {
      for (const auto& [q_len, kv_len] :
           std::vector<std::pair<std::size_t, std::size_t>>{{1, 1}, {1, 6}, {5, 5}, {3, 7}}) {
        for (const bool causal : {false, true}) {
          CAPTURE(shape.q_lora_rank, batch, q_len, kv_len, causal);
          const auto cost = [&](MlaForm form, CacheKind cached) {
            return mla_cost(shape, form, cached, batch, q_len, kv_len, causal);
          };
          const MlaOptions naive{MlaForm::naive, causal};
          const MlaOptions absorbed{MlaForm::absorbed, causal};
          // Everything expanded anew; the new tokens alone, behind what was kept; nothing expanded.
          const auto expanded_anew = run(shape, naive, {batch, q_len, kv_len, kv_len, kv_len + 1, kv_len});
          require_counted(cost(MlaForm::naive, CacheKind::latent));
          run(shape, naive, {batch, q_len, kv_len, q_len, q_len, kv_len + 2});
          require_counted(cost(MlaForm::naive, CacheKind::heads));
          const auto not_expanded = run(shape, absorbed, {batch, q_len, kv_len, kv_len, kv_len + 1, 0});
          require_counted(cost(MlaForm::absorbed, CacheKind::latent));
          // And what was counted was the same attention.
          for (std::size_t i = 0; i < not_expanded.size(); ++i) {
            REQUIRE(std::abs(not_expanded[i] - expanded_anew[i]) < 1e-5f);
          }
        }
      }
    }
  }
}

TEST_CASE("mla_cost at DeepSeek-V2's shape, by hand", "[mla][cost]") {
  const MlaShape v2{5120, 128, 1536, 512, 128, 64, 128};
  // One token after 4,095 others.
  const MlaCost absorbed = mla_cost(v2, MlaForm::absorbed, CacheKind::latent, 1, 1, 4096, true);
  const MlaCost naive = mla_cost(v2, MlaForm::naive, CacheKind::latent, 1, 1, 4096, true);
  const MlaCost kept = mla_cost(v2, MlaForm::naive, CacheKind::heads, 1, 1, 4096, true);
  REQUIRE(absorbed.attend.multiply_adds == 4096.0 * 128 * (512 + 64 + 512));
  REQUIRE(naive.attend.multiply_adds == 4096.0 * 128 * (128 + 64 + 128));
  REQUIRE(naive.expand.multiply_adds == 4096.0 * 512 * 128 * (128 + 128));
  REQUIRE(absorbed.expand.multiply_adds == 1.0 * 512 * 128 * (128 + 128));
  REQUIRE(kept.expand.multiply_adds == absorbed.expand.multiply_adds);
  REQUIRE(absorbed.project.multiply_adds == 1536.0 * (5120 + 128 * 192) + 5120.0 * (576 + 128 * 128));
  REQUIRE(absorbed.project.bytes == naive.project.bytes);
}

}  // namespace

#include "ropewalk/mla.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <vector>

#include "reference/mla.hpp"
#include "reference/rope.hpp"
#include "support.hpp"

namespace {

using namespace ropewalk;
using namespace ropewalk::test;

/// A layer of seeded weights: variance 1 / fan-in, norms near 1.
struct Layer {
  MlaShape shape;
  std::vector<float> q_a_proj;
  std::vector<float> q_a_layernorm;
  std::vector<float> q_b_proj;
  std::vector<float> kv_a_proj;
  std::vector<float> kv_a_layernorm;
  std::vector<float> kv_b_proj;
  std::vector<float> o_proj;

  Layer(const MlaShape& of, Random& random) : shape(of) {
    const auto matrix = [&](std::size_t rows, std::size_t columns) {
      std::vector<float> values = random.normals(rows * columns);
      for (float& value : values) value /= std::sqrt(static_cast<float>(columns));
      return values;
    };
    const auto gains = [&](std::size_t size) {
      std::vector<float> values = random.normals(size);
      for (float& value : values) value = 1 + 0.2f * value;
      return values;
    };
    const std::size_t q_rank = shape.q_lora_rank;
    if (q_rank != 0) {
      q_a_proj = matrix(q_rank, shape.hidden_size);
      q_a_layernorm = gains(q_rank);
    }
    q_b_proj = matrix(shape.n_heads * shape.qk_head_dim(), q_rank == 0 ? shape.hidden_size : q_rank);
    kv_a_proj = matrix(shape.cached_dim(), shape.hidden_size);
    kv_a_layernorm = gains(shape.kv_lora_rank);
    kv_b_proj = matrix(shape.n_heads * (shape.qk_nope_head_dim + shape.v_head_dim), shape.kv_lora_rank);
    o_proj = matrix(shape.hidden_size, shape.n_heads * shape.v_head_dim);
  }

  reference::MlaLayer exact() const {
    return {shape,
            to_double(q_a_proj),
            to_double(q_a_layernorm),
            to_double(q_b_proj),
            to_double(kv_a_proj),
            to_double(kv_a_layernorm),
            to_double(kv_b_proj),
            to_double(o_proj)};
  }
};

/// Cosines and sines of positions first, first + 1, …
reference::RopeCache turns(std::size_t len, std::size_t rope_dim, std::int32_t first = 0) {
  std::vector<long double> inv_freq;
  for (std::size_t i = 0; i < rope_dim / 2; ++i) {
    inv_freq.push_back(
        std::pow(10000.0L, -2.0L * static_cast<long double>(i) / static_cast<long double>(rope_dim)));
  }
  reference::RopeCache cache = reference::build_rope_cache(consecutive(len, first), inv_freq);
  for (std::vector<double>* values : {&cache.cos, &cache.sin}) {
    for (double& value : *values) value = static_cast<float>(value);
  }
  return cache;
}

std::vector<float> to_float(std::span<const double> values) { return {values.begin(), values.end()}; }

/// Where what is expanded is kept.
enum class Expanded { one_head, all_heads };

/// A call of the kernel with canaries about every tensor that it writes.
struct Call {
  MlaShape shape;
  MlaOptions options;
  MlaExtents extents;
  bool weights_too;
  Buffer<float> x, q_a_proj, q_a_layernorm, q_b_proj, kv_a_proj, kv_a_layernorm, kv_b_proj, o_proj, cos, sin;
  Buffer<float> latents, q_latent, query, key, value, latent_query, latent_out, heads, out, weights, scores,
      scratch;

  Call(const Layer& layer, const MlaOptions& how, const MlaExtents& of, const std::vector<float>& hidden,
       const std::vector<float>& cosines, const std::vector<float>& sines, bool with_weights)
      : shape(layer.shape),
        options(how),
        extents(of),
        weights_too(with_weights),
        x(hidden),
        q_a_proj(layer.q_a_proj),
        q_a_layernorm(layer.q_a_layernorm),
        q_b_proj(layer.q_b_proj),
        kv_a_proj(layer.kv_a_proj),
        kv_a_layernorm(layer.kv_a_layernorm),
        kv_b_proj(layer.kv_b_proj),
        o_proj(layer.o_proj),
        cos(cosines),
        sin(sines),
        latents(of.batch * of.latent_capacity * shape.cached_dim()),
        q_latent(tokens() * shape.q_lora_rank),
        query(tokens() * shape.n_heads * shape.qk_head_dim()),
        key(is_naive() ? (of.is_expanded_cache ? cached_keys().size() : expanded() * shape.qk_head_dim())
                       : 0),
        value(is_naive() ? (of.is_expanded_cache ? cached_values().size() : expanded() * shape.v_head_dim)
                         : 0),
        latent_query(is_naive() ? 0 : tokens() * shape.n_heads * shape.cached_dim()),
        latent_out(is_naive() ? 0 : tokens() * shape.n_heads * shape.kv_lora_rank),
        heads(tokens() * shape.n_heads * shape.v_head_dim),
        out(tokens() * shape.hidden_size),
        weights(with_weights ? square() : 0),
        scores(with_weights ? square() : 0),
        scratch(static_cast<std::size_t>(
            mla_scratch_size(shape, how.form, of.q_len, of.kv_len, with_weights, of.is_expanded_cache))) {}

  bool is_naive() const { return options.form == MlaForm::naive; }
  std::size_t tokens() const { return extents.batch * extents.q_len; }
  std::size_t square() const { return tokens() * shape.n_heads * extents.kv_len; }
  std::size_t expanded() const {
    return extents.expanded_capacity == 0 ? extents.kv_len
                                          : extents.batch * extents.expanded_capacity * shape.n_heads;
  }

  CachedHeads<float> cached_keys(float* data = nullptr) const {
    return {data, extents.batch, shape.n_heads, shape.qk_head_dim(), extents.expanded_capacity};
  }
  CachedHeads<float> cached_values(float* data = nullptr) const {
    return {data, extents.batch, shape.n_heads, extents.expanded_capacity, shape.v_head_dim};
  }

  static TensorView<float, 1> all(Buffer<float>& buffer) {
    return {buffer.values().data(), {buffer.values().size()}};
  }

  MlaTensors tensors() {
    return {all(x),
            all(q_a_proj),
            all(q_a_layernorm),
            all(q_b_proj),
            all(kv_a_proj),
            all(kv_a_layernorm),
            all(kv_b_proj),
            all(o_proj),
            all(cos),
            all(sin),
            all(latents),
            all(q_latent),
            all(query),
            all(key),
            all(value),
            all(latent_query),
            all(latent_out),
            all(heads),
            all(out),
            all(weights),
            all(scores),
            all(scratch)};
  }

  Status run() { return mla(shape, options, extents, tensors()); }

  bool intact() const {
    return latents.intact() && q_latent.intact() && query.intact() && key.intact() && value.intact() &&
           latent_query.intact() && latent_out.intact() && heads.intact() && out.intact() &&
           weights.intact() && scores.intact() && scratch.intact();
  }

  bool untouched() const {
    return latents.untouched() && q_latent.untouched() && query.untouched() && key.untouched() &&
           value.untouched() && latent_query.untouched() && latent_out.untouched() && heads.untouched() &&
           out.untouched() && weights.untouched() && scores.untouched() && scratch.untouched();
  }
};

/// |error| <= bound * (1 + |want|).
IsWithin is_near(const std::vector<double>& want, double bound) {
  return is_within(want, [want, bound](std::size_t i) {
    // -inf, where a key is not seen, has to be just that.
    return std::isfinite(want[i]) ? bound * (1 + std::abs(want[i])) : 0.0;
  });
}

constexpr double accuracy = 0x1p-18;

/// Rows of [batch, len, row] from, …, to - 1 of each sequence.
template <class T>
std::vector<T> tokens_of(const std::vector<T>& all, std::size_t batch, std::size_t from, std::size_t to) {
  const std::size_t len = all.size() / batch;
  std::vector<T> taken;
  const auto at = [&](std::size_t index) { return all.begin() + static_cast<std::ptrdiff_t>(index); };
  for (std::size_t b = 0; b < batch; ++b) taken.insert(taken.end(), at(b * len + from), at(b * len + to));
  return taken;
}

/// Columns of queries from, …, to - 1 of [batch, n_heads, len, len], as far as keys go before `kv_len`.
std::vector<double> rows_of(const std::vector<double>& all, std::size_t heads, std::size_t len,
                            std::size_t from, std::size_t to) {
  std::vector<double> taken;
  for (std::size_t h = 0; h < heads; ++h) {
    for (std::size_t i = from; i < to; ++i) {
      for (std::size_t j = 0; j < to; ++j) taken.push_back(all[(h * len + i) * len + j]);
    }
  }
  return taken;
}

const std::vector<MlaShape> shapes = {
    {1, 1, 0, 1, 1, 2, 1},  {32, 4, 16, 8, 8, 4, 8},     {33, 3, 0, 7, 5, 6, 3},    {17, 2, 5, 9, 4, 2, 11},
    {8, 5, 4, 33, 1, 8, 4}, {64, 4, 24, 32, 16, 16, 16}, {40, 8, 0, 300, 33, 10, 9}};

// ---- Whole sequences --------------------------------------------------------------------------------------

TEST_CASE("mla is the formula's, in both forms", "[mla]") {
  Random random(1);
  for (const MlaShape& shape : shapes) {
    for (const std::size_t batch : Sizes{1, 2}) {
      for (const std::size_t len : Sizes{1, 4, 7, 9}) {
        const Layer layer(shape, random);
        const std::vector<float> x = random.normals(batch * len * shape.hidden_size);
        const auto [cos, sin] = turns(len, shape.qk_rope_head_dim, 3);
        for (const bool causal : {false, true}) {
          const float scale = 1.3f / std::sqrt(static_cast<float>(shape.qk_head_dim()));
          const reference::MlaResult want =
              reference::mla(to_double(x), layer.exact(), cos, sin, batch, len, scale, 1e-5, causal);
          for (const MlaForm form : {MlaForm::naive, MlaForm::absorbed}) {
            for (const bool weights_too : {false, true}) {
              for (const Expanded expanded : {Expanded::one_head, Expanded::all_heads}) {
                CAPTURE(shape.hidden_size, batch, len, causal, form == MlaForm::naive, weights_too);
                const bool all = expanded == Expanded::all_heads;
                Call call(layer, {form, causal, scale, 1e-5}, {batch, len, len, len, len, all ? len : 0}, x,
                          to_float(cos), to_float(sin), weights_too);
                REQUIRE_THAT(call.run(), is_ok());
                REQUIRE(call.intact());
                REQUIRE_THAT(call.query.copy(), is_near(want.query, accuracy));
                REQUIRE_THAT(call.latents.copy(), is_near(want.latents, accuracy));
                REQUIRE_THAT(call.out.copy(), is_near(want.out, accuracy));
                if (weights_too) {
                  REQUIRE_THAT(call.weights.copy(), is_near(want.weights, accuracy));
                  // -inf is no distance from -inf, but its difference is NaN: as numbers far off.
                  std::vector<double> scores(want.scores);
                  std::vector<double> got = to_double(call.scores.values());
                  for (std::vector<double>* values : {&scores, &got}) {
                    std::replace(values->begin(), values->end(), -std::numeric_limits<double>::infinity(),
                                 -1e30);
                  }
                  REQUIRE_THAT(got, is_near(scores, accuracy));
                }
                if (form == MlaForm::naive && all) {
                  REQUIRE_THAT(call.key.copy(), is_near(want.key, accuracy));
                  REQUIRE_THAT(call.value.copy(), is_near(want.value, accuracy));
                }
              }
            }
          }
        }
      }
    }
  }
}

TEST_CASE("mla's two forms agree within 1e-5", "[mla]") {
  Random random(2);
  double largest = 0;
  for (const MlaShape& shape : shapes) {
    constexpr std::size_t len = 33;
    const Layer layer(shape, random);
    const std::vector<float> x = random.normals(len * shape.hidden_size);
    const auto [cos, sin] = turns(len, shape.qk_rope_head_dim);
    const float scale = 1 / std::sqrt(static_cast<float>(shape.qk_head_dim()));
    Call naive(layer, {MlaForm::naive, true, scale}, {1, len, len, len, len, 0}, x, to_float(cos),
               to_float(sin), true);
    Call absorbed(layer, {MlaForm::absorbed, true, scale}, {1, len, len, len, len, 0}, x, to_float(cos),
                  to_float(sin), true);
    REQUIRE_THAT(naive.run(), is_ok());
    REQUIRE_THAT(absorbed.run(), is_ok());
    REQUIRE_THAT(absorbed.out.copy(), is_within(to_double(naive.out.values()), 1e-5));
    REQUIRE_THAT(absorbed.weights.copy(), is_within(to_double(naive.weights.values()), 1e-5));
    for (std::size_t i = 0; i < absorbed.out.values().size(); ++i) {
      largest = std::max(largest, std::abs(static_cast<double>(absorbed.out[i]) - naive.out[i]));
    }
  }
  REQUIRE(largest > 0);  // They are two computations.
}

// ---- Prefill, decode, chunks ------------------------------------------------------------------------------

TEST_CASE("mla goes on where it stopped, whatever the chunks, the form and what is kept", "[mla]") {
  Random random(3);
  enum class Kept { latents, heads, cache };
  for (const MlaShape& shape : shapes) {
    for (const std::size_t batch : Sizes{1, 3}) {
      const Sizes chunks = {5, 1, 1, 3, 2};
      const std::size_t len = std::accumulate(chunks.begin(), chunks.end(), std::size_t{0});
      const std::size_t capacity = len + 2;
      const Layer layer(shape, random);
      const std::vector<float> x = random.normals(batch * len * shape.hidden_size);
      const auto [cos, sin] = turns(len, shape.qk_rope_head_dim);
      const float scale = 1 / std::sqrt(static_cast<float>(shape.qk_head_dim()));
      const reference::MlaResult want =
          reference::mla(to_double(x), layer.exact(), cos, sin, batch, len, scale, 1e-6, true);
      for (const Kept kept : {Kept::latents, Kept::heads, Kept::cache}) {
        std::vector<float> latents;
        std::vector<float> key;
        std::vector<float> value;
        std::size_t begin = 0;
        for (std::size_t step = 0; step < chunks.size(); ++step) {
          const std::size_t q_len = chunks[step];
          const std::size_t end = begin + q_len;
          // On kept latents the forms take turns; kept heads have only one.
          const bool keeps_heads = kept != Kept::latents;
          const bool naive = keeps_heads || step % 2 == 0;
          CAPTURE(shape.hidden_size, batch, step, keeps_heads, kept == Kept::cache);
          MlaExtents extents{batch, q_len, end, end, capacity, 0};
          if (keeps_heads) {
            extents.latent_len = extents.latent_capacity = q_len;
            extents.expanded_capacity = capacity;
            extents.is_expanded_cache = kept == Kept::cache;
          }
          const auto rows = [&](const std::vector<double>& all) {
            return to_float(
                tokens_of(all, 1, begin * shape.qk_rope_head_dim / 2, end * shape.qk_rope_head_dim / 2));
          };
          Call call(layer, {naive ? MlaForm::naive : MlaForm::absorbed, true, scale}, extents,
                    tokens_of(x, batch, begin * shape.hidden_size, end * shape.hidden_size), rows(cos),
                    rows(sin), true);
          if (step > 0) {
            if (keeps_heads) {
              std::copy(key.begin(), key.end(), call.key.values().begin());
              std::copy(value.begin(), value.end(), call.value.values().begin());
            } else {
              std::copy(latents.begin(), latents.end(), call.latents.values().begin());
            }
          }
          REQUIRE_THAT(call.run(), is_ok());
          REQUIRE(call.intact());
          const std::size_t row = shape.hidden_size;
          REQUIRE_THAT(call.out.copy(),
                       is_near(tokens_of(want.out, batch, begin * row, end * row), accuracy));
          REQUIRE_THAT(call.weights.copy(),
                       is_near(rows_of(want.weights, batch * shape.n_heads, len, begin, end), accuracy));
          if (keeps_heads) {
            key = call.key.copy();
            value = call.value.copy();
            const std::size_t heads = shape.n_heads;
            const CachedHeads<float> cached_keys = call.cached_keys(key.data());
            const CachedHeads<float> cached_values = call.cached_values(value.data());
            std::vector<float> keys;
            std::vector<float> values;
            for (std::size_t b = 0; b < batch; ++b) {
              for (std::size_t s = 0; s < end * heads; ++s) {
                for (std::size_t c = 0; c < shape.qk_head_dim(); ++c) {
                  keys.push_back(kept == Kept::cache
                                     ? cached_keys.at(b, s % heads, c, s / heads)
                                     : key[(b * capacity * heads + s) * shape.qk_head_dim() + c]);
                }
                for (std::size_t c = 0; c < shape.v_head_dim; ++c) {
                  values.push_back(kept == Kept::cache
                                       ? cached_values.at(b, s % heads, s / heads, c)
                                       : value[(b * capacity * heads + s) * shape.v_head_dim + c]);
                }
              }
            }
            REQUIRE_THAT(keys,
                         is_near(tokens_of(want.key, batch, 0, end * heads * shape.qk_head_dim()), accuracy));
            REQUIRE_THAT(values,
                         is_near(tokens_of(want.value, batch, 0, end * heads * shape.v_head_dim), accuracy));
          } else {
            // What was there stays as it was, to the bit.
            const std::vector<float> now = call.latents.copy();
            const std::size_t old = begin * shape.cached_dim();
            if (step > 0) {
              REQUIRE_THAT(tokens_of(now, batch, 0, old), has_bits_of(tokens_of(latents, batch, 0, old)));
            }
            latents = now;
          }
          begin = end;
        }
      }
    }
  }
}

TEST_CASE("mla's rotary key is taken before the norm, which covers the latent alone", "[mla]") {
  // One token at position 0 and a hidden state of one component: what is cached can be told by hand.
  Random random(4);
  Layer layer({1, 1, 0, 2, 1, 2, 1}, random);
  layer.kv_a_proj = {3, 4, /**/ 5, -6};
  layer.kv_a_layernorm = {1, 2};
  Call call(layer, {MlaForm::absorbed, false, 1, 0}, {1, 1, 1, 1, 1, 0}, {2}, {1}, {0}, false);
  REQUIRE_THAT(call.run(), is_ok());
  const double rms = std::sqrt((36.0 + 64) / 2);
  REQUIRE_THAT(call.latents.copy(), is_within({6 / rms, 2 * 8 / rms, 10, -12}, 1e-6));
}

TEST_CASE("mla takes a row of cosines for each token of each sequence", "[mla]") {
  Random random(5);
  const Layer layer({8, 2, 0, 4, 4, 4, 4}, random);
  constexpr std::size_t batch = 2;
  constexpr std::size_t len = 3;
  const std::vector<float> x = random.normals(batch * len * 8);
  const reference::RopeCache one = turns(len, 4, 7);
  const reference::RopeCache other = turns(len, 4, 1000);
  const auto joined = [](const std::vector<double>& a, const std::vector<double>& b) {
    std::vector<float> all = to_float(a);
    for (const double value : b) all.push_back(static_cast<float>(value));
    return all;
  };
  Call both(layer, {}, {batch, len, len, len, len, 0}, x, joined(one.cos, other.cos),
            joined(one.sin, other.sin), false);
  REQUIRE_THAT(both.run(), is_ok());
  for (std::size_t b = 0; b < batch; ++b) {
    const reference::RopeCache& turn = b == 0 ? one : other;
    const std::vector<float> hidden(x.begin() + static_cast<std::ptrdiff_t>(b * len * 8),
                                    x.begin() + static_cast<std::ptrdiff_t>((b + 1) * len * 8));
    Call alone(layer, {}, {1, len, len, len, len, 0}, hidden, to_float(turn.cos), to_float(turn.sin), false);
    REQUIRE_THAT(alone.run(), is_ok());
    const std::vector<float> all = both.out.copy();
    REQUIRE_THAT(std::vector<float>(all.begin() + static_cast<std::ptrdiff_t>(b * len * 8),
                                    all.begin() + static_cast<std::ptrdiff_t>((b + 1) * len * 8)),
                 has_bits_of(alone.out.copy()));
  }
}

TEST_CASE("mla: a NaN in a token's hidden state reaches those that see it, and no others", "[mla]") {
  Random random(6);
  const Layer layer({16, 2, 8, 8, 4, 4, 4}, random);
  std::vector<float> x = random.normals(5 * 16);
  x[3 * 16 + 2] = not_a_number;
  const auto [cos, sin] = turns(5, 4);
  for (const MlaForm form : {MlaForm::naive, MlaForm::absorbed}) {
    Call call(layer, {form, true, 0.3f}, {1, 5, 5, 5, 5, 0}, x, to_float(cos), to_float(sin), false);
    REQUIRE_THAT(call.run(), is_ok());
    for (std::size_t i = 0; i < 5 * 16; ++i) {
      CAPTURE(i);
      REQUIRE(std::isnan(call.out[i]) == (i >= 3 * 16));
    }
  }
}

// ---- Errors -----------------------------------------------------------------------------------------------

TEST_CASE("mla refuses what does not fit, and writes nothing", "[mla][errors]") {
  Random random(7);
  const Layer layer({16, 2, 8, 6, 4, 4, 3}, random);
  const std::vector<float> x = random.normals(2 * 3 * 16);
  const auto [cos, sin] = turns(3, 4);
  for (const MlaForm form : {MlaForm::naive, MlaForm::absorbed}) {
    for (const bool weights_too : {false, true}) {
      const auto make = [&](const MlaExtents& extents) {
        return Call(layer, {form, true, 0.3f}, extents, x, to_float(cos), to_float(sin), weights_too);
      };
      const MlaExtents good{2, 3, 3, 3, 3, 3};
      const bool naive = form == MlaForm::naive;
      CAPTURE(naive, weights_too);

      // Every tensor one element short, and one too long.
      const auto wrong = [&](const char* name, auto choose, std::size_t size) {
        for (const std::ptrdiff_t more : {-1, 1}) {
          CAPTURE(name, more);
          Call call = make(good);
          MlaTensors tensors = call.tensors();
          auto& tensor = choose(tensors);
          REQUIRE(tensor.size() == size);
          tensor.shape[0] += static_cast<std::size_t>(more);
          const std::size_t given = tensor.size();
          REQUIRE_THAT(mla(layer.shape, call.options, good, tensors), refuses_shape(name, given));
          REQUIRE(call.untouched());
        }
      };
      using T = MlaTensors;
      wrong("x", [](T& t) -> auto& { return t.x; }, 96);
      wrong("q_a_proj", [](T& t) -> auto& { return t.q_a_proj; }, 128);
      wrong("q_a_layernorm", [](T& t) -> auto& { return t.q_a_layernorm; }, 8);
      wrong("q_b_proj", [](T& t) -> auto& { return t.q_b_proj; }, 128);
      wrong("kv_a_proj", [](T& t) -> auto& { return t.kv_a_proj; }, 160);
      wrong("kv_a_layernorm", [](T& t) -> auto& { return t.kv_a_layernorm; }, 6);
      wrong("kv_b_proj", [](T& t) -> auto& { return t.kv_b_proj; }, 84);
      wrong("o_proj", [](T& t) -> auto& { return t.o_proj; }, 96);
      wrong("cos", [](T& t) -> auto& { return t.cos; }, 6);
      wrong("sin", [](T& t) -> auto& { return t.sin; }, 6);
      wrong("latents", [](T& t) -> auto& { return t.latents; }, 60);
      wrong("q_latent", [](T& t) -> auto& { return t.q_latent; }, 48);
      wrong("query", [](T& t) -> auto& { return t.query; }, 96);
      wrong("heads", [](T& t) -> auto& { return t.heads; }, 36);
      wrong("out", [](T& t) -> auto& { return t.out; }, 96);
      if (naive) {
        wrong("key", [](T& t) -> auto& { return t.key; }, 96);
        wrong("value", [](T& t) -> auto& { return t.value; }, 36);
      } else {
        wrong("latent_query", [](T& t) -> auto& { return t.latent_query; }, 120);
        wrong("latent_out", [](T& t) -> auto& { return t.latent_out; }, 72);
      }
      if (weights_too) {
        wrong("weights", [](T& t) -> auto& { return t.weights; }, 36);
        wrong("scores", [](T& t) -> auto& { return t.scores; }, 36);
      }
      wrong(
          "scratch", [](T& t) -> auto& { return t.scratch; },
          static_cast<std::size_t>(mla_scratch_size(layer.shape, form, 3, 3, weights_too, false)));

      // Lengths that contradict each other.
      const auto lengths = [&](const MlaExtents& extents, const char* name, std::size_t given) {
        CAPTURE(name, given);
        Call call = make(good);
        REQUIRE_THAT(mla(layer.shape, call.options, extents, call.tensors()), refuses_shape(name, given));
        REQUIRE(call.untouched());
      };
      lengths({2, 0, 3, 3, 3, 3}, "q_len", 0);
      lengths({2, 4, 3, 3, 3, 3}, "q_len", 4);
      lengths({2, 3, 3, 2, 3, 3}, "latent_len", 2);
      lengths({2, 3, 3, 4, 4, 3}, "latent_len", 4);
      lengths({2, 3, 3, 3, 2, 3}, "latent_capacity", 2);
      lengths({2, 3, 3, 3, 3, 2}, "expanded_capacity", 2);
      if (naive) {
        lengths({2, 3, 5, 4, 4, 0}, "expanded_capacity", 0);
      } else {
        lengths({2, 3, 5, 4, 4, 5}, "latent_len", 4);
      }

      const auto values = [&](MlaOptions options, const char* name, double given) {
        Call call = make(good);
        REQUIRE_THAT(mla(layer.shape, options, good, call.tensors()), refuses_value(name, given));
        REQUIRE(call.untouched());
      };
      for (const float bad : {not_a_number, infinity, -infinity}) {
        values({form, true, bad}, "softmax_scale", bad);
        values({form, true, 1, bad}, "epsilon", bad);
      }
      values({form, true, 1, -1e-9}, "epsilon", -1e-9);

      MlaShape odd = layer.shape;
      odd.qk_rope_head_dim = 3;
      Call call = make(good);
      REQUIRE_THAT(mla(odd, call.options, good, call.tensors()), refuses_shape("qk_rope_head_dim", 3));

      // A product of extents that wraps around is no match for a small tensor.
      MlaShape huge = layer.shape;
      huge.n_heads = 1u << 31;
      huge.v_head_dim = 1u << 31;
      REQUIRE_FALSE(mla(huge, call.options, good, call.tensors()).ok());
      REQUIRE(call.untouched());
    }
  }
}

}  // namespace

#include "fuzz.hpp"
#include "reference/mla.hpp"
#include "ropewalk/mla.hpp"

namespace ropewalk::fuzz {
namespace {

/// A tensor of a call: as many elements as `size` says, if that is within reason, for else the call is refused unread.
struct Tensor {
  std::size_t size = 0;
  std::vector<float> values{};

  TensorView<float, 1> view() { return {begin_of(values), {size}}; }
};

/// How many elements each tensor of a call is to have, by name.
struct Sizes {
  long double x, q_a_proj, q_a_layernorm, q_b_proj, kv_a_proj, kv_a_layernorm, kv_b_proj, o_proj, cos_of_one,
      cos_of_all, latents, q_latent, query, key, value, latent_query, latent_out, heads, out, square, scratch;
};

Sizes sizes_of(const MlaShape& shape, MlaForm form, const MlaExtents& extents, bool with_weights) {
  // Exact below 2^64, and near enough above to be no size that a tensor here has.
  using Number = long double;
  const Number hidden = shape.hidden_size;
  const Number n_heads = shape.n_heads;
  const Number q_rank = shape.q_lora_rank;
  const Number kv_rank = shape.kv_lora_rank;
  const Number nope = shape.qk_nope_head_dim;
  const Number rope = shape.qk_rope_head_dim;
  const Number v_dim = shape.v_head_dim;
  const Number batch = static_cast<Number>(extents.batch);
  const Number kv_len = static_cast<Number>(extents.kv_len);
  const Number tokens = batch * static_cast<Number>(extents.q_len);
  const Number rows = extents.expanded_capacity == 0
                          ? kv_len
                          : batch * n_heads * static_cast<Number>(extents.expanded_capacity);
  return {.x = tokens * hidden,
          .q_a_proj = q_rank * hidden,
          .q_a_layernorm = q_rank,
          .q_b_proj = n_heads * (nope + rope) * (shape.q_lora_rank == 0 ? hidden : q_rank),
          .kv_a_proj = (kv_rank + rope) * hidden,
          .kv_a_layernorm = kv_rank,
          .kv_b_proj = n_heads * (nope + v_dim) * kv_rank,
          .o_proj = hidden * n_heads * v_dim,
          .cos_of_one = static_cast<Number>(extents.q_len) * rope / 2,
          .cos_of_all = tokens * rope / 2,
          .latents = batch * static_cast<Number>(extents.latent_capacity) * (kv_rank + rope),
          .q_latent = tokens * q_rank,
          .query = tokens * n_heads * (nope + rope),
          .key = rows * (nope + rope),
          .value = rows * v_dim,
          .latent_query = tokens * n_heads * (kv_rank + rope),
          .latent_out = tokens * n_heads * kv_rank,
          .heads = tokens * n_heads * v_dim,
          .out = tokens * hidden,
          .square = tokens * n_heads * kv_len,
          .scratch = static_cast<Number>(
              mla_scratch_size(shape, form, extents.q_len, extents.kv_len, with_weights, false))};
}

struct Call {
  MlaShape shape;
  MlaOptions options;
  MlaExtents extents;
  Tensor x, q_a_proj, q_a_layernorm, q_b_proj, kv_a_proj, kv_a_layernorm, kv_b_proj, o_proj, cos, sin;
  Tensor latents, q_latent, query, key, value, latent_query, latent_out, heads, out, weights, scores, scratch;

  bool is_naive() const { return options.form == MlaForm::naive; }

  Status run() {
    return mla(shape, options, extents,
               {x.view(),
                q_a_proj.view(),
                q_a_layernorm.view(),
                q_b_proj.view(),
                kv_a_proj.view(),
                kv_a_layernorm.view(),
                kv_b_proj.view(),
                o_proj.view(),
                cos.view(),
                sin.view(),
                latents.view(),
                q_latent.view(),
                query.view(),
                key.view(),
                value.view(),
                latent_query.view(),
                latent_out.view(),
                heads.view(),
                out.view(),
                weights.view(),
                scores.view(),
                scratch.view()});
  }

  std::array<const Tensor*, 12> written() const {
    return {&latents,    &q_latent, &query, &key,     &value,  &latent_query,
            &latent_out, &heads,    &out,   &weights, &scores, &scratch};
  }
};

bool same_bits_all(const std::vector<float>& a, const std::vector<float>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same_bits<float>);
}

bool is_valid(const Call& call) {
  const MlaExtents& extents = call.extents;
  const bool naive = call.is_naive();
  if (call.shape.qk_rope_head_dim % 2 != 0) return false;
  if (extents.q_len == 0 || extents.q_len > extents.kv_len) return false;
  if (extents.latent_len > extents.kv_len || extents.latent_len > extents.latent_capacity) return false;
  if (extents.latent_len < (naive ? extents.q_len : extents.kv_len)) return false;
  if (extents.expanded_capacity != 0 && extents.expanded_capacity < extents.kv_len) return false;
  if (extents.expanded_capacity == 0 && extents.latent_len != extents.kv_len) return false;
  const Sizes want = sizes_of(call.shape, call.options.form, extents, call.weights.size != 0);
  const auto is = [](const Tensor& tensor, long double size) {
    return static_cast<long double>(tensor.size) == size;
  };
  const bool of_one = is(call.cos, want.cos_of_one);
  if (!(of_one || is(call.cos, want.cos_of_all)) || call.sin.size != call.cos.size) return false;
  if (naive ? !is(call.key, want.key) || !is(call.value, want.value)
            : !is(call.latent_query, want.latent_query) || !is(call.latent_out, want.latent_out)) {
    return false;
  }
  if (!is(call.scratch, want.scratch)) return false;
  if (call.weights.size != 0 && !is(call.weights, want.square)) return false;
  if (call.scores.size != 0 && !is(call.scores, want.square)) return false;
  const MlaOptions& options = call.options;
  return is(call.x, want.x) && is(call.q_a_proj, want.q_a_proj) &&
         is(call.q_a_layernorm, want.q_a_layernorm) && is(call.q_b_proj, want.q_b_proj) &&
         is(call.kv_a_proj, want.kv_a_proj) && is(call.kv_a_layernorm, want.kv_a_layernorm) &&
         is(call.kv_b_proj, want.kv_b_proj) && is(call.o_proj, want.o_proj) &&
         is(call.latents, want.latents) && is(call.q_latent, want.q_latent) && is(call.query, want.query) &&
         is(call.heads, want.heads) && is(call.out, want.out) && std::isfinite(options.softmax_scale) &&
         std::isfinite(options.epsilon) && options.epsilon >= 0;
}

/// Are there few enough loops to be gone through, whose bodies may be empty?
bool is_modest(const Call& call) {
  const MlaExtents& extents = call.extents;
  const auto [hidden, n_heads, q_rank, kv_rank, nope, rope, v_dim] = call.shape;
  const std::size_t all[] = {extents.batch,
                             extents.kv_len,
                             extents.latent_capacity,
                             extents.expanded_capacity,
                             hidden,
                             n_heads,
                             q_rank,
                             kv_rank,
                             nope,
                             rope,
                             v_dim};
  return std::all_of(std::begin(all), std::end(all), [](std::size_t extent) { return extent <= 256; });
}

/// Of no heads, no components or no sequences there is nothing to compare, nor a reference.
bool is_empty(const Call& call) {
  const auto [hidden, n_heads, q_rank, kv_rank, nope, rope, v_dim] = call.shape;
  const std::uint32_t all[] = {hidden, n_heads, kv_rank, nope, rope, v_dim};
  return call.extents.batch == 0 || std::find(std::begin(all), std::end(all), 0) != std::end(all);
}

/// Rows from, …, to - 1 of sequence b, of `capacity` rows of `width`.
std::span<float> rows(Tensor& tensor, std::size_t b, std::size_t capacity, std::size_t width,
                      std::size_t from, std::size_t to) {
  return {begin_of(tensor.values) + (b * capacity + from) * width, (to - from) * width};
}

/// What the reference makes of each sequence, from its first token on.
std::vector<reference::MlaResult> expected(const Call& call, const std::vector<float>& x,
                                           const std::vector<float>& cos, const std::vector<float>& sin,
                                           bool of_one) {
  const std::size_t len = call.extents.kv_len;
  const reference::MlaLayer layer{call.shape,
                                  to_double(call.q_a_proj.values),
                                  to_double(call.q_a_layernorm.values),
                                  to_double(call.q_b_proj.values),
                                  to_double(call.kv_a_proj.values),
                                  to_double(call.kv_a_layernorm.values),
                                  to_double(call.kv_b_proj.values),
                                  to_double(call.o_proj.values)};
  const std::vector<double> all_x = to_double(x);
  const std::vector<double> all_cos = to_double(cos);
  const std::vector<double> all_sin = to_double(sin);
  const std::size_t row = len * call.shape.hidden_size;
  const std::size_t turns = len * (call.shape.qk_rope_head_dim / 2);
  std::vector<reference::MlaResult> results;
  for (std::size_t b = 0; b < call.extents.batch; ++b) {
    const std::size_t at = of_one ? 0 : b * turns;
    results.push_back(reference::mla(
        std::span(all_x).subspan(b * row, row), layer, std::span(all_cos).subspan(at, turns),
        std::span(all_sin).subspan(at, turns), 1, len, static_cast<double>(call.options.softmax_scale),
        call.options.epsilon, call.options.causal));
  }
  return results;
}

void copy_rows(const std::vector<double>& from, std::size_t width, std::size_t first, std::span<float> to) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = static_cast<float>(from[first * width + i]);
}

void require_rows(std::span<const float> got, const std::vector<double>& want, std::size_t first,
                  const char* what) {
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double exact = want[first + i];
    if (std::isinf(exact) && static_cast<double>(got[i]) == exact) continue;
    require_near(got[i], exact, 0x1p-15 * (1 + std::abs(exact)), what);
  }
}

/// Where a token's new numbers are the reference's.
void check_reference(Call& call, const std::vector<reference::MlaResult>& want) {
  const auto [batch, q_len, kv_len, latent_len, latent_capacity, expanded_capacity, is_cache] = call.extents;
  const MlaShape& shape = call.shape;
  const std::size_t first = kv_len - q_len;
  const std::size_t query = shape.n_heads * shape.qk_head_dim();
  const std::size_t value = std::size_t{shape.n_heads} * shape.v_head_dim;
  for (std::size_t b = 0; b < batch; ++b) {
    const reference::MlaResult& exact = want[b];
    require_rows(rows(call.out, b, q_len, shape.hidden_size, 0, q_len), exact.out, first * shape.hidden_size,
                 "out is the reference's");
    require_rows(rows(call.query, b, q_len, query, 0, q_len), exact.query, first * query,
                 "query is the reference's");
    require_rows(rows(call.latents, b, latent_capacity, shape.cached_dim(), latent_len - q_len, latent_len),
                 exact.latents, first * shape.cached_dim(), "latents are the reference's");
    if (call.is_naive() && expanded_capacity != 0) {
      require_rows(rows(call.key, b, expanded_capacity, query, 0, kv_len), exact.key, 0,
                   "keys are the reference's");
      require_rows(rows(call.value, b, expanded_capacity, value, 0, kv_len), exact.value, 0,
                   "values are the reference's");
    }
    for (std::size_t h = 0; h < shape.n_heads; ++h) {
      const std::size_t square = (h * kv_len + first) * kv_len;
      if (!call.weights.values.empty()) {
        require_rows(rows(call.weights, b * shape.n_heads + h, q_len, kv_len, 0, q_len), exact.weights,
                     square, "weights are the reference's");
      }
      if (!call.scores.values.empty()) {
        require_rows(rows(call.scores, b * shape.n_heads + h, q_len, kv_len, 0, q_len), exact.scores, square,
                     "scores are the reference's");
      }
    }
  }
}

/// What was kept of earlier tokens, and the room behind the last one, stay as they were.
void check_kept(Call& call, const Call& before) {
  const auto [batch, q_len, kv_len, latent_len, latent_capacity, expanded_capacity, is_cache] = call.extents;
  const MlaShape& shape = call.shape;
  Call old = before;
  const auto restored = [&](Tensor& now, Tensor& then, std::size_t capacity, std::size_t width,
                            std::size_t from, std::size_t to) {
    Tensor copy = now;
    for (std::size_t b = 0; b < batch; ++b) {
      const std::span<float> was = rows(then, b, capacity, width, from, to);
      std::copy(was.begin(), was.end(), rows(copy, b, capacity, width, from, to).begin());
    }
    return same_bits_all(copy.values, then.values);
  };
  require(restored(call.latents, old.latents, latent_capacity, shape.cached_dim(), latent_len - q_len,
                   latent_len),
          "of the latents only the new tokens' are written");
  if (call.is_naive()) {
    require(untouched(call.latent_query.values) && untouched(call.latent_out.values),
            "what the other form computes is not touched");
    if (expanded_capacity == 0) return;
    const std::size_t first = kv_len - latent_len;
    require(
        restored(call.key, old.key, expanded_capacity, shape.n_heads * shape.qk_head_dim(), first, kv_len),
        "of the keys only those of the latents are written");
    require(restored(call.value, old.value, expanded_capacity, std::size_t{shape.n_heads} * shape.v_head_dim,
                     first, kv_len),
            "of the values only those of the latents are written");
  } else {
    require(untouched(call.key.values) && untouched(call.value.values),
            "what the other form computes is not touched");
  }
}

void check_weights(const Call& call) {
  const std::size_t kv_len = call.extents.kv_len;
  for (std::size_t row = 0; row < call.weights.values.size() / kv_len; ++row) {
    const float* const weights = call.weights.values.data() + row * kv_len;
    double sum = 0;
    for (std::size_t j = 0; j < kv_len; ++j) {
      sum += weights[j];
      const std::size_t i = row % call.extents.q_len;
      const bool sees = !call.options.causal || j <= i + kv_len - call.extents.q_len;
      if (!sees) require(weights[j] == 0, "a token that is not seen weighs nothing");
      if (!sees && !call.scores.values.empty()) {
        require(call.scores.values[row * kv_len + j] == -infinity, "the score of a token not seen is -inf");
      }
    }
    if (std::isnan(sum) || sum == 0) continue;
    require_near(sum, 1, static_cast<double>(kv_len + 16) * 0x1p-23, "the weights of a row sum to 1");
  }
}

/// A number in a field now and then becomes another, which may be absurd.
template <class T>
void disturb(Input& input, T& field) {
  field = static_cast<T>(input.disturbed(std::array{static_cast<std::size_t>(field)})[0]);
}

void fuzz_mla(Input& input) {
  const bool tame = input.flip();
  Call call;
  const auto extent = [&](std::size_t most) { return static_cast<std::uint32_t>(input.extent(most)); };
  call.shape = {.hidden_size = extent(input.flip() ? 5 : 20),
                .n_heads = extent(4),
                .q_lora_rank = input.flip() ? 0 : extent(12),
                .kv_lora_rank = extent(input.flip() ? 5 : 24),
                .qk_nope_head_dim = extent(12),
                .qk_rope_head_dim = 2 * extent(4) + (input.rarely() ? 1 : 0),
                .v_head_dim = extent(12)};
  call.options.form = input.flip() ? MlaForm::naive : MlaForm::absorbed;
  call.options.causal = input.flip();
  call.options.softmax_scale = tame ? static_cast<float>(input.moderate(1)) : input.number<float>();
  // A latent that is nothing but rounding is normed to all there is, unless epsilon holds it down.
  call.options.epsilon = tame ? 1.01 + input.moderate(1) : input.number<double>();
  MlaExtents& extents = call.extents;
  extents.batch = input.extent(3);
  extents.q_len = input.extent(6);
  extents.kv_len = extents.q_len + (input.flip() ? 0 : input.below(10));
  const bool keeps_heads = call.is_naive() && input.flip();
  extents.latent_len =
      keeps_heads ? extents.q_len + input.below(extents.kv_len - extents.q_len + 1) : extents.kv_len;
  extents.latent_capacity = extents.latent_len + (input.flip() ? 0 : input.below(3));
  extents.expanded_capacity = keeps_heads || input.flip() ? extents.kv_len + input.below(3) : 0;

  // Tensors as they are to be, then one thing or another made otherwise.
  const Sizes want = sizes_of(call.shape, call.options.form, extents, false);
  const auto tensor = [&](long double size, double of_weights = 0) {
    Tensor made;
    made.size = input.disturbed(std::array{static_cast<std::size_t>(size)})[0];
    made.values = input.numbers<float>(room(std::array{made.size}), tame);
    if (of_weights > 0) {
      for (float& value : made.values) value /= static_cast<float>(std::sqrt(of_weights));
    }
    return made;
  };
  const auto result = [&](long double size) {
    Tensor made;
    made.size = input.disturbed(std::array{static_cast<std::size_t>(size)})[0];
    made.values = canaries<float>(std::array{made.size});
    return made;
  };
  const double hidden = call.shape.hidden_size;
  const double q_in = call.shape.q_lora_rank == 0 ? hidden : call.shape.q_lora_rank;
  const bool of_one = input.flip();
  const bool naive = call.is_naive();
  call.x = tensor(want.x);
  call.q_a_proj = tensor(want.q_a_proj, hidden);
  call.q_a_layernorm = tensor(want.q_a_layernorm);
  call.q_b_proj = tensor(want.q_b_proj, q_in);
  call.kv_a_proj = tensor(want.kv_a_proj, hidden);
  call.kv_a_layernorm = tensor(want.kv_a_layernorm);
  call.kv_b_proj = tensor(want.kv_b_proj, call.shape.kv_lora_rank);
  call.o_proj = tensor(want.o_proj, static_cast<double>(call.shape.n_heads) * call.shape.v_head_dim);
  call.cos = tensor(of_one ? want.cos_of_one : want.cos_of_all);
  call.sin = tensor(of_one ? want.cos_of_one : want.cos_of_all);
  call.latents = tensor(want.latents);
  call.q_latent = result(want.q_latent);
  call.query = result(want.query);
  // Of the other form's tensors any size will do.
  const long double other = static_cast<long double>(input.flip() ? 0 : input.below(20));
  call.key = result(naive ? want.key : other);
  call.value = result(naive ? want.value : other);
  call.latent_query = result(naive ? other : want.latent_query);
  call.latent_out = result(naive ? other : want.latent_out);
  call.heads = result(want.heads);
  call.out = result(want.out);
  if (input.flip()) call.weights = result(want.square);
  if (input.flip()) call.scores = result(want.square);
  call.scratch = result(sizes_of(call.shape, call.options.form, extents, call.weights.size != 0).scratch);
  for (std::uint32_t* field :
       {&call.shape.hidden_size, &call.shape.n_heads, &call.shape.q_lora_rank, &call.shape.kv_lora_rank,
        &call.shape.qk_nope_head_dim, &call.shape.qk_rope_head_dim, &call.shape.v_head_dim}) {
    disturb(input, *field);
  }
  for (std::size_t* field : {&extents.batch, &extents.q_len, &extents.kv_len, &extents.latent_len,
                             &extents.latent_capacity, &extents.expanded_capacity}) {
    disturb(input, *field);
  }

  const bool valid = is_valid(call);
  if (valid && !is_modest(call)) return;
  // What earlier tokens left, which the reference makes of whole sequences.
  std::vector<reference::MlaResult> exact;
  const bool is_compared = valid && tame && !is_empty(call);
  if (is_compared) {
    const MlaShape& shape = call.shape;
    const std::size_t len = extents.kv_len;
    const std::size_t first = len - extents.q_len;
    const std::size_t half = shape.qk_rope_head_dim / 2;
    // Of no rows at all it is the same which.
    const bool shared = static_cast<long double>(call.cos.size) ==
                        sizes_of(shape, call.options.form, extents, false).cos_of_one;
    const std::size_t sets = shared ? 1 : extents.batch;
    Tensor x{extents.batch * len * shape.hidden_size};
    Tensor cos{sets * len * half};
    Tensor sin{sets * len * half};
    for (Tensor* made : {&x, &cos, &sin}) made->values = input.numbers<float>(made->size, true);
    const auto put = [&](Tensor& whole, Tensor& part, std::size_t count, std::size_t width) {
      for (std::size_t b = 0; b < count; ++b) {
        const std::span<float> from = rows(part, b, extents.q_len, width, 0, extents.q_len);
        std::copy(from.begin(), from.end(), rows(whole, b, len, width, first, len).begin());
      }
    };
    put(x, call.x, extents.batch, shape.hidden_size);
    put(cos, call.cos, sets, half);
    put(sin, call.sin, sets, half);
    exact = expected(call, x.values, cos.values, sin.values, shared);
    const std::size_t query = shape.n_heads * shape.qk_head_dim();
    const std::size_t value = std::size_t{shape.n_heads} * shape.v_head_dim;
    const std::size_t absent = len - extents.latent_len;
    for (std::size_t b = 0; b < extents.batch; ++b) {
      copy_rows(exact[b].latents, shape.cached_dim(), absent,
                rows(call.latents, b, extents.latent_capacity, shape.cached_dim(), 0,
                     extents.latent_len - extents.q_len));
      if (!naive || extents.expanded_capacity == 0) continue;
      copy_rows(exact[b].key, query, 0, rows(call.key, b, extents.expanded_capacity, query, 0, absent));
      copy_rows(exact[b].value, value, 0, rows(call.value, b, extents.expanded_capacity, value, 0, absent));
    }
  }

  const Call before = call;
  const Status status = call.run();
  require_verdict(status, valid,
                  {"x",
                   "q_a_proj",
                   "q_a_layernorm",
                   "q_b_proj",
                   "kv_a_proj",
                   "kv_a_layernorm",
                   "kv_b_proj",
                   "o_proj",
                   "cos",
                   "sin",
                   "latents",
                   "q_latent",
                   "query",
                   "key",
                   "value",
                   "latent_query",
                   "latent_out",
                   "heads",
                   "out",
                   "weights",
                   "scores",
                   "scratch",
                   "qk_rope_head_dim",
                   "q_len",
                   "latent_len",
                   "latent_capacity",
                   "expanded_capacity",
                   "softmax_scale",
                   "epsilon"});
  if (!status.ok()) {
    const auto now = call.written();
    const auto then = before.written();
    for (std::size_t i = 0; i < now.size(); ++i) {
      require(same_bits_all(now[i]->values, then[i]->values), "a refused call writes nothing");
    }
    return;
  }
  check_kept(call, before);
  check_weights(call);
  if (is_compared) check_reference(call, exact);

  // The same with everything asked for, and without anything.
  for (const bool all : {false, true}) {
    Call again = before;
    const auto make = [](long double size) {
      const auto count = static_cast<std::size_t>(size);
      return Tensor{count, unwritten<float>(count)};
    };
    again.weights = again.scores = again.scratch = {};
    const auto sizes = [&] {
      return sizes_of(again.shape, again.options.form, again.extents, again.weights.size != 0);
    };
    if (all) again.weights = again.scores = make(sizes().square);
    again.scratch = make(sizes().scratch);
    require(again.run().ok(), "asking for more or less is taken");
    require(same_numbers(again.out.values, call.out.values), "out does not depend on what else is asked for");
    if (all && call.weights.size != 0) {
      require(same_numbers(again.weights.values, call.weights.values), "nor do weights");
    }
  }
}

void fuzz_cost(Input& input) {
  const auto number = [&] {
    const auto any = static_cast<std::uint32_t>(input.integer());
    return input.flip() ? any : any % 8192;
  };
  const MlaShape shape{.hidden_size = number(),
                       .n_heads = number(),
                       .q_lora_rank = input.flip() ? 0 : number(),
                       .kv_lora_rank = number(),
                       .qk_nope_head_dim = number(),
                       .qk_rope_head_dim = number(),
                       .v_head_dim = number()};
  const MlaForm form = input.flip() ? MlaForm::naive : MlaForm::absorbed;
  const CacheKind kept =
      form == MlaForm::naive ? input.one_of({CacheKind::heads, CacheKind::latent}) : CacheKind::latent;
  const std::size_t batch = number();
  const std::size_t q_len = std::size_t{number()} + 1;
  const std::size_t kv_len = q_len + number();
  const bool causal = input.flip();
  const MlaCost cost = mla_cost(shape, form, kept, batch, q_len, kv_len, causal);

  using Number = long double;
  const Number hidden = shape.hidden_size;
  const Number n_heads = shape.n_heads;
  const Number q_rank = shape.q_lora_rank;
  const Number rank = shape.kv_lora_rank;
  const Number nope = shape.qk_nope_head_dim;
  const Number rope = shape.qk_rope_head_dim;
  const Number v_dim = shape.v_head_dim;
  const Number tokens = static_cast<Number>(batch) * static_cast<Number>(q_len);
  const Number keys = static_cast<Number>(batch) * static_cast<Number>(kv_len);
  const Number past = static_cast<Number>(kv_len - q_len);
  const Number pairs =
      tokens * (causal ? past + (static_cast<Number>(q_len) + 1) / 2 : static_cast<Number>(kv_len));
  const bool naive = form == MlaForm::naive;
  const Number queries =
      q_rank == 0 ? hidden * n_heads * (nope + rope) : hidden * q_rank + q_rank * n_heads * (nope + rope);
  const Number projections = queries + hidden * (rank + rope) + hidden * n_heads * v_dim;
  const Number up = rank * n_heads * (nope + v_dim);
  const Number expanded = naive && kept == CacheKind::latent ? keys : tokens;
  const auto is = [](double got, Number want, const char* what) {
    require_near(got, static_cast<double>(want), want < 0x1p52L ? 0 : static_cast<double>(want) * 0x1p-49,
                 what);
  };
  is(cost.project.multiply_adds, tokens * projections, "the products of the projections");
  is(cost.project.bytes,
     4 * (projections +
          tokens * (hidden + hidden + 2 * q_rank + n_heads * (nope + rope) + rank + rope + n_heads * v_dim)),
     "the bytes of the projections");
  is(cost.expand.multiply_adds, expanded * up, "the products of the expansion");
  is(cost.expand.bytes,
     4 * (up + expanded * n_heads * (nope + v_dim) + (naive ? expanded * rank : 2 * tokens * n_heads * rank)),
     "the bytes of the expansion");
  const Number key_dim = naive ? nope + rope : rank + rope;
  const Number value_dim = naive ? v_dim : rank;
  is(cost.attend.multiply_adds, pairs * n_heads * (key_dim + value_dim), "the products of attention");
  is(cost.attend.bytes,
     4 * (tokens * n_heads * (key_dim + value_dim) +
          (naive ? keys * n_heads * (key_dim + value_dim) : keys * key_dim)),
     "the bytes of attention");
}

}  // namespace
}  // namespace ropewalk::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ropewalk::fuzz;
  Input input(data, size);
  input.one_of({fuzz_mla, fuzz_mla, fuzz_mla, fuzz_cost})(input);
  return 0;
}

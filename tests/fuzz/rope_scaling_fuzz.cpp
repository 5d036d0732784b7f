#include "fuzz.hpp"
#include "reference/rope_scaling.hpp"
#include "ropewalk/rope_scaling.hpp"

namespace ropewalk::fuzz {
namespace {

using Shape1 = std::array<std::size_t, 1>;

bool is_given(double field) { return !std::isnan(field); }
bool is_base_or_not_given(double field) { return !is_given(field) || is_base(field); }
bool is_not_negative_or_not_given(double field) { return !is_given(field) || (field >= 0 && field <= 1e100); }

double original_len(const RopeScaling& scaling) {
  return is_given(scaling.original_max_position_embeddings) ? scaling.original_max_position_embeddings
                                                            : scaling.max_position_embeddings;
}

bool has_original_len(const RopeScaling& scaling) {
  return is_base(original_len(scaling)) && is_base_or_not_given(scaling.max_position_embeddings);
}

/// yarn, longrope: the factor or the lengths that it comes of.
bool has_stretch(const RopeScaling& scaling) {
  return has_original_len(scaling) && is_base_or_not_given(scaling.attention_factor) &&
         (is_given(scaling.factor) ? is_base(scaling.factor) : is_base(scaling.max_position_embeddings));
}

bool are_factors(TensorView<const double, 1> factors, std::size_t n_pairs) {
  return factors.shape[0] == n_pairs &&
         std::all_of(factors.data, factors.data + n_pairs, [](double factor) { return is_base(factor); });
}

bool is_valid(const RopeScaling& scaling, std::size_t n_pairs) {
  if (!is_base(scaling.rope_theta) || n_pairs == 0) return false;
  if (!(scaling.partial_rotary_factor > 0 && scaling.partial_rotary_factor <= 1)) return false;
  switch (scaling.type) {
    case RopeType::standard:
      return true;
    case RopeType::linear:
    case RopeType::ntk:
      return is_base(scaling.factor);
    case RopeType::dynamic:
      return is_base(scaling.factor) && is_base(scaling.max_position_embeddings) &&
             is_not_negative_or_not_given(scaling.seq_len);
    case RopeType::yarn:
      return scaling.rope_theta > 1 && has_stretch(scaling) && is_base(scaling.beta_fast) &&
             is_base(scaling.beta_slow) && is_not_negative_or_not_given(scaling.mscale) &&
             is_not_negative_or_not_given(scaling.mscale_all_dim);
    case RopeType::longrope:
      return has_stretch(scaling) && original_len(scaling) > 1 &&
             is_not_negative_or_not_given(scaling.seq_len) && are_factors(scaling.short_factor, n_pairs) &&
             are_factors(scaling.long_factor, n_pairs);
    case RopeType::llama3:
      return scaling.rope_theta > 1 && is_base(scaling.factor) && has_original_len(scaling) &&
             is_base(scaling.low_freq_factor) && is_base(scaling.high_freq_factor) &&
             scaling.high_freq_factor >= scaling.low_freq_factor;
    case RopeType::proportional:
      return is_base_or_not_given(scaling.factor);
  }
  return false;
}

void fuzz(Input& input) {
  const bool tame = input.flip();
  // A field as models have it, none, or whatever a double may be.
  const auto field = [&](double smallest, double largest) {
    if (tame ? input.rarely() : input.byte() % 4 == 0) return RopeScaling::not_given;
    if (!tame && input.byte() % 4 == 0) return input.number<double>();
    return smallest * std::pow(largest / smallest, 0.5 + input.moderate(0.5));
  };
  RopeScaling scaling{
      .type = input.one_of({RopeType::standard, RopeType::linear, RopeType::ntk, RopeType::dynamic,
                            RopeType::yarn, RopeType::longrope, RopeType::llama3, RopeType::proportional})};
  scaling.head_dim = static_cast<std::uint32_t>(input.rarely() ? input.integer()
                                                               : static_cast<std::int32_t>(input.below(130)));
  if (input.flip())
    scaling.rope_theta = input.byte() % 8 == 0 ? input.one_of({0.5, 1.0, 1.5}) : field(100, 1e6);
  if (input.flip()) scaling.partial_rotary_factor = field(0.1, 1);
  scaling.factor = field(0.5, 64);
  scaling.max_position_embeddings = field(512, 131'072);
  scaling.original_max_position_embeddings = field(512, 8192);
  scaling.seq_len = field(1, 1e6);
  if (input.flip()) scaling.attention_factor = field(0.5, 2);
  if (input.flip()) scaling.beta_fast = field(16, 64);
  if (input.flip()) scaling.beta_slow = field(0.5, 4);
  scaling.truncate = input.flip();
  if (input.flip()) scaling.mscale = field(0.5, 2);
  if (input.flip()) scaling.mscale_all_dim = field(0.5, 2);
  scaling.low_freq_factor = field(0.5, 2);
  scaling.high_freq_factor = field(1, 8);

  const std::size_t n_pairs = rope_scaling_pairs(scaling);
  require(n_pairs <= (std::size_t{scaling.head_dim} + 1) / 2, "there are no more pairs than fit a head");
  const Shape1 shape = input.disturbed(Shape1{n_pairs});
  std::array<std::vector<double>, 2> factors;
  std::array<TensorView<const double, 1>*, 2> fields{&scaling.short_factor, &scaling.long_factor};
  for (std::size_t i = 0; i < 2; ++i) {
    const Shape1 factors_shape = input.disturbed(Shape1{n_pairs});
    factors[i].resize(room(factors_shape));
    for (double& factor : factors[i])
      factor = !tame && input.rarely() ? input.number<double>() : 4 + input.moderate(3);
    *fields[i] = view(factors[i], factors_shape);
  }
  if (!is_reasonable(Shape1{n_pairs}, Shape1{scaling.short_factor.shape[0]},
                     Shape1{scaling.long_factor.shape[0]}))
    return;

  std::vector<double> inv_freq = canaries<double>(shape);
  RopeScalingFactors result{canary<double>(), canary<double>()};
  const Status status = rope_scaling(scaling, view(inv_freq, shape), result);
  require_verdict(
      status, is_valid(scaling, n_pairs) && shape[0] == n_pairs,
      {"rope_theta", "head_dim", "partial_rotary_factor", "factor", "max_position_embeddings",
       "original_max_position_embeddings", "seq_len", "attention_factor", "beta_fast", "beta_slow", "mscale",
       "mscale_all_dim", "low_freq_factor", "high_freq_factor", "short_factor", "long_factor", "inv_freq"});
  if (!status.ok()) {
    return require(untouched(inv_freq) && same_bits(result.attention_factor, canary<double>()) &&
                       same_bits(result.softmax_factor, canary<double>()),
                   "a refused call writes nothing");
  }
  require(
      all_finite(inv_freq) && std::isfinite(result.attention_factor) && std::isfinite(result.softmax_factor),
      "numbers give numbers");
  if (!tame) return;
  if (n_pairs > 128) return;  // The reference takes the square of it.
  const reference::ScaledRope want = reference::rope_scaling(scaling);
  require(inv_freq.size() == want.inv_freq.size(), "as many pairs as the reference has");
  const auto fastest = static_cast<double>(*std::max_element(want.inv_freq.begin(), want.inv_freq.end()));
  for (std::size_t i = 0; i < inv_freq.size(); ++i) {
    const auto frequency = static_cast<double>(want.inv_freq[i]);
    require(inv_freq[i] >= 0, "frequencies are not negative");
    // Slow frequencies may be off by more ulp, but by no more than what is not seen even at 2^31 - 1.
    const double bound =
        frequency >= fastest / 2 ? 0x1p-50 * frequency : std::min(0x1p-40 * frequency, 1e-6 * 0x1p-31);
    require_near(inv_freq[i], frequency, bound, "frequencies are those of the reference");
  }
  const auto attention_factor = static_cast<double>(want.attention_factor);
  const auto softmax_factor = static_cast<double>(want.softmax_factor);
  require_near(result.attention_factor, attention_factor, 0x1p-50 * attention_factor,
               "and so are the factors");
  require_near(result.softmax_factor, softmax_factor, 0x1p-50 * softmax_factor, "and so are the factors");
}

}  // namespace
}  // namespace ropewalk::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ropewalk::fuzz::Input input(data, size);
  ropewalk::fuzz::fuzz(input);
  return 0;
}

#include "ropewalk/rope_scaling.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>

#include "frequency.hpp"

namespace ropewalk {
namespace {

bool is_given(double field) noexcept { return !std::isnan(field); }
double or_else(double field, double otherwise) noexcept { return is_given(field) ? field : otherwise; }

bool is_part(double part) noexcept { return part > 0 && part <= 1; }

/// What the exponents are divided by, -2i/dim.
std::size_t dim_of(const RopeScaling& scaling) noexcept {
  if (scaling.type == RopeType::proportional) return scaling.head_dim;
  if (!is_part(scaling.partial_rotary_factor)) return 0;
  return static_cast<std::size_t>(scaling.head_dim * scaling.partial_rotary_factor);
}

/// How many pairs, from the first on, turn at all.
std::size_t turning_pairs(const RopeScaling& scaling) noexcept {
  if (scaling.type != RopeType::proportional) return rope_scaling_pairs(scaling);
  return static_cast<std::size_t>(scaling.head_dim * scaling.partial_rotary_factor / 2);
}

double original_len(const RopeScaling& scaling) noexcept {
  return or_else(scaling.original_max_position_embeddings, scaling.max_position_embeddings);
}

double factor_of(const RopeScaling& scaling) noexcept {
  return or_else(scaling.factor, scaling.max_position_embeddings / original_len(scaling));
}

// ---- Checks ----------------------------------------------------------------------------------------------

/// Keeps the first complaint of all.
class Checks {
 public:
  void require(bool holds, const char* field, double value, const char* allowed) noexcept {
    if (!holds) refuse(bad_value(field, value, allowed));
  }

  void positive(const char* field, double value) noexcept {
    require(is_base(value), field, value, base_bounds);
  }

  void above_one(const char* field, double value) noexcept {
    require(value > 1 && is_base(value), field, value, "a number above 1, at most 1e100");
  }

  void positive_if_given(const char* field, double value) noexcept {
    if (is_given(value)) positive(field, value);
  }

  void not_negative_if_given(const char* field, double value) noexcept {
    require(!is_given(value) || (value >= 0 && value <= 1e100), field, value, "a number from 0 to 1e100");
  }

  void pair_factors(const char* field, TensorView<const double, 1> factors, std::size_t n_pairs) noexcept {
    if (factors.shape[0] != n_pairs) {
      return refuse(bad_shape(field, static_cast<double>(factors.shape[0]), "a factor for each pair"));
    }
    for (std::size_t i = 0; i < n_pairs; ++i) positive(field, factors.data[i]);
  }

  void refuse(const Status& status) noexcept {
    if (status_.ok()) status_ = status;
  }

  const Status& status() const noexcept { return status_; }

 private:
  Status status_;
};

void check_original_len(Checks& checks, const RopeScaling& scaling) noexcept {
  checks.positive_if_given("max_position_embeddings", scaling.max_position_embeddings);
  checks.positive("original_max_position_embeddings", original_len(scaling));
}

/// Either by how much, or the length that it comes from.
void check_stretch(Checks& checks, const RopeScaling& scaling) noexcept {
  check_original_len(checks, scaling);
  if (is_given(scaling.factor)) {
    checks.positive("factor", scaling.factor);
  } else {
    checks.positive("max_position_embeddings", scaling.max_position_embeddings);
  }
}

Status check(const RopeScaling& scaling, std::size_t n_pairs) noexcept {
  Checks checks;
  checks.positive("rope_theta", scaling.rope_theta);
  checks.require(is_part(scaling.partial_rotary_factor), "partial_rotary_factor",
                 scaling.partial_rotary_factor, "above 0, at most 1");
  checks.require(n_pairs > 0, "head_dim", scaling.head_dim, "a pair or more that turns");
  switch (scaling.type) {
    case RopeType::standard:
      break;
    case RopeType::linear:
    case RopeType::ntk:
      checks.positive("factor", scaling.factor);
      break;
    case RopeType::proportional:
      checks.positive_if_given("factor", scaling.factor);
      break;
    case RopeType::dynamic:
      checks.positive("factor", scaling.factor);
      checks.positive("max_position_embeddings", scaling.max_position_embeddings);
      checks.not_negative_if_given("seq_len", scaling.seq_len);
      break;
    case RopeType::yarn:
      checks.above_one("rope_theta", scaling.rope_theta);
      check_stretch(checks, scaling);
      checks.positive_if_given("attention_factor", scaling.attention_factor);
      checks.positive("beta_fast", scaling.beta_fast);
      checks.positive("beta_slow", scaling.beta_slow);
      checks.not_negative_if_given("mscale", scaling.mscale);
      checks.not_negative_if_given("mscale_all_dim", scaling.mscale_all_dim);
      break;
    case RopeType::longrope:
      check_stretch(checks, scaling);
      checks.above_one("original_max_position_embeddings", original_len(scaling));
      checks.not_negative_if_given("seq_len", scaling.seq_len);
      checks.positive_if_given("attention_factor", scaling.attention_factor);
      checks.pair_factors("short_factor", scaling.short_factor, n_pairs);
      checks.pair_factors("long_factor", scaling.long_factor, n_pairs);
      break;
    case RopeType::llama3:
      checks.above_one("rope_theta", scaling.rope_theta);
      checks.positive("factor", scaling.factor);
      check_original_len(checks, scaling);
      checks.positive("low_freq_factor", scaling.low_freq_factor);
      checks.positive("high_freq_factor", scaling.high_freq_factor);
      checks.require(scaling.high_freq_factor >= scaling.low_freq_factor, "high_freq_factor",
                     scaling.high_freq_factor, "at least low_freq_factor");
      break;
  }
  return checks.status();
}

// ---- Frequencies -----------------------------------------------------------------------------------------

void divide(std::span<double> inv_freq, double factor) noexcept {
  for (double& frequency : inv_freq) frequency /= factor;
}

/// rope_theta * scale^(dim / (dim - 2)): each frequency by itself keeps digits that the new base would lose.
void change_base(std::span<double> inv_freq, std::size_t dim, double scale) noexcept {
  if (inv_freq.size() == 1) return;  // It turns by 1, whatever the base.
  const InverseFrequencies change(scale, dim - 2);
  for (std::size_t i = 1; i < inv_freq.size(); ++i) inv_freq[i] *= change[i];
}

/// `share` of the way from the trained frequency to that divided by factor.
double interpolate(double frequency, double factor, double share) noexcept {
  return frequency / factor * share + frequency * (1 - share);
}

/// YaRN (arXiv:2309.00071, section 3.2), with the ramp over indices of pairs as its authors' code has it.
void scale_by_yarn(const RopeScaling& scaling, std::span<double> inv_freq) noexcept {
  const auto dim = static_cast<double>(dim_of(scaling));
  // The pair, as a fraction, that makes so many turns over the original length.
  const auto pair_that_makes = [&](double turns) {
    return dim * natural_log(original_len(scaling) / (turns * 2 * std::numbers::pi)) /
           (2 * natural_log(scaling.rope_theta));
  };
  double first = pair_that_makes(scaling.beta_fast);
  double last = pair_that_makes(scaling.beta_slow);
  if (scaling.truncate) {
    first = std::floor(first);
    last = std::ceil(last);
  }
  first = std::max(first, 0.0);
  last = std::min(last, dim - 1);
  if (first == last) last += 0.001;
  for (std::size_t i = 0; i < inv_freq.size(); ++i) {
    const double share = std::clamp((static_cast<double>(i) - first) / (last - first), 0.0, 1.0);
    inv_freq[i] = interpolate(inv_freq[i], factor_of(scaling), share);
  }
}

void scale_by_llama3(const RopeScaling& scaling, std::span<double> inv_freq) noexcept {
  const double low = scaling.low_freq_factor;
  const double high = scaling.high_freq_factor;
  for (double& frequency : inv_freq) {
    const double turns = original_len(scaling) * frequency / (2 * std::numbers::pi);
    // Not clamped: where low is high, the ramp would be 0/0.
    const double share = turns >= high ? 0 : turns <= low ? 1 : (high - turns) / (high - low);
    frequency = interpolate(frequency, scaling.factor, share);
  }
}

void scale_by_longrope(const RopeScaling& scaling, std::span<double> inv_freq) noexcept {
  const bool is_long = or_else(scaling.seq_len, 0) > original_len(scaling);
  const double* const factors = is_long ? scaling.long_factor.data : scaling.short_factor.data;
  for (std::size_t i = 0; i < inv_freq.size(); ++i) inv_freq[i] /= factors[i];
}

// ---- Factors ---------------------------------------------------------------------------------------------

/// How much longer the logits of a stretched context are to be (arXiv:2309.00071, eq. 22), weighted.
double mscale(double factor, double weight) noexcept {
  return factor <= 1 ? 1 : 0.1 * weight * natural_log(factor) + 1;
}

RopeScalingFactors yarn_factors(const RopeScaling& scaling) noexcept {
  const double factor = factor_of(scaling);
  const double weight = or_else(scaling.mscale, 0);
  const double all_dim = or_else(scaling.mscale_all_dim, 0);
  const double all_dim_mscale = mscale(factor, all_dim);
  const bool both = weight != 0 && all_dim != 0;
  const double attention_factor = both ? mscale(factor, weight) / all_dim_mscale : mscale(factor, 1);
  return {or_else(scaling.attention_factor, attention_factor), all_dim_mscale * all_dim_mscale};
}

RopeScalingFactors longrope_factors(const RopeScaling& scaling) noexcept {
  const double factor = factor_of(scaling);
  const double grown =
      factor <= 1 ? 1 : std::sqrt(1 + natural_log(factor) / natural_log(original_len(scaling)));
  return {or_else(scaling.attention_factor, grown), 1};
}

}  // namespace

std::size_t rope_scaling_pairs(const RopeScaling& scaling) noexcept {
  const std::size_t dim = dim_of(scaling);
  return scaling.type == RopeType::proportional ? dim / 2 : dim / 2 + dim % 2;
}

Status rope_scaling(const RopeScaling& scaling, TensorView<double, 1> inv_freq,
                    RopeScalingFactors& factors) noexcept {
  const std::size_t n_pairs = rope_scaling_pairs(scaling);
  if (const Status status = check(scaling, n_pairs); !status.ok()) return status;
  if (inv_freq.shape[0] != n_pairs) {
    return bad_shape("inv_freq", static_cast<double>(inv_freq.shape[0]), "[rope_scaling_pairs]");
  }
  const std::span<double> frequencies(inv_freq.data, n_pairs);
  const std::size_t dim = dim_of(scaling);
  const std::size_t turning = turning_pairs(scaling);
  const InverseFrequencies trained(scaling.rope_theta, dim);
  for (std::size_t i = 0; i < n_pairs; ++i) {
    frequencies[i] = i < turning ? trained[i] : 0;
  }

  factors = {};
  switch (scaling.type) {
    case RopeType::standard:
      break;
    case RopeType::linear:
      divide(frequencies, scaling.factor);
      break;
    case RopeType::ntk:
      change_base(frequencies, dim, scaling.factor);
      break;
    case RopeType::dynamic: {
      const double max_len = scaling.max_position_embeddings;
      const double beyond = std::max(or_else(scaling.seq_len, max_len) - max_len, 0.0);
      change_base(frequencies, dim, 1 + scaling.factor * beyond / max_len);
      break;
    }
    case RopeType::yarn:
      scale_by_yarn(scaling, frequencies);
      factors = yarn_factors(scaling);
      break;
    case RopeType::longrope:
      scale_by_longrope(scaling, frequencies);
      factors = longrope_factors(scaling);
      break;
    case RopeType::llama3:
      scale_by_llama3(scaling, frequencies);
      break;
    case RopeType::proportional:
      divide(frequencies, or_else(scaling.factor, 1));
      break;
  }
  return {};
}

}  // namespace ropewalk

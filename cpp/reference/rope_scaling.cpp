#include "reference/rope_scaling.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "reference/encodings.hpp"

namespace ropewalk::reference {
namespace {

constexpr long double two_pi = 2 * std::numbers::pi_v<long double>;

/// base^(-2i/dim) for i < dim / 2, rounded up.
std::vector<long double> frequencies(long double base, std::size_t dim) {
  std::vector<long double> inv_freq;
  for (std::size_t i = 0; 2 * i < dim; ++i) inv_freq.push_back(frequency(base, i, dim));
  return inv_freq;
}

/// rope_theta * scale^(dim / (dim - 2)), which is rope_theta * scale / scale^(-2 / (dim - 2)).
long double ntk_base(long double rope_theta, long double scale, std::size_t dim) {
  return dim <= 2 ? rope_theta : rope_theta * scale / frequency(scale, 1, dim - 2);
}

/// arXiv:2306.15595, section 3.1
ScaledRope linear(const RopeScaling& scaling, std::size_t dim) {
  ScaledRope rope{frequencies(scaling.rope_theta, dim)};
  for (long double& step : rope.inv_freq) step /= scaling.factor;
  return rope;
}

ScaledRope ntk(const RopeScaling& scaling, std::size_t dim) {
  return {frequencies(ntk_base(scaling.rope_theta, scaling.factor, dim), dim)};
}

ScaledRope dynamic(const RopeScaling& scaling, std::size_t dim) {
  const long double max_len = scaling.max_position_embeddings;
  const long double seq_len = std::isnan(scaling.seq_len) ? max_len : std::fmax(scaling.seq_len, max_len);
  const long double scale = scaling.factor * seq_len / max_len - (scaling.factor - 1);
  return {frequencies(ntk_base(scaling.rope_theta, scale, dim), dim)};
}

/// arXiv:2309.00071, sections 3.2 and 3.4
ScaledRope yarn(const RopeScaling& scaling, std::size_t dim) {
  const long double max_len = scaling.max_position_embeddings;
  const long double original_len = std::isnan(scaling.original_max_position_embeddings)
                                       ? max_len
                                       : scaling.original_max_position_embeddings;
  const long double factor = std::isnan(scaling.factor) ? max_len / original_len : scaling.factor;
  const auto order = static_cast<long double>(dim);

  const auto correction = [&](long double turns) {
    return order * std::log(original_len / (turns * two_pi)) /
           (2 * std::log(static_cast<long double>(scaling.rope_theta)));
  };
  long double low = correction(scaling.beta_fast);
  long double high = correction(scaling.beta_slow);
  if (scaling.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  if (low < 0) low = 0;
  if (high > order - 1) high = order - 1;
  if (low == high) high += 0.001;

  ScaledRope rope{frequencies(scaling.rope_theta, dim)};
  for (std::size_t i = 0; i < rope.inv_freq.size(); ++i) {
    long double ramp = (static_cast<long double>(i) - low) / (high - low);
    if (ramp < 0) ramp = 0;
    if (ramp > 1) ramp = 1;
    rope.inv_freq[i] = rope.inv_freq[i] / factor * ramp + rope.inv_freq[i] * (1 - ramp);
  }

  const auto mscale = [&](long double weight) {
    return factor <= 1 ? 1 : 0.1L * weight * std::log(factor) + 1;
  };
  const bool has_mscale = scaling.mscale > 0;
  const bool has_all_dim = scaling.mscale_all_dim > 0;
  rope.attention_factor = mscale(1);
  if (has_mscale && has_all_dim) {
    rope.attention_factor = mscale(scaling.mscale) / mscale(scaling.mscale_all_dim);
  }
  if (!std::isnan(scaling.attention_factor)) rope.attention_factor = scaling.attention_factor;
  if (has_all_dim) rope.softmax_factor = mscale(scaling.mscale_all_dim) * mscale(scaling.mscale_all_dim);
  return rope;
}

/// arXiv:2402.13753, section 3.3
ScaledRope longrope(const RopeScaling& scaling, std::size_t dim) {
  const long double max_len = scaling.max_position_embeddings;
  const long double original_len = std::isnan(scaling.original_max_position_embeddings)
                                       ? max_len
                                       : scaling.original_max_position_embeddings;
  const long double factor = std::isnan(scaling.factor) ? max_len / original_len : scaling.factor;

  ScaledRope rope{frequencies(scaling.rope_theta, dim)};
  const bool is_long = scaling.seq_len > original_len;
  for (std::size_t i = 0; i < rope.inv_freq.size(); ++i) {
    rope.inv_freq[i] /= is_long ? scaling.long_factor.data[i] : scaling.short_factor.data[i];
  }
  if (factor > 1) rope.attention_factor = std::sqrt(1 + std::log(factor) / std::log(original_len));
  if (!std::isnan(scaling.attention_factor)) rope.attention_factor = scaling.attention_factor;
  return rope;
}

ScaledRope llama3(const RopeScaling& scaling, std::size_t dim) {
  const long double original_len = std::isnan(scaling.original_max_position_embeddings)
                                       ? scaling.max_position_embeddings
                                       : scaling.original_max_position_embeddings;
  const long double low = scaling.low_freq_factor;
  const long double high = scaling.high_freq_factor;
  ScaledRope rope{frequencies(scaling.rope_theta, dim)};
  for (long double& step : rope.inv_freq) {
    const long double wavelength = two_pi / step;
    if (wavelength < original_len / high) continue;
    if (wavelength > original_len / low) {
      step /= scaling.factor;
      continue;
    }
    const long double smooth = (original_len / wavelength - low) / (high - low);
    step = (1 - smooth) * step / scaling.factor + smooth * step;
  }
  return rope;
}

ScaledRope proportional(const RopeScaling& scaling) {
  const std::size_t head_dim = scaling.head_dim;
  const auto turning =
      static_cast<std::size_t>(std::floor(scaling.partial_rotary_factor * scaling.head_dim / 2));
  const long double factor = std::isnan(scaling.factor) ? 1 : scaling.factor;
  ScaledRope rope;
  for (std::size_t i = 0; i < head_dim / 2; ++i) {
    rope.inv_freq.push_back(i < turning ? frequency(scaling.rope_theta, i, head_dim) / factor : 0);
  }
  return rope;
}

}  // namespace

ScaledRope rope_scaling(const RopeScaling& scaling) {
  const auto dim = static_cast<std::size_t>(scaling.head_dim * scaling.partial_rotary_factor);
  switch (scaling.type) {
    case RopeType::standard:
      return {frequencies(scaling.rope_theta, dim)};
    case RopeType::linear:
      return linear(scaling, dim);
    case RopeType::ntk:
      return ntk(scaling, dim);
    case RopeType::dynamic:
      return dynamic(scaling, dim);
    case RopeType::yarn:
      return yarn(scaling, dim);
    case RopeType::longrope:
      return longrope(scaling, dim);
    case RopeType::llama3:
      return llama3(scaling, dim);
    case RopeType::proportional:
      return proportional(scaling);
  }
  return {};
}

}  // namespace ropewalk::reference

#pragma once

#include <cstdint>
#include <limits>

#include "ropewalk/status.hpp"
#include "ropewalk/tensor_view.hpp"

/// How a model is made to read further than it was trained to: by turning some of its pairs more slowly.
namespace ropewalk {

/// The names are those of `rope_type` in Hugging Face configurations, which also settle the semantics.
enum class RopeType : std::uint8_t {
  standard,  ///< "default": as trained
  linear,    ///< position interpolation (arXiv:2306.15595): all frequencies divided by factor
  ntk,  ///< "NTK-aware" (bloc97, 2023): rope_theta * factor^(d/(d-2)), so that the slowest pair alone is divided
  dynamic,  ///< NTK-aware by factor * seq_len / max_position_embeddings - (factor - 1), past that length alone
  yarn,     ///< YaRN (arXiv:2309.00071): fast pairs as trained, slow ones divided, a ramp between
  longrope,      ///< LongRoPE (arXiv:2402.13753): every pair divided by a searched factor of its own
  llama3,        ///< Llama 3.1: as YaRN, with the ramp over wavelengths
  proportional,  ///< Gemma 4: exponents over head_dim, the slowest pairs not turned at all
};

/// Numbers are from 1e-100 to 1e100 where nothing else is said; NaN stands for "not given" where a default is named.
struct RopeScaling {
  static constexpr double not_given = std::numeric_limits<double>::quiet_NaN();

  RopeType type = RopeType::standard;
  /// yarn, llama3: > 1.
  double rope_theta = 10000;
  /// Of the rotated heads: DeepSeek's qk_rope_head_dim.
  std::uint32_t head_dim = 0;
  /// In (0, 1]; rotary_dim is the integer part of head_dim * this.
  double partial_rotary_factor = 1;
  /// All but default; for proportional 1, for yarn and longrope max_position_embeddings /
  /// original_max_position_embeddings if not given.
  double factor = not_given;
  /// dynamic, longrope, and where factor is not given.
  double max_position_embeddings = not_given;
  /// yarn, longrope, llama3: max_position_embeddings if not given.
  double original_max_position_embeddings = not_given;
  /// dynamic, longrope: the length now; if not given the one that the model was trained with.
  double seq_len = not_given;
  /// yarn: by mscale if not given. longrope: sqrt(1 + ln(factor) / ln(original_max_position_embeddings)) if not given.
  double attention_factor = not_given;
  /// yarn: turns within the original length from which on a pair is fast.
  double beta_fast = 32;
  /// yarn: turns below which it is slow.
  double beta_slow = 1;
  /// yarn: whether the ramp's ends are whole pairs.
  bool truncate = true;
  /// yarn: with m(s) = 0.1 * s * ln(factor) + 1, attention_factor is m(mscale) / m(mscale_all_dim) where both are given
  /// and not 0, and m(1) else.
  double mscale = not_given;
  /// yarn: the softmax factor is m(mscale_all_dim)², and 1 if not given.
  double mscale_all_dim = not_given;
  double low_freq_factor = not_given;   ///< llama3
  double high_freq_factor = not_given;  ///< llama3; >= low_freq_factor
  /// longrope: [n_pairs], what each frequency is divided by up to the original length.
  TensorView<const double, 1> short_factor{};
  /// longrope: [n_pairs], the same past it.
  TensorView<const double, 1> long_factor{};
};

/// What a scaling comes to.
struct RopeScalingFactors {
  double attention_factor = 1;  ///< multiplies cos and sin, hence scores by its square
  double softmax_factor = 1;    ///< multiplies the softmax scale, where a model (DeepSeek) has that instead
};

/// Pairs that rope_scaling() gives frequencies to: half of rotary_dim, rounded up; for `proportional`, which pads
/// with zeros, half of head_dim, rounded down.
std::size_t rope_scaling_pairs(const RopeScaling& scaling) noexcept;

/// The frequencies of a scaling, and its factors.
///
/// inv_freq  [rope_scaling_pairs(scaling)], radians per position.
/// Errors    bad_value: a field of `scaling`, by its name: not finite, out of range, or not given and without a default.
///           bad_shape: short_factor, long_factor, inv_freq. The outputs are untouched.
/// Memory    none allocated.
/// Accuracy  each frequency within 4 ulp of double of what it was trained as, or of what it comes to where that is
///           more; 8 on a ramp of yarn that is not truncated. Where none is above 1, cosines and sines from
///           build_rope_cache() are thus within 1e-7 * attention_factor of those of the formulas without any
///           rounding for |position| <= 2^24, and within 1e-6 * attention_factor for all of int32. A ramp of llama3
///           has to be as wide as models have it for that, high_freq_factor >= 2 * low_freq_factor, or of no width.
///           tests/cpp/rope_scaling_test.cpp.
[[nodiscard]] Status rope_scaling(const RopeScaling& scaling, TensorView<double, 1> inv_freq,
                                  RopeScalingFactors& factors) noexcept;

}  // namespace ropewalk

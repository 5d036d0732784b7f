#pragma once

#include <cstdint>

#include "ropewalk/status.hpp"
#include "ropewalk/tensor_view.hpp"

/// From tokens to queries, keys and values, untrained: vectors drawn from a seed, so that what a picture shows is the
/// geometry of position and not learned meaning. The same seed gives the same vectors on every machine.
namespace ropewalk {

/// Draw an embedding for each token: independent components of mean 0 and variance 1, nearly normal (each the sum of
/// twelve uniform numbers, so never past ±6; excess kurtosis -0.1). A row depends on its token and the seed alone,
/// not on where it stands; a shorter row is the beginning of a longer one.
///
/// token_ids  [seq_len], any int32: equal ids, equal rows.
/// out        [seq_len, dim]; expected length of a row sqrt(dim).
/// Errors     bad_shape: out.shape[0] != seq_len; out is untouched.
/// Memory     none allocated.
[[nodiscard]] Status seeded_embedding(TensorView<const std::int32_t, 1> token_ids, std::uint32_t seed,
                                      TensorView<float, 2> out) noexcept;

/// Draw a projection matrix: independent, uniform in ±sqrt(3 / in_dim), so that it keeps the expected length per
/// component (the variance of LeCun's initialisation, Efficient BackProp, 1998, section 4.6).
///
/// seed, stream  different streams of one seed are independent: W_Q, W_K, W_V.
/// out           [out_dim, in_dim]
/// Memory        none allocated.
[[nodiscard]] Status seeded_projection(std::uint32_t seed, std::uint32_t stream,
                                       TensorView<float, 2> out) noexcept;

/// Add a positional encoding to embeddings in place: x += encoding.
///
/// encoding, x  [seq_len, dim]
/// Errors       bad_shape: shapes that disagree; x is untouched.
/// Memory       none allocated; x must not overlap encoding.
[[nodiscard]] Status add_encoding(TensorView<const float, 2> encoding, TensorView<float, 2> x) noexcept;

/// Project: out = x · weightᵀ.
///
/// x         [rows, in_dim]
/// weight    [out_dim, in_dim]
/// out       [rows, out_dim]
/// Errors    bad_shape: sizes that disagree; out is untouched.
/// Memory    none allocated; out must not overlap x or weight.
/// Accuracy  |error| <= in_dim * 2^-24 * sum |x| |weight|.
[[nodiscard]] Status linear(TensorView<const float, 2> x, TensorView<const float, 2> weight,
                            TensorView<float, 2> out) noexcept;

}  // namespace ropewalk

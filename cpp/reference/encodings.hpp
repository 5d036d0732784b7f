#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

/// The oracle: each formula of the lecture as it stands in its paper, in plain loops over doubles. Tests hold
/// the kernels to it, so it shares no code with them, and is written to be read rather than to be fast.
///
/// Tensors are row-major, outermost dimension first. Sizes that disagree are the caller's mistake and are not
/// looked for.
namespace ropewalk::reference {

/// base^(-2 pair / dim): how fast a pair of components turns, in radians per position. Sinusoidal encodings
/// and rotary embedding have it in common (arXiv:1706.03762, section 3.5; arXiv:2104.09864, section 3.2.2).
///
/// base  finite and > 0, with base^(2 dim) in the range of long double.
long double frequency(long double base, std::size_t pair, std::size_t dim);

/// [seq_len, dim]  out[s][c] = position_ids[s].
std::vector<double> integer_encoding(std::span<const std::int32_t> position_ids, std::size_t dim);

/// [seq_len, dim]  out[s][c] = bit c of position_ids[s], two's complement without end.
std::vector<double> binary_encoding(std::span<const std::int32_t> position_ids, std::size_t dim);

/// [seq_len, dim]  out[s][2i] = sin(position_ids[s] * base^(-2i/dim)), out[s][2i + 1] its cosine.
std::vector<double> sinusoidal_encoding(std::span<const std::int32_t> position_ids, double base,
                                        std::size_t dim);

}  // namespace ropewalk::reference

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ropewalk/position_bias.hpp"

namespace ropewalk::reference {

/// [n_heads]  For a power of two the geometric sequence that begins with its own ratio 2^(-8 / n_heads); else
///            the
/// sequence of the next lower power of two, and then the first, third, fifth … of the next higher one's
/// (arXiv:2108.12409, section 3 and its published code).
std::vector<double> alibi_slopes(std::size_t n_heads);

/// [n_heads, q_len, kv_len]  -slopes[h] * |i + query_offset - j|.
std::vector<double> alibi_bias(std::span<const double> slopes, std::size_t q_len, std::size_t kv_len,
                               std::int32_t query_offset);

/// The bucket of a key `ahead` tokens after the query, or -ahead before it (arXiv:1910.10683, section 2.1).
std::int32_t t5_bucket(std::int64_t ahead, const T5Buckets& options);

/// [q_len, kv_len]  t5_bucket(j - (i + query_offset)).
std::vector<std::int32_t> t5_buckets(std::size_t q_len, std::size_t kv_len, std::int32_t query_offset,
                                     const T5Buckets& options);

/// [n_heads, q_len, kv_len]  table[bucket][h], table [num_buckets, n_heads].
std::vector<double> t5_bias(std::span<const double> table, std::size_t n_heads, std::size_t q_len,
                            std::size_t kv_len, std::int32_t query_offset, const T5Buckets& options);

}  // namespace ropewalk::reference

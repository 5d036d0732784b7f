#include "reference/position_bias.hpp"

#include <algorithm>
#include <cmath>

namespace ropewalk::reference {
namespace {

/// A whole number without an upper end: its decimal digits nine by nine, the lowest first.
using Natural = std::vector<std::uint64_t>;

Natural times(Natural number, std::uint64_t factor) {
  constexpr std::uint64_t base = 1'000'000'000;
  std::uint64_t carry = 0;
  for (std::uint64_t& digit : number) {
    const std::uint64_t value = digit * factor + carry;
    digit = value % base;
    carry = value / base;
  }
  for (; carry > 0; carry /= base) number.push_back(carry % base);
  return number;
}

Natural power(Natural number, std::uint64_t factor, std::int64_t exponent) {
  for (std::int64_t e = 0; e < exponent; ++e) number = times(number, factor);
  return number;
}

bool at_least(const Natural& a, const Natural& b) {
  if (a.size() != b.size()) return a.size() > b.size();
  return !std::lexicographical_compare(a.rbegin(), a.rend(), b.rbegin(), b.rend());
}

/// floor(ln(distance / n_exact) / ln(max_distance / n_exact) * n_shared): the largest k for which
/// (distance / n_exact)^n_shared >= (max_distance / n_exact)^k, in whole numbers. At most n_shared.
std::int64_t logarithmic(std::uint64_t distance, std::uint64_t n_exact, std::uint64_t max_distance,
                         std::int64_t n_shared) {
  const Natural left = power({1}, distance, n_shared);
  std::int64_t k = 0;
  while (k < n_shared &&
         at_least(left, power(power({1}, max_distance, k + 1), n_exact, n_shared - (k + 1)))) {
    ++k;
  }
  return k;
}

}  // namespace

std::vector<double> alibi_slopes(std::size_t n_heads) {
  std::size_t power_of_two = 1;
  while (2 * power_of_two <= n_heads) power_of_two *= 2;
  std::vector<double> slopes;
  if (power_of_two == n_heads) {
    const double ratio = std::pow(2.0, -8.0 / static_cast<double>(n_heads));
    for (std::size_t h = 0; h < n_heads; ++h) slopes.push_back(std::pow(ratio, static_cast<double>(h + 1)));
    return slopes;
  }
  slopes = alibi_slopes(power_of_two);
  const std::vector<double> finer = alibi_slopes(2 * power_of_two);
  for (std::size_t h = 0; slopes.size() < n_heads; h += 2) slopes.push_back(finer[h]);
  return slopes;
}

std::vector<double> alibi_bias(std::span<const double> slopes, std::size_t q_len, std::size_t kv_len,
                               std::int32_t query_offset) {
  std::vector<double> bias;
  for (const double slope : slopes) {
    for (std::size_t i = 0; i < q_len; ++i) {
      for (std::size_t j = 0; j < kv_len; ++j) {
        const double position = static_cast<double>(i) + query_offset;
        bias.push_back(-slope * std::abs(position - static_cast<double>(j)));
      }
    }
  }
  return bias;
}

std::int32_t t5_bucket(std::int64_t ahead, const T5Buckets& options) {
  std::int64_t n_buckets = options.num_buckets;
  std::int64_t first_bucket = 0;
  std::int64_t distance = std::max<std::int64_t>(-ahead, 0);
  if (options.bidirectional) {
    n_buckets /= 2;
    if (ahead > 0) first_bucket = n_buckets;
    distance = std::abs(ahead);
  }
  const std::int64_t n_exact = n_buckets / 2;
  std::int64_t bucket = distance;
  if (distance >= n_exact) {
    const std::int64_t n_shared = n_buckets - n_exact;
    bucket = n_exact + logarithmic(static_cast<std::uint64_t>(distance), static_cast<std::uint64_t>(n_exact),
                                   static_cast<std::uint64_t>(options.max_distance), n_shared);
  }
  return static_cast<std::int32_t>(first_bucket + std::min(bucket, n_buckets - 1));
}

std::vector<std::int32_t> t5_buckets(std::size_t q_len, std::size_t kv_len, std::int32_t query_offset,
                                     const T5Buckets& options) {
  std::vector<std::int32_t> buckets;
  for (std::size_t i = 0; i < q_len; ++i) {
    for (std::size_t j = 0; j < kv_len; ++j) {
      const std::int64_t position = static_cast<std::int64_t>(i) + query_offset;
      buckets.push_back(t5_bucket(static_cast<std::int64_t>(j) - position, options));
    }
  }
  return buckets;
}

std::vector<double> t5_bias(std::span<const double> table, std::size_t n_heads, std::size_t q_len,
                            std::size_t kv_len, std::int32_t query_offset, const T5Buckets& options) {
  const std::vector<std::int32_t> buckets = t5_buckets(q_len, kv_len, query_offset, options);
  std::vector<double> bias;
  for (std::size_t h = 0; h < n_heads; ++h) {
    for (const std::int32_t bucket : buckets)
      bias.push_back(table[static_cast<std::size_t>(bucket) * n_heads + h]);
  }
  return bias;
}

}  // namespace ropewalk::reference

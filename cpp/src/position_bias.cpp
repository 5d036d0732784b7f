#include "ropewalk/position_bias.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>

#include "frequency.hpp"

namespace ropewalk {
namespace {

/// Query position - key position. In 64 bits: neither a query_offset nor a difference overflows.
constexpr std::int64_t distance_between(std::size_t i, std::size_t j, std::int32_t query_offset) noexcept {
  return static_cast<std::int64_t>(i) + query_offset - static_cast<std::int64_t>(j);
}

/// Element (i, j) depends on i - j alone: draw the first row and the first column of [q_len, kv_len] by
/// `set(i, j)`, and every other element is its neighbour's up and to the left.
template <class T, class Set>
void fill_diagonals(TensorView<T, 2> out, const Set& set) noexcept {
  const auto [q_len, kv_len] = out.shape;
  if (out.empty()) return;
  for (std::size_t j = 0; j < kv_len; ++j) out.row(0)[j] = set(std::size_t{0}, j);
  for (std::size_t i = 1; i < q_len; ++i) {
    out.row(i)[0] = set(i, std::size_t{0});
    std::copy_n(out.row(i - 1), kv_len - 1, out.row(i) + 1);
  }
}

// ---- T5's buckets ----------------------------------------------------------------------------------------

constexpr std::size_t max_num_buckets = 512;

/// A whole number of any size that comes up here: at most max_num_buckets / 2 factors below 2^31.
class Product {
 public:
  void multiply(std::uint32_t factor, std::size_t times) noexcept {
    for (std::size_t t = 0; t < times; ++t) {
      std::uint64_t carry = 0;
      for (std::size_t d = 0; d < size_; ++d) {
        carry += std::uint64_t{digits_[d]} * factor;
        digits_[d] = static_cast<std::uint32_t>(carry);
        carry >>= 32;
      }
      if (carry != 0) digits_[size_++] = static_cast<std::uint32_t>(carry);
    }
  }

  bool at_least(const Product& other) const noexcept {
    if (size_ != other.size_) return size_ > other.size_;
    for (std::size_t d = size_; d-- > 0;) {
      if (digits_[d] != other.digits_[d]) return digits_[d] > other.digits_[d];
    }
    return true;
  }

 private:
  std::array<std::uint32_t, max_num_buckets / 2> digits_{1};  // lowest first, size_ of them
  std::size_t size_ = 1;
};

/// The buckets of one side. Distances below `n_exact` have one each. The others share what is left: bucket
/// n_exact + k begins where
///
///     ln(distance / n_exact) / ln(max_distance / n_exact) * n_shared >= k
///
/// which is distance^n_shared >= max_distance^k * n_exact^(n_shared - k), and so can be decided in whole
/// numbers. In floating point it could not where both sides are equal, as they are at 16, 32 and 64 for 32
/// buckets and 128.
class Side {
 public:
  Side(std::size_t num_buckets, std::uint32_t max_distance) noexcept
      : n_exact_(num_buckets / 2), n_shared_(num_buckets - num_buckets / 2) {
    const double n_exact = static_cast<double>(n_exact_);
    const double log_ratio = std::log1p((max_distance - n_exact) / n_exact);
    for (std::size_t k = 1; k < n_shared_; ++k) {
      Product bound;
      bound.multiply(max_distance, k);
      bound.multiply(static_cast<std::uint32_t>(n_exact_), n_shared_ - k);
      const auto reaches = [&](std::uint32_t distance) {
        Product power;
        power.multiply(distance, n_shared_);
        return power.at_least(bound);
      };
      // Logarithms give a guess, rounded down and thus never past the bound, which whole numbers put right.
      const double fraction = static_cast<double>(k) / static_cast<double>(n_shared_);
      auto begin = static_cast<std::uint32_t>(n_exact * std::exp(fraction * log_ratio));
      while (!reaches(begin)) ++begin;
      begins_[k - 1] = begin;
    }
  }

  std::int32_t bucket(std::int64_t distance) const noexcept {
    if (distance < static_cast<std::int64_t>(n_exact_)) return static_cast<std::int32_t>(distance);
    const auto begins = begins_.begin();
    const auto passed =
        std::upper_bound(begins, begins + static_cast<std::ptrdiff_t>(n_shared_ - 1), distance);
    return static_cast<std::int32_t>(n_exact_) + static_cast<std::int32_t>(passed - begins);
  }

 private:
  std::size_t n_exact_;
  std::size_t n_shared_;
  std::array<std::uint32_t, max_num_buckets / 2> begins_;  // of all shared buckets but the first
};

class Buckets {
 public:
  explicit Buckets(const T5Buckets& options) noexcept
      : n_ahead_(options.bidirectional ? options.num_buckets / 2 : 0),
        side_(static_cast<std::size_t>(options.num_buckets - n_ahead_),
              static_cast<std::uint32_t>(options.max_distance)) {}

  std::int32_t at(std::int64_t distance) const noexcept {
    if (distance >= 0) return side_.bucket(distance);
    return n_ahead_ > 0 ? n_ahead_ + side_.bucket(-distance) : 0;
  }

 private:
  std::int32_t n_ahead_;
  Side side_;
};

Status check(const T5Buckets& options) noexcept {
  const std::int32_t n = options.num_buckets;
  if (n > static_cast<std::int32_t>(max_num_buckets) ||
      (options.bidirectional ? n < 4 || n % 2 != 0 : n < 2)) {
    return bad_value("num_buckets", n,
                     options.bidirectional ? "an even number from 4 to 512" : "a number from 2 to 512");
  }
  if (options.max_distance <= n / (options.bidirectional ? 4 : 2)) {
    return bad_value("max_distance", options.max_distance,
                     "more than the distances that have a bucket each: half of a side's buckets");
  }
  return {};
}

}  // namespace

// ---- ALiBi -----------------------------------------------------------------------------------------------

void alibi_slopes(TensorView<float, 1> out) noexcept {
  const std::size_t n_heads = out.size();
  const std::size_t power = std::bit_floor(n_heads);
  // 2^(-8 step / steps) is 256^(-2 step / (2 steps)).
  const InverseFrequencies slopes(256, 2 * power);
  const InverseFrequencies slopes_between(256, 4 * power);
  for (std::size_t h = 0; h < n_heads; ++h) {
    // Past the power of two: head 0, 2, 4, … of twice as many.
    const std::size_t step = h < power ? h + 1 : 2 * (h - power) + 1;
    out.data[h] = static_cast<float>(h < power ? slopes[step] : slopes_between[step]);
  }
}

Status alibi_bias(TensorView<const float, 1> slopes, std::int32_t query_offset,
                  TensorView<float, 3> out) noexcept {
  const auto [n_heads, q_len, kv_len] = out.shape;
  if (slopes.size() != n_heads) {
    return bad_shape("slopes", static_cast<double>(slopes.size()), "one for each of n_heads");
  }
  for (std::size_t h = 0; h < n_heads; ++h) {
    const double slope = slopes.data[h];
    fill_diagonals(TensorView<float, 2>{out.row(h, 0), {q_len, kv_len}}, [&](std::size_t i, std::size_t j) {
      return static_cast<float>(slope * static_cast<double>(-std::abs(distance_between(i, j, query_offset))));
    });
  }
  return {};
}

// ---- T5 --------------------------------------------------------------------------------------------------

Status t5_buckets(const T5Buckets& options, std::int32_t query_offset,
                  TensorView<std::int32_t, 2> out) noexcept {
  if (const Status status = check(options); !status.ok()) return status;
  const Buckets buckets(options);
  fill_diagonals(
      out, [&](std::size_t i, std::size_t j) { return buckets.at(distance_between(i, j, query_offset)); });
  return {};
}

Status t5_bias(TensorView<const float, 2> table, const T5Buckets& options, std::int32_t query_offset,
               TensorView<float, 3> out) noexcept {
  if (const Status status = check(options); !status.ok()) return status;
  const auto [n_heads, q_len, kv_len] = out.shape;
  if (table.shape[0] != static_cast<std::size_t>(options.num_buckets)) {
    return bad_shape("table", static_cast<double>(table.shape[0]), "a row for each of num_buckets");
  }
  if (table.shape[1] != n_heads) {
    return bad_shape("table", static_cast<double>(table.shape[1]), "a column for each of n_heads");
  }
  const Buckets buckets(options);
  for (std::size_t h = 0; h < n_heads; ++h) {
    fill_diagonals(TensorView<float, 2>{out.row(h, 0), {q_len, kv_len}}, [&](std::size_t i, std::size_t j) {
      return table.row(buckets.at(distance_between(i, j, query_offset)))[h];
    });
  }
  return {};
}

}  // namespace ropewalk

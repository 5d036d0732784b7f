#include "reference/analysis.hpp"

#include <cmath>
#include <complex>
#include <limits>
#include <numbers>

#include "reference/rope.hpp"

namespace ropewalk::reference {
namespace {

/// SplitMix64 as Steele, Lea and Flood published it: a counter, and what scrambles it.
class SplitMix64 {
 public:
  static constexpr std::uint64_t gamma = 0x9e3779b97f4a7c15;

  explicit SplitMix64(std::uint64_t state) : state_(state) {}

  std::uint64_t next() { return mix(state_ += gamma); }

  static std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

double nearly_normal(SplitMix64& generator) {
  double sum = -6;
  for (int output = 0; output < 3; ++output) {
    const std::uint64_t bits = generator.next();
    for (int shift = 0; shift < 64; shift += 16) {
      sum += (static_cast<double>((bits >> shift) % 65'536) + 0.5) / 65'536;
    }
  }
  return sum;
}

double cosine_between(std::span<const double> a, std::span<const double> b) {
  long double ab = 0;
  long double aa = 0;
  long double bb = 0;
  for (std::size_t c = 0; c < a.size(); ++c) {
    ab += static_cast<long double>(a[c]) * b[c];
    aa += static_cast<long double>(a[c]) * a[c];
    bb += static_cast<long double>(b[c]) * b[c];
  }
  if (aa == 0 || bb == 0) return 0;
  return static_cast<double>(ab / std::sqrt(aa) / std::sqrt(bb));
}

}  // namespace

std::vector<double> row_norms(std::span<const double> x, std::size_t rows, std::size_t dim) {
  std::vector<double> norms;
  for (std::size_t r = 0; r < rows; ++r) {
    double sum = 0;
    for (std::size_t c = 0; c < dim; ++c) sum += x[r * dim + c] * x[r * dim + c];
    norms.push_back(std::sqrt(sum));
  }
  return norms;
}

double max_abs_difference(std::span<const double> a, std::span<const double> b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(a[i] - b[i]);
    if (std::isnan(difference)) return std::numeric_limits<double>::quiet_NaN();
    if (difference > largest) largest = difference;
  }
  return largest;
}

std::vector<double> rope_angles(double first_position, double step, std::size_t count,
                                std::span<const double> inv_freq) {
  std::vector<double> angles;
  for (std::size_t s = 0; s < count; ++s) {
    const long double position = first_position + static_cast<long double>(s) * step;
    for (const double frequency : inv_freq) {
      const long double angle = position * frequency;
      // The direction of (cos, sin) is the angle less its whole turns, and needs no pi of our own.
      angles.push_back(static_cast<double>(std::atan2(std::sin(angle), std::cos(angle))));
    }
  }
  return angles;
}

Polar pair_polar(std::span<const double> x, RopeLayout layout) {
  Polar polar;
  for (std::size_t pair = 0; pair < x.size() / 2; ++pair) {
    const auto [first, second] = pair_components(pair, x.size(), layout);
    polar.magnitude.push_back(std::hypot(x[first], x[second]));
    polar.angle.push_back(std::atan2(x[second], x[first]));
  }
  return polar;
}

std::vector<double> pair_scores(std::span<const double> query, std::span<const double> key, RopeLayout layout,
                                double softmax_scale) {
  std::vector<double> scores;
  for (std::size_t pair = 0; pair < query.size() / 2; ++pair) {
    const auto [first, second] = pair_components(pair, query.size(), layout);
    scores.push_back(softmax_scale * (query[first] * key[first] + query[second] * key[second]));
  }
  return scores;
}

RopeScore rope_score(std::span<const double> query, std::span<const double> key,
                     std::span<const double> inv_freq, RopeLayout layout, double distance,
                     double softmax_scale, std::span<const std::uint8_t> pair_mask) {
  const std::size_t n_pairs = inv_freq.size();
  RopeScore result;
  for (std::size_t c = 2 * n_pairs; c < query.size(); ++c) result.rest += softmax_scale * query[c] * key[c];
  result.score = result.rest;
  for (std::size_t pair = 0; pair < n_pairs; ++pair) {
    const auto [first, second] = pair_components(pair, 2 * n_pairs, layout);
    const long double angle = static_cast<long double>(distance) * inv_freq[pair];
    const auto cos = static_cast<double>(std::cos(angle));
    const auto sin = static_cast<double>(std::sin(angle));
    const double rotated_first = query[first] * cos - query[second] * sin;
    const double rotated_second = query[first] * sin + query[second] * cos;
    const double part = softmax_scale * (rotated_first * key[first] + rotated_second * key[second]);
    result.parts.push_back(part);
    if (pair_mask.empty() || pair_mask[pair] != 0) result.score += part;
  }
  return result;
}

RandomScores rope_random_scores(std::span<const double> inv_freq, std::uint32_t seed, std::uint32_t draws,
                                double correlation, std::span<const double> distances) {
  const std::size_t head_dim = 2 * inv_freq.size();
  const double softmax_scale = 1 / std::sqrt(static_cast<double>(head_dim));
  const std::uint64_t scrambled_seed = SplitMix64(seed ^ (std::uint32_t{1} << 30)).next();
  std::vector<std::vector<double>> scores(distances.size());
  for (std::uint32_t t = 0; t < draws; ++t) {
    SplitMix64 generator(SplitMix64::mix(scrambled_seed + (t + std::uint64_t{1}) * SplitMix64::gamma));
    std::vector<double> query;
    std::vector<double> key;
    for (std::size_t pair = 0; pair < inv_freq.size(); ++pair) {
      query.push_back(nearly_normal(generator));
      query.push_back(nearly_normal(generator));
      for (const double component : {query[2 * pair], query[2 * pair + 1]}) {
        key.push_back(correlation * component +
                      std::sqrt(1 - correlation * correlation) * nearly_normal(generator));
      }
    }
    for (std::size_t s = 0; s < distances.size(); ++s) {
      const RopeScore score =
          rope_score(query, key, inv_freq, RopeLayout::interleaved, distances[s], softmax_scale, {});
      scores[s].push_back(score.score);
    }
  }
  RandomScores result;
  for (const std::vector<double>& at_distance : scores) {
    double mean = 0;
    for (const double score : at_distance) mean += score / draws;
    double square = 0;
    for (const double score : at_distance) square += (score - mean) * (score - mean) / draws;
    result.mean.push_back(mean);
    result.deviation.push_back(std::sqrt(square));
  }
  return result;
}

double rope_decay_bound(std::span<const double> inv_freq, double distance) {
  std::complex<long double> sum = 0;
  long double lengths = 0;
  for (const double frequency : inv_freq) {
    sum += std::polar(1.0L, static_cast<long double>(distance) * frequency);
    lengths += std::abs(sum);
  }
  return static_cast<double>(lengths / static_cast<long double>(inv_freq.size()));
}

std::vector<double> rope_wavelengths(std::span<const double> inv_freq) {
  std::vector<double> wavelengths;
  for (const double frequency : inv_freq) {
    wavelengths.push_back(static_cast<double>(2 * std::numbers::pi_v<long double> / std::abs(frequency)));
  }
  return wavelengths;
}

std::vector<double> row_cosines(std::span<const double> a, std::span<const double> b, std::size_t rows,
                                std::size_t dim) {
  std::vector<double> cosines;
  for (std::size_t r = 0; r < rows; ++r) {
    cosines.push_back(cosine_between(a.subspan(r * dim, dim), b.subspan(r * dim, dim)));
  }
  return cosines;
}

std::vector<double> neighbour_distances(std::span<const double> x, std::size_t rows, std::size_t dim) {
  std::vector<double> distances;
  for (std::size_t r = 1; r < rows; ++r) {
    long double square = 0;
    for (std::size_t c = 0; c < dim; ++c) {
      const long double difference = static_cast<long double>(x[r * dim + c]) - x[(r - 1) * dim + c];
      square += difference * difference;
    }
    distances.push_back(static_cast<double>(std::sqrt(square)));
  }
  return distances;
}

std::vector<double> similarity(std::span<const double> x, std::size_t rows, std::size_t dim, bool cosine) {
  std::vector<double> out;
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < rows; ++j) {
      const std::span<const double> a = x.subspan(i * dim, dim);
      const std::span<const double> b = x.subspan(j * dim, dim);
      long double product = 0;
      for (std::size_t c = 0; c < dim; ++c) product += static_cast<long double>(a[c]) * b[c];
      out.push_back(cosine ? cosine_between(a, b) : static_cast<double>(product));
    }
  }
  return out;
}

}  // namespace ropewalk::reference

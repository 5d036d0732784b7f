#include "reference/analysis.hpp"

#include <cmath>
#include <limits>

#include "reference/rope.hpp"

namespace ropewalk::reference {

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

}  // namespace ropewalk::reference

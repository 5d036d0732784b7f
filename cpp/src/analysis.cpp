#include "ropewalk/analysis.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "frequency.hpp"
#include "pairs.hpp"
#include "random.hpp"
#include "unit_circle.hpp"

namespace ropewalk {
namespace {

// ---- Rows ------------------------------------------------------------------------------------------------

/// In double, and in four sums, so that one addition need not wait for another.
double dot(const float* a, const float* b, std::size_t size) noexcept {
  constexpr std::size_t lanes = 4;
  std::array<double, lanes> sums{};
  std::size_t c = 0;
  for (; c + lanes <= size; c += lanes) {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      sums[lane] += static_cast<double>(a[c + lane]) * static_cast<double>(b[c + lane]);
    }
  }
  for (; c < size; ++c) sums[0] += static_cast<double>(a[c]) * static_cast<double>(b[c]);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

/// a · b / (|a| |b|), from the squares of the lengths. What rounding carries past ±1 is lost again in float.
float cosine_of(double dot_product, double square_a, double square_b) noexcept {
  const double squares = square_a * square_b;
  return squares == 0 ? 0 : static_cast<float>(dot_product / std::sqrt(squares));
}

// ---- Distances -------------------------------------------------------------------------------------------

Status check_finite(const char* argument, double value) noexcept {
  if (!std::isfinite(value)) return bad_value(argument, value, "a finite number");
  return {};
}

Status check_distance(const char* argument, double value) noexcept {
  if (!is_angle_factor(value)) return bad_value(argument, value, angle_factor_bounds);
  return {};
}

/// Distances first + s * step.
struct Distances {
  double first;
  double step;

  double at(std::size_t s) const noexcept { return first + static_cast<double>(s) * step; }
};

Status check_distances(const Distances& distances) noexcept {
  if (const Status status = check_distance("first_distance", distances.first); !status.ok()) return status;
  return check_distance("step", distances.step);
}

/// Distances that are dealt with at a time, so that what belongs to each of them fits the stack.
constexpr std::size_t block_size = 128;
using Block = std::array<double, block_size>;

/// Cosine and sine of distance * frequency for a block of distances, from those of the first distance and of
/// the step alone: what is there already, turned on by as much, is as much again. Such an angle is off by
/// 2^-44, and by what double loses of distance * frequency.
struct Turns {
  Block cos;
  Block sin;

  void fill(const Distances& distances, std::size_t s, std::size_t size, double frequency) noexcept {
    const Point first = unit_point(distances.at(s) * frequency);
    cos[0] = first.cos;
    sin[0] = first.sin;
    auto [turn_cos, turn_sin] = unit_point(distances.step * frequency);
    for (std::size_t done = 1; done < size; done *= 2) {
      for (std::size_t i = 0; i < std::min(done, size - done); ++i) {
        cos[done + i] = cos[i] * turn_cos - sin[i] * turn_sin;
        sin[done + i] = sin[i] * turn_cos + cos[i] * turn_sin;
      }
      const double twice_cos = turn_cos * turn_cos - turn_sin * turn_sin;
      turn_sin = 2 * turn_cos * turn_sin;
      turn_cos = twice_cos;
    }
  }
};

/// A pair gives cosine * cos(distance * inv_freq) + sine * sin(distance * inv_freq) to the score: as complex
/// numbers the rotated query and key are q e^(i m f) and k e^(i n f), and their dot product is the real part
/// of q conj(k) e^(i (m - n) f).
struct PairProduct {
  double cosine;
  double sine;
};

constexpr PairProduct pair_product(double query_a, double query_b, double key_a, double key_b) noexcept {
  return {query_a * key_a + query_b * key_b, query_a * key_b - query_b * key_a};
}

PairProduct pair_product(TensorView<const float, 1> query, TensorView<const float, 1> key,
                         Pair pair) noexcept {
  return pair_product(query.data[pair.a], query.data[pair.b], key.data[pair.a], key.data[pair.b]);
}

Status check_score(TensorView<const float, 1> query, TensorView<const float, 1> key,
                   TensorView<const double, 1> inv_freq,
                   TensorView<const std::uint8_t, 1> pair_mask) noexcept {
  const std::size_t n_pairs = inv_freq.size();
  if (key.size() != query.size()) {
    return bad_shape("key", static_cast<double>(key.size()), "the head_dim of query");
  }
  if (n_pairs > query.size() / 2) {
    return bad_shape("inv_freq", static_cast<double>(n_pairs), "at most head_dim / 2 pairs");
  }
  if (!pair_mask.empty() && pair_mask.size() != n_pairs) {
    return bad_shape("pair_mask", static_cast<double>(pair_mask.size()),
                     "an element for each of inv_freq, or none");
  }
  return check_frequencies(inv_freq);
}

bool is_left_out(TensorView<const std::uint8_t, 1> pair_mask, std::size_t pair) noexcept {
  return !pair_mask.empty() && pair_mask.data[pair] == 0;
}

/// q · k of the components that are not rotated.
double unrotated_dot(TensorView<const float, 1> query, TensorView<const float, 1> key,
                     std::size_t n_pairs) noexcept {
  return dot(query.data + 2 * n_pairs, key.data + 2 * n_pairs, query.size() - 2 * n_pairs);
}

}  // namespace

Status row_norms(TensorView<const float, 2> x, TensorView<float, 1> out) noexcept {
  if (out.shape[0] != x.shape[0]) {
    return bad_shape("out", static_cast<double>(out.shape[0]), "an element for each row of x");
  }
  for (std::size_t r = 0; r < x.shape[0]; ++r) {
    out.data[r] = static_cast<float>(std::sqrt(dot(x.row(r), x.row(r), x.shape[1])));
  }
  return {};
}

Status max_abs_difference(TensorView<const float, 1> a, TensorView<const float, 1> b, float& out) noexcept {
  if (a.shape != b.shape) return bad_shape("b", static_cast<double>(b.size()), "as many elements as a");
  float largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const float difference = std::abs(a.data[i] - b.data[i]);
    // Written so that a NaN enters and then stays.
    if (!(difference <= largest)) largest = difference;
    if (std::isnan(largest)) break;
  }
  out = largest;
  return {};
}

Status rope_angles(double first_position, double step, TensorView<const double, 1> inv_freq,
                   TensorView<float, 2> out) noexcept {
  if (const Status status = check_finite("first_position", first_position); !status.ok()) return status;
  if (const Status status = check_finite("step", step); !status.ok()) return status;
  if (out.shape[1] != inv_freq.shape[0]) {
    return bad_shape("out", static_cast<double>(out.shape[1]), "a column for each of inv_freq");
  }
  for (std::size_t s = 0; s < out.shape[0]; ++s) {
    const double position = first_position + static_cast<double>(s) * step;
    for (std::size_t i = 0; i < out.shape[1]; ++i) {
      out.row(s)[i] = static_cast<float>(std::remainder(position * inv_freq.data[i], 2 * std::numbers::pi));
    }
  }
  return {};
}

Status pair_polar(TensorView<const float, 1> x, RopeLayout layout, TensorView<float, 1> magnitude,
                  TensorView<float, 1> angle) noexcept {
  const std::size_t n_pairs = x.size() / 2;
  if (x.size() % 2 != 0) return bad_shape("x", static_cast<double>(x.size()), "an even head_dim");
  constexpr const char* allowed = "[head_dim / 2]";
  if (magnitude.size() != n_pairs)
    return bad_shape("magnitude", static_cast<double>(magnitude.size()), allowed);
  if (angle.size() != n_pairs) return bad_shape("angle", static_cast<double>(angle.size()), allowed);
  for (std::size_t i = 0; i < n_pairs; ++i) {
    const auto [a, b] = pair_at(i, n_pairs, layout);
    const double xa = x.data[a];
    const double xb = x.data[b];
    magnitude.data[i] = static_cast<float>(std::sqrt(xa * xa + xb * xb));
    angle.data[i] = static_cast<float>(std::atan2(xb, xa));
  }
  return {};
}

Status pair_scores(TensorView<const float, 1> query, TensorView<const float, 1> key, RopeLayout layout,
                   float softmax_scale, TensorView<float, 1> out) noexcept {
  const std::size_t n_pairs = query.size() / 2;
  if (query.size() % 2 != 0) return bad_shape("query", static_cast<double>(query.size()), "an even head_dim");
  if (key.size() != query.size())
    return bad_shape("key", static_cast<double>(key.size()), "the head_dim of query");
  if (out.size() != n_pairs) return bad_shape("out", static_cast<double>(out.size()), "[head_dim / 2]");
  if (const Status status = check_finite("softmax_scale", softmax_scale); !status.ok()) return status;
  for (std::size_t i = 0; i < n_pairs; ++i) {
    const auto [a, b] = pair_at(i, n_pairs, layout);
    const double sum =
        static_cast<double>(query.data[a]) * key.data[a] + static_cast<double>(query.data[b]) * key.data[b];
    out.data[i] = static_cast<float>(sum * softmax_scale);
  }
  return {};
}

Status rope_score(TensorView<const float, 1> query, TensorView<const float, 1> key,
                  TensorView<const double, 1> inv_freq, RopeLayout layout, double distance,
                  double softmax_scale, TensorView<const std::uint8_t, 1> pair_mask,
                  TensorView<float, 1> parts, TensorView<float, 1> totals) noexcept {
  const std::size_t n_pairs = inv_freq.size();
  if (const Status status = check_score(query, key, inv_freq, pair_mask); !status.ok()) return status;
  if (parts.size() != n_pairs) {
    return bad_shape("parts", static_cast<double>(parts.size()), "an element for each of inv_freq");
  }
  if (totals.size() != 2) return bad_shape("totals", static_cast<double>(totals.size()), "[2]");
  if (const Status status = check_distance("distance", distance); !status.ok()) return status;
  if (const Status status = check_finite("softmax_scale", softmax_scale); !status.ok()) return status;
  const double rest = softmax_scale * unrotated_dot(query, key, n_pairs);
  double score = rest;
  for (std::size_t i = 0; i < n_pairs; ++i) {
    const PairProduct product = pair_product(query, key, pair_at(i, n_pairs, layout));
    const Point turn = unit_point(exact_product(distance, inv_freq.data[i]));
    const double part = softmax_scale * (product.cosine * turn.cos + product.sine * turn.sin);
    parts.data[i] = static_cast<float>(part);
    if (!is_left_out(pair_mask, i)) score += part;
  }
  totals.data[0] = static_cast<float>(rest);
  totals.data[1] = static_cast<float>(score);
  return {};
}

Status rope_score_by_distance(TensorView<const float, 1> query, TensorView<const float, 1> key,
                              TensorView<const double, 1> inv_freq, RopeLayout layout, double first_distance,
                              double step, double softmax_scale, TensorView<const std::uint8_t, 1> pair_mask,
                              TensorView<float, 1> out) noexcept {
  const std::size_t n_pairs = inv_freq.size();
  const Distances distances{first_distance, step};
  if (const Status status = check_score(query, key, inv_freq, pair_mask); !status.ok()) return status;
  if (const Status status = check_distances(distances); !status.ok()) return status;
  if (const Status status = check_finite("softmax_scale", softmax_scale); !status.ok()) return status;
  const double rest = unrotated_dot(query, key, n_pairs);
  Turns turns;
  Block scores;
  for (std::size_t s = 0; s < out.size(); s += block_size) {
    const std::size_t size = std::min(block_size, out.size() - s);
    scores.fill(rest);
    for (std::size_t i = 0; i < n_pairs; ++i) {
      if (is_left_out(pair_mask, i)) continue;
      const PairProduct product = pair_product(query, key, pair_at(i, n_pairs, layout));
      turns.fill(distances, s, size, inv_freq.data[i]);
      for (std::size_t d = 0; d < size; ++d) {
        scores[d] += product.cosine * turns.cos[d] + product.sine * turns.sin[d];
      }
    }
    for (std::size_t d = 0; d < size; ++d) out.data[s + d] = static_cast<float>(softmax_scale * scores[d]);
  }
  return {};
}

Status rope_random_scores(TensorView<const double, 1> inv_freq, std::uint32_t seed, std::uint32_t draws,
                          double correlation, double first_distance, double step, TensorView<float, 1> mean,
                          TensorView<float, 1> deviation) noexcept {
  const std::size_t n_pairs = inv_freq.size();
  const Distances distances{first_distance, step};
  if (deviation.size() != mean.size()) {
    return bad_shape("deviation", static_cast<double>(deviation.size()), "the count of mean");
  }
  if (const Status status = check_frequencies(inv_freq); !status.ok()) return status;
  if (draws == 0) return bad_value("draws", 0, "at least 1");
  if (!(std::abs(correlation) <= 1)) return bad_value("correlation", correlation, "a number in [-1, 1]");
  if (const Status status = check_distances(distances); !status.ok()) return status;

  const double softmax_scale = 1 / std::sqrt(2 * static_cast<double>(n_pairs));
  const double own = std::sqrt((1 - correlation) * (1 + correlation));
  // Pair i of draw t, the same however often it is drawn.
  const auto random_product = [&](std::uint64_t start, std::uint64_t i) {
    const double query_a = random::normal(start, 4 * i);
    const double query_b = random::normal(start, 4 * i + 1);
    const double key_a = correlation * query_a + own * random::normal(start, 4 * i + 2);
    const double key_b = correlation * query_b + own * random::normal(start, 4 * i + 3);
    return pair_product(query_a, query_b, key_a, key_b);
  };

  // A table of turns serves several draws, and a pair once drawn serves a block of distances; it is drawn
  // again for the next block, which takes less time than the block's own sums and no memory.
  constexpr std::uint32_t draws_at_a_time = 8;
  Turns turns;
  std::array<Block, draws_at_a_time> scores;
  Block means;
  Block squares;  // sums of squared differences from the mean so far (Welford, Technometrics 4, 1962)
  for (std::size_t s = 0; s < mean.size(); s += block_size) {
    const std::size_t size = std::min(block_size, mean.size() - s);
    means.fill(0);
    squares.fill(0);
    for (std::uint32_t t = 0; t < draws;) {
      const std::uint32_t n_draws = std::min(draws_at_a_time, draws - t);
      for (std::uint32_t r = 0; r < n_draws; ++r) scores[r].fill(0);
      for (std::size_t i = 0; i < n_pairs; ++i) {
        turns.fill(distances, s, size, inv_freq.data[i]);
        for (std::uint32_t r = 0; r < n_draws; ++r) {
          const std::uint64_t start = random::sequence(seed ^ random::scores_salt, t + r);
          const PairProduct product = random_product(start, i);
          for (std::size_t d = 0; d < size; ++d) {
            scores[r][d] += product.cosine * turns.cos[d] + product.sine * turns.sin[d];
          }
        }
      }
      for (std::uint32_t r = 0; r < n_draws; ++r) {
        const double share = 1 / (static_cast<double>(t + r) + 1);
        for (std::size_t d = 0; d < size; ++d) {
          const double difference = scores[r][d] - means[d];
          means[d] += difference * share;
          squares[d] += difference * (scores[r][d] - means[d]);
        }
      }
      t += n_draws;
    }
    for (std::size_t d = 0; d < size; ++d) {
      mean.data[s + d] = static_cast<float>(softmax_scale * means[d]);
      deviation.data[s + d] = static_cast<float>(softmax_scale * std::sqrt(squares[d] / draws));
    }
  }
  return {};
}

Status rope_decay_bound(TensorView<const double, 1> inv_freq, double first_distance, double step,
                        TensorView<float, 1> out) noexcept {
  const std::size_t n_pairs = inv_freq.size();
  const Distances distances{first_distance, step};
  if (const Status status = check_frequencies(inv_freq); !status.ok()) return status;
  if (const Status status = check_distances(distances); !status.ok()) return status;
  Turns turns;
  Block cos_sum;
  Block sin_sum;
  Block lengths;
  for (std::size_t s = 0; s < out.size(); s += block_size) {
    const std::size_t size = std::min(block_size, out.size() - s);
    cos_sum.fill(0);
    sin_sum.fill(0);
    lengths.fill(0);
    for (std::size_t i = 0; i < n_pairs; ++i) {
      turns.fill(distances, s, size, inv_freq.data[i]);
      for (std::size_t d = 0; d < size; ++d) {
        cos_sum[d] += turns.cos[d];
        sin_sum[d] += turns.sin[d];
        lengths[d] += std::sqrt(cos_sum[d] * cos_sum[d] + sin_sum[d] * sin_sum[d]);
      }
    }
    for (std::size_t d = 0; d < size; ++d) {
      out.data[s + d] = static_cast<float>(lengths[d] / static_cast<double>(n_pairs));
    }
  }
  return {};
}

Status rope_periods(TensorView<const double, 1> inv_freq, double context_len,
                    TensorView<double, 1> wavelength, TensorView<double, 1> turns) noexcept {
  constexpr const char* allowed = "an element for each of inv_freq";
  if (wavelength.size() != inv_freq.size()) {
    return bad_shape("wavelength", static_cast<double>(wavelength.size()), allowed);
  }
  if (turns.size() != inv_freq.size()) return bad_shape("turns", static_cast<double>(turns.size()), allowed);
  if (const Status status = check_frequencies(inv_freq); !status.ok()) return status;
  if (!(context_len > 0) || !std::isfinite(context_len)) {
    return bad_value("context_len", context_len, "a finite number > 0");
  }
  constexpr double turn = 2 * std::numbers::pi;
  for (std::size_t i = 0; i < inv_freq.size(); ++i) {
    const double frequency = std::abs(inv_freq.data[i]);
    wavelength.data[i] = turn / frequency;
    // Not by the wavelength, which may be too long for a double.
    turns.data[i] = context_len / turn * frequency;
  }
  return {};
}

Status row_cosines(TensorView<const float, 2> a, TensorView<const float, 2> b,
                   TensorView<float, 1> out) noexcept {
  const auto [rows, dim] = a.shape;
  if (b.shape != a.shape) return bad_shape("b", static_cast<double>(b.size()), "the shape of a");
  if (out.size() != rows) {
    return bad_shape("out", static_cast<double>(out.size()), "an element for each row of a");
  }
  for (std::size_t r = 0; r < rows; ++r) {
    const float* row_a = a.row(r);
    const float* row_b = b.row(r);
    out.data[r] = cosine_of(dot(row_a, row_b, dim), dot(row_a, row_a, dim), dot(row_b, row_b, dim));
  }
  return {};
}

Status neighbour_distances(TensorView<const float, 2> x, TensorView<float, 1> out) noexcept {
  const auto [rows, dim] = x.shape;
  if (rows < 2) return bad_shape("x", static_cast<double>(rows), "at least 2 rows");
  if (out.size() != rows - 1) {
    return bad_shape("out", static_cast<double>(out.size()), "an element for each row of x but the last");
  }
  for (std::size_t r = 0; r + 1 < rows; ++r) {
    const float* row = x.row(r);
    const float* next = x.row(r + 1);
    double sum = 0;
    for (std::size_t c = 0; c < dim; ++c) {
      const double difference = static_cast<double>(next[c]) - static_cast<double>(row[c]);
      sum += difference * difference;
    }
    out.data[r] = static_cast<float>(std::sqrt(sum));
  }
  return {};
}

Status similarity(TensorView<const float, 2> x, bool cosine, TensorView<float, 2> out) noexcept {
  const auto [rows, dim] = x.shape;
  if (out.shape != std::array{rows, rows}) {
    return bad_shape("out", static_cast<double>(out.size()), "[rows, rows]");
  }
  // A few columns at a time, whose lengths then need not be found again for every row.
  constexpr std::size_t columns = 64;
  std::array<double, columns> squares{};
  for (std::size_t first = 0; first < rows; first += columns) {
    const std::size_t last = std::min(first + columns, rows);
    for (std::size_t i = first; i < rows; ++i) {
      const double square = cosine ? dot(x.row(i), x.row(i), dim) : 0;
      if (i < last) squares[i - first] = square;
      // From both sides the same, so half of the matrix is enough.
      for (std::size_t j = first; j < std::min(last, i + 1); ++j) {
        const double product = dot(x.row(i), x.row(j), dim);
        const float value =
            cosine ? cosine_of(product, square, squares[j - first]) : static_cast<float>(product);
        out.row(i)[j] = value;
        out.row(j)[i] = value;
      }
    }
  }
  return {};
}

}  // namespace ropewalk

#include <numbers>

#include "fuzz.hpp"
#include "reference/analysis.hpp"
#include "ropewalk/analysis.hpp"

namespace ropewalk::fuzz {
namespace {

using Shape1 = std::array<std::size_t, 1>;
using Shape2 = std::array<std::size_t, 2>;

void require_all_near(const std::vector<float>& got, const std::vector<double>& want, double bound,
                      const char* what) {
  require(got.size() == want.size(), "as many as the reference has");
  for (std::size_t i = 0; i < got.size(); ++i) require_near(got[i], want[i], bound, what);
}

// ---- Rows -------------------------------------------------------------------------------------------------

enum class RowResult { norms, cosines, distances, dot_products, row_cosines };

void fuzz_rows(Input& input) {
  const bool tame = input.flip();
  const RowResult result = input.one_of({RowResult::norms, RowResult::cosines, RowResult::distances,
                                         RowResult::dot_products, RowResult::row_cosines});
  const Shape2 shape{input.rarely() ? 60 + input.below(10) : input.extent(6), input.extent(20)};
  const Shape2 a_shape = input.disturbed(shape);
  const Shape2 b_shape = input.disturbed(shape);
  const std::size_t rows = a_shape[0];
  const bool is_square = result == RowResult::dot_products || result == RowResult::row_cosines;
  const bool has_b = result == RowResult::cosines;
  const Shape2 square_shape = input.disturbed(Shape2{shape[0], shape[0]});
  const Shape1 line_shape =
      input.disturbed(Shape1{result == RowResult::distances && shape[0] > 0 ? shape[0] - 1 : shape[0]});
  std::vector<float> a = input.numbers<float>(room(a_shape), tame);
  std::vector<float> b = input.numbers<float>(room(b_shape), tame);
  std::vector<float> out = is_square ? canaries<float>(square_shape) : canaries<float>(line_shape);

  bool valid = is_square ? square_shape == Shape2{rows, rows}
                         : line_shape[0] == rows - (result == RowResult::distances ? 1 : 0);
  if (result == RowResult::distances) valid = valid && rows >= 2;
  if (has_b) valid = valid && a_shape == b_shape;
  if (valid && !is_reasonable(a_shape, square_shape)) return;
  const auto line = [&] { return view(out, line_shape); };
  Status status;
  switch (result) {
    case RowResult::norms:
      status = row_norms(view(a, a_shape), line());
      break;
    case RowResult::cosines:
      status = row_cosines(view(a, a_shape), view(b, b_shape), line());
      break;
    case RowResult::distances:
      status = neighbour_distances(view(a, a_shape), line());
      break;
    case RowResult::dot_products:
    case RowResult::row_cosines:
      status = similarity(view(a, a_shape), result == RowResult::row_cosines, view(out, square_shape));
      break;
  }
  require_verdict(status, valid, {"x", "a", "b", "out"});
  if (!status.ok()) return require(untouched(out), "a refused call writes nothing");

  const std::size_t dim = a_shape[1];
  const bool is_cosine = result == RowResult::cosines || result == RowResult::row_cosines;
  if (is_cosine && all_finite(a) && all_finite(b)) {
    for (const float cosine : out) require(std::abs(cosine) <= 1, "cosines are within [-1, 1]");
  }
  if (!tame) return;
  const std::vector<double> wide_a = to_double(a);
  const std::vector<double> wide_b = to_double(b);
  const std::vector<double> want =
      result == RowResult::norms       ? reference::row_norms(wide_a, rows, dim)
      : result == RowResult::cosines   ? reference::row_cosines(wide_a, wide_b, rows, dim)
      : result == RowResult::distances ? reference::neighbour_distances(wide_a, rows, dim)
                                       : reference::similarity(wide_a, rows, dim, is_cosine);
  require(out.size() == want.size(), "as many as the reference has");
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double bound = 0x1p-23 * std::abs(want[i]) + 0x1p-48 * static_cast<double>(4 * dim);
    require_near(out[i], want[i], bound, "rows give what they give in the reference");
  }
}

void fuzz_difference(Input& input) {
  const bool tame = input.flip();
  const Shape1 shape{input.extent(30)};
  const Shape1 a_shape = input.disturbed(shape);
  const Shape1 b_shape = input.disturbed(shape);
  std::vector<float> a = input.numbers<float>(room(a_shape), tame);
  std::vector<float> b = input.numbers<float>(room(b_shape), tame);
  float out = canary<float>();
  if (a_shape == b_shape && !is_reasonable(a_shape)) return;
  const Status status = max_abs_difference(view(a, a_shape), view(b, b_shape), out);
  require_verdict(status, a_shape == b_shape, {"a", "b"});
  if (!status.ok()) return require(same_bits(out, canary<float>()), "a refused call writes nothing");
  bool any_nan = false;
  bool any_infinity = false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    any_nan = any_nan || std::isnan(a[i]) || std::isnan(b[i]);
    any_infinity = any_infinity || std::isinf(a[i]) || std::isinf(b[i]);
  }
  if (any_nan) require(std::isnan(out), "a NaN of either is that of the difference");
  if (any_nan || any_infinity) return;
  const double want = reference::max_abs_difference(to_double(a), to_double(b));
  if (want <= std::numeric_limits<float>::max())
    require_near(out, want, 0x1p-24 * want, "the difference is that of the reference");
}

// ---- Pairs ------------------------------------------------------------------------------------------------

void fuzz_pairs(Input& input) {
  const bool tame = input.flip();
  const RopeLayout layout = input.one_of({RopeLayout::half, RopeLayout::interleaved});
  const std::size_t head_dim = input.flip() ? 2 * input.extent(12) : input.extent(24);
  const Shape1 query_shape = input.disturbed(Shape1{head_dim});
  const Shape1 key_shape = input.disturbed(Shape1{head_dim});
  const Shape1 out_shape = input.disturbed(Shape1{head_dim / 2});
  const Shape1 angle_shape = input.disturbed(Shape1{head_dim / 2});
  std::vector<float> query = input.numbers<float>(room(query_shape), tame);
  std::vector<float> key = input.numbers<float>(room(key_shape), tame);
  std::vector<float> out = canaries<float>(out_shape);
  bool valid = query_shape[0] % 2 == 0 && out_shape[0] == query_shape[0] / 2;

  if (input.flip()) {
    std::vector<float> angle = canaries<float>(angle_shape);
    valid = valid && angle_shape == out_shape;
    if (valid && !is_reasonable(query_shape)) return;
    const Status status =
        pair_polar(view(query, query_shape), layout, view(out, out_shape), view(angle, angle_shape));
    require_verdict(status, valid, {"x", "magnitude", "angle"});
    if (!status.ok()) return require(untouched(out) && untouched(angle), "a refused call writes nothing");
    const reference::Polar want = reference::pair_polar(to_double(query), layout);
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (!(want.magnitude[i] <= std::numeric_limits<float>::max()) || std::isnan(want.angle[i])) continue;
      require_near(out[i], want.magnitude[i], 0x1p-24 * (1 + 0x1p-20) * want.magnitude[i] + 0x1p-149,
                   "magnitudes are those of the reference");
      require_near(angle[i], want.angle[i], 0x1p-23, "angles are those of the reference");
      require(std::abs(angle[i]) <= std::numbers::pi_v<float>, "angles are within [-pi, pi]");
    }
    return;
  }
  const float softmax_scale = tame ? static_cast<float>(input.moderate()) : input.number<float>();
  valid = valid && key_shape == query_shape && std::isfinite(softmax_scale);
  if (valid && !is_reasonable(query_shape)) return;
  const Status status = pair_scores(view(query, query_shape), view(key, key_shape), layout, softmax_scale,
                                    view(out, out_shape));
  require_verdict(status, valid, {"query", "key", "softmax_scale", "out"});
  if (!status.ok()) return require(untouched(out), "a refused call writes nothing");
  if (!tame) return;
  require_all_near(out, reference::pair_scores(to_double(query), to_double(key), layout, softmax_scale),
                   0x1p-24 * 2 * 8, "scores are those of the reference");
}

// ---- Distances --------------------------------------------------------------------------------------------

void fuzz_angles(Input& input) {
  const bool tame = input.flip();
  const double first = tame ? 1e6 * input.moderate() : input.number<double>();
  const double step = tame ? input.moderate() : input.number<double>();
  const std::size_t n_pairs = input.extent(6);
  const Shape1 freq_shape = input.disturbed(Shape1{n_pairs});
  const Shape2 out_shape = input.disturbed(Shape2{input.extent(8), n_pairs});
  std::vector<double> inv_freq = input.numbers<double>(room(freq_shape), tame);
  std::vector<float> out = canaries<float>(out_shape);
  const bool valid = std::isfinite(first) && std::isfinite(step) && out_shape[1] == freq_shape[0];
  if (valid && !is_reasonable(out_shape, freq_shape)) return;
  const Status status = rope_angles(first, step, view(inv_freq, freq_shape), view(out, out_shape));
  require_verdict(status, valid, {"first_position", "step", "inv_freq", "out"});
  if (!status.ok()) return require(untouched(out), "a refused call writes nothing");
  if (!tame) return;
  const std::vector<double> want = reference::rope_angles(first, step, out_shape[0], inv_freq);
  for (std::size_t i = 0; i < out.size(); ++i) {
    require(std::abs(out[i]) <= std::numbers::pi_v<float>, "angles are within [-pi, pi]");
    const double position = std::abs(first) + std::abs(static_cast<double>(i / out_shape[1]) * step);
    const double bound = 0x1p-23 + 0x1p-51 * position * std::abs(inv_freq[i % out_shape[1]]);
    require_near(std::remainder(out[i] - want[i], 2 * std::numbers::pi), 0, bound,
                 "angles are those of the reference");
  }
}

/// What angles may be off by, times what may be lost by it.
double score_bound(double size, double furthest) {
  return size * (0x1p-23 + 0x1p-43 + 0x1p-50 * furthest * 2);
}

void fuzz_scores(Input& input) {
  const bool tame = input.flip();
  const RopeLayout layout = input.one_of({RopeLayout::half, RopeLayout::interleaved});
  const std::size_t n_pairs = input.extent(8);
  const std::size_t head_dim = 2 * n_pairs + input.below(5);
  const Shape1 query_shape = input.disturbed(Shape1{head_dim});
  const Shape1 key_shape = input.disturbed(Shape1{head_dim});
  const Shape1 freq_shape = input.disturbed(Shape1{n_pairs});
  const Shape1 mask_shape = input.disturbed(Shape1{input.flip() ? n_pairs : 0});
  const Shape1 parts_shape = input.disturbed(Shape1{n_pairs});
  const Shape1 totals_shape = input.disturbed(Shape1{2});
  std::vector<float> query = input.numbers<float>(room(query_shape), tame);
  std::vector<float> key = input.numbers<float>(room(key_shape), tame);
  std::vector<double> inv_freq = input.numbers<double>(room(freq_shape), tame);
  std::vector<std::uint8_t> mask(room(mask_shape));
  for (std::uint8_t& element : mask) element = input.flip() ? input.byte() : 0;
  std::vector<float> parts = canaries<float>(parts_shape);
  std::vector<float> totals = canaries<float>(totals_shape);
  const double distance = tame ? 1e5 * input.moderate() : input.number<double>();
  const double step = tame ? input.moderate() : input.number<double>();
  const double softmax_scale = tame ? input.moderate() : input.number<double>();

  const bool inputs_valid = key_shape == query_shape && freq_shape[0] <= query_shape[0] / 2 &&
                            (mask_shape[0] == 0 || mask_shape == freq_shape) && are_angle_factors(inv_freq) &&
                            is_angle_factor(distance) && std::isfinite(softmax_scale);
  if (!is_reasonable(query_shape, freq_shape) && inputs_valid) return;
  const Status status =
      rope_score(view(query, query_shape), view(key, key_shape), view(inv_freq, freq_shape), layout, distance,
                 softmax_scale, view(mask, mask_shape), view(parts, parts_shape), view(totals, totals_shape));
  require_verdict(status, inputs_valid && parts_shape == freq_shape && totals_shape[0] == 2,
                  {"query", "key", "inv_freq", "distance", "softmax_scale", "pair_mask", "parts", "totals"});
  if (!status.ok()) require(untouched(parts) && untouched(totals), "a refused call writes nothing");

  const Shape1 out_shape{input.rarely() ? 120 + input.below(20) : input.extent(12)};
  std::vector<float> out = canaries<float>(out_shape);
  const Status by_distance = rope_score_by_distance(
      view(query, query_shape), view(key, key_shape), view(inv_freq, freq_shape), layout, distance, step,
      softmax_scale, view(mask, mask_shape), view(out, out_shape));
  require_verdict(by_distance, inputs_valid && is_angle_factor(step),
                  {"query", "key", "inv_freq", "first_distance", "step", "softmax_scale", "pair_mask"});
  if (!by_distance.ok()) return require(untouched(out), "a refused call writes nothing");
  if (!tame) return;

  const double size = static_cast<double>(query.size()) * 8;
  const std::vector<double> wide_query = to_double(query);
  const std::vector<double> wide_key = to_double(key);
  for (std::size_t s = 0; s < out.size(); ++s) {
    const double at = distance + static_cast<double>(s) * step;
    const reference::RopeScore want =
        reference::rope_score(wide_query, wide_key, inv_freq, layout, at, softmax_scale, mask);
    const double bound = score_bound(size, std::abs(distance) + std::abs(static_cast<double>(s) * step));
    require_near(out[s], want.score, bound, "scores by distance are those of the reference");
    if (s > 0 || !status.ok()) continue;
    require_all_near(parts, want.parts, bound, "parts are those of the reference");
    require_near(totals[0], want.rest, bound, "the rest is that of the reference");
    require_near(totals[1], want.score, bound, "the score is that of the reference");
    double sum = totals[0];
    double magnitude = std::abs(totals[0]);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (mask.empty() || mask[i] != 0) sum += parts[i];
      magnitude += std::abs(parts[i]);
    }
    require_near(totals[1], sum, 0x1p-23 * magnitude, "the parts add up to the score");
  }
}

void fuzz_curves(Input& input) {
  const bool tame = input.flip();
  const Shape1 freq_shape = input.disturbed(Shape1{1 + input.below(6)});
  const std::size_t count = input.rarely() ? 120 + input.below(20) : input.extent(8);
  const Shape1 out_shape = input.disturbed(Shape1{count});
  const Shape1 deviation_shape = input.disturbed(Shape1{count});
  std::vector<double> inv_freq = input.numbers<double>(room(freq_shape), tame);
  const double first = tame ? 1e5 * input.moderate() : input.number<double>();
  const double step = tame ? input.moderate() : input.number<double>();
  std::vector<float> out = canaries<float>(out_shape);
  if (!is_reasonable(freq_shape, out_shape)) return;
  const bool finite = are_angle_factors(inv_freq) && is_angle_factor(first) && is_angle_factor(step);
  const auto distance = [&](std::size_t s) { return first + static_cast<double>(s) * step; };
  const auto furthest = [&](std::size_t s) {
    return std::abs(first) + std::abs(static_cast<double>(s) * step);
  };
  const auto n_pairs = static_cast<double>(inv_freq.size());

  if (input.flip()) {
    const Status status = rope_decay_bound(view(inv_freq, freq_shape), first, step, view(out, out_shape));
    require_verdict(status, finite, {"inv_freq", "first_distance", "step"});
    if (!status.ok()) return require(untouched(out), "a refused call writes nothing");
    if (!tame || inv_freq.empty()) return;
    for (std::size_t s = 0; s < out.size(); ++s) {
      require_near(out[s], reference::rope_decay_bound(inv_freq, distance(s)),
                   score_bound(n_pairs, furthest(s)), "the bound is that of the reference");
    }
    return;
  }
  const auto seed = static_cast<std::uint32_t>(input.integer());
  const auto draws = static_cast<std::uint32_t>(input.extent(20));
  const double correlation = input.flip() ? input.moderate(1) : input.number<double>();
  std::vector<float> deviation = canaries<float>(deviation_shape);
  const bool valid =
      finite && deviation_shape == out_shape && draws > 0 && correlation >= -1 && correlation <= 1;
  const Status status = rope_random_scores(view(inv_freq, freq_shape), seed, draws, correlation, first, step,
                                           view(out, out_shape), view(deviation, deviation_shape));
  require_verdict(status, valid,
                  {"inv_freq", "draws", "correlation", "first_distance", "step", "mean", "deviation"});
  if (!status.ok()) return require(untouched(out) && untouched(deviation), "a refused call writes nothing");
  if (!tame || inv_freq.empty()) return;
  std::vector<double> distances;
  for (std::size_t s = 0; s < out.size(); ++s) distances.push_back(distance(s));
  const reference::RandomScores want =
      reference::rope_random_scores(inv_freq, seed, draws, correlation, distances);
  for (std::size_t s = 0; s < out.size(); ++s) {
    // Components are at most 6, and the deviation is the root of what may be off.
    const double bound = score_bound(36 * 2 * n_pairs, furthest(s));
    require_near(out[s], want.mean[s], bound, "the mean is that of the reference");
    require_near(deviation[s], want.deviation[s], bound, "the deviation is that of the reference");
  }
}

void fuzz_periods(Input& input) {
  const bool tame = input.flip();
  const std::size_t n_pairs = input.extent(8);
  const Shape1 freq_shape = input.disturbed(Shape1{n_pairs});
  const Shape1 wavelength_shape = input.disturbed(Shape1{n_pairs});
  const Shape1 turns_shape = input.disturbed(Shape1{n_pairs});
  std::vector<double> inv_freq = input.numbers<double>(room(freq_shape), tame);
  const double context_len = input.flip() ? 2e5 + 1e5 * input.moderate(1) : input.number<double>();
  std::vector<double> wavelength = canaries<double>(wavelength_shape);
  std::vector<double> turns = canaries<double>(turns_shape);
  const bool valid = wavelength_shape == freq_shape && turns_shape == freq_shape &&
                     are_angle_factors(inv_freq) && context_len > 0 && std::isfinite(context_len);
  if (valid && !is_reasonable(freq_shape)) return;
  const Status status = rope_periods(view(inv_freq, freq_shape), context_len,
                                     view(wavelength, wavelength_shape), view(turns, turns_shape));
  require_verdict(status, valid, {"inv_freq", "context_len", "wavelength", "turns"});
  if (!status.ok())
    return require(untouched(wavelength) && untouched(turns), "a refused call writes nothing");
  const std::vector<double> want = reference::rope_wavelengths(inv_freq);
  for (std::size_t i = 0; i < inv_freq.size(); ++i) {
    if (inv_freq[i] == 0) {
      require(wavelength[i] == static_cast<double>(infinity) && turns[i] == 0,
              "what does not turn has no period");
    } else if (std::abs(inv_freq[i]) > 0x1p-1000 && std::abs(inv_freq[i]) < 0x1p1000) {
      require_near(wavelength[i], want[i], 0x1p-51 * want[i], "wavelengths are those of the reference");
      const double turned = context_len / want[i];
      if (context_len > 0x1p-1000 && turned < std::numeric_limits<double>::max() / 2 && turned > 0x1p-1000) {
        require_near(turns[i], turned, 0x1p-50 * turned, "turns are those of the reference");
      }
    }
  }
}

}  // namespace
}  // namespace ropewalk::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ropewalk::fuzz;
  Input input(data, size);
  input.one_of({fuzz_rows, fuzz_rows, fuzz_difference, fuzz_pairs, fuzz_angles, fuzz_scores, fuzz_curves,
                fuzz_periods})(input);
  return 0;
}

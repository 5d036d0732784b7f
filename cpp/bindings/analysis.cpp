#include "ropewalk/analysis.hpp"

#include "views.hpp"

namespace ropewalk::bindings {
namespace {

Failure row_norms(const F32Buffer& x, Size dim, F32Buffer& out) {
  Views views;
  const auto rows = views.of(x, "x", shape(out.length(), dim));
  const auto norms = views.row(out, "out");
  return views.call([&] { return ropewalk::row_norms(rows, norms); });
}

Failure row_cosines(const F32Buffer& a, const F32Buffer& b, Size dim, F32Buffer& out) {
  Views views;
  const auto left = views.of(a, "a", shape(out.length(), dim));
  const auto right = views.of(b, "b", shape(out.length(), dim));
  const auto cosines = views.row(out, "out");
  return views.call([&] { return ropewalk::row_cosines(left, right, cosines); });
}

Failure neighbour_distances(const F32Buffer& x, Size rows, Size dim, F32Buffer& out) {
  Views views;
  const auto vectors = views.of(x, "x", shape(rows, dim));
  const auto distances = views.row(out, "out");
  return views.call([&] { return ropewalk::neighbour_distances(vectors, distances); });
}

Failure similarity(const F32Buffer& x, Size rows, Size dim, bool cosine, F32Buffer& out) {
  Views views;
  const auto vectors = views.of(x, "x", shape(rows, dim));
  const auto table = views.of(out, "out", shape(rows, rows));
  return views.call([&] { return ropewalk::similarity(vectors, cosine, table); });
}

/// out[0] is the difference.
Failure max_abs_difference(const F32Buffer& a, const F32Buffer& b, F32Buffer& out) {
  Views views;
  const auto left = views.row(a, "a");
  const auto right = views.row(b, "b");
  const auto difference = views.of(out, "out", shape(1));
  return views.call([&] { return ropewalk::max_abs_difference(left, right, *difference.data); });
}

Failure rope_angles(double first_position, double step, const F64Buffer& inv_freq, Size count,
                    F32Buffer& out) {
  Views views;
  const auto frequencies = views.row(inv_freq, "inv_freq");
  const auto angles = views.of(out, "out", shape(count, inv_freq.length()));
  return views.call([&] { return ropewalk::rope_angles(first_position, step, frequencies, angles); });
}

Failure rope_periods(const F64Buffer& inv_freq, double context_len, F64Buffer& wavelength, F64Buffer& turns) {
  Views views;
  const auto frequencies = views.row(inv_freq, "inv_freq");
  const auto wavelengths = views.row(wavelength, "wavelength");
  const auto completed = views.row(turns, "turns");
  return views.call([&] { return ropewalk::rope_periods(frequencies, context_len, wavelengths, completed); });
}

Failure pair_polar(const F32Buffer& x, RopeLayout layout, F32Buffer& magnitude, F32Buffer& angle) {
  Views views;
  const auto components = views.row(x, "x");
  const auto magnitudes = views.row(magnitude, "magnitude");
  const auto angles = views.row(angle, "angle");
  return views.call([&] { return ropewalk::pair_polar(components, layout, magnitudes, angles); });
}

Failure pair_scores(const F32Buffer& query, const F32Buffer& key, RopeLayout layout, double softmax_scale,
                    F32Buffer& out) {
  Views views;
  const auto queries = views.row(query, "query");
  const auto keys = views.row(key, "key");
  const auto scores = views.row(out, "out");
  const auto scale = static_cast<float>(scale_or_default(softmax_scale, query.length()));
  return views.call([&] { return ropewalk::pair_scores(queries, keys, layout, scale, scores); });
}

/// `pair_mask` may be null; totals[0] is the rest, totals[1] the score.
Failure rope_score(const F32Buffer& query, const F32Buffer& key, const F64Buffer& inv_freq, RopeLayout layout,
                   double distance, double softmax_scale, U8Buffer* pair_mask, F32Buffer& parts,
                   F32Buffer& totals) {
  Views views;
  const auto queries = views.row(query, "query");
  const auto keys = views.row(key, "key");
  const auto frequencies = views.row(inv_freq, "inv_freq");
  const auto mask = views.row(pair_mask, "pair_mask");
  const auto of_pairs = views.row(parts, "parts");
  const auto sums = views.row(totals, "totals");
  const double scale = scale_or_default(softmax_scale, query.length());
  return views.call([&] {
    return ropewalk::rope_score(queries, keys, frequencies, layout, distance, scale, mask, of_pairs, sums);
  });
}

/// `pair_mask` may be null.
Failure rope_score_by_distance(const F32Buffer& query, const F32Buffer& key, const F64Buffer& inv_freq,
                               RopeLayout layout, double first_distance, double step, double softmax_scale,
                               U8Buffer* pair_mask, F32Buffer& out) {
  Views views;
  const auto queries = views.row(query, "query");
  const auto keys = views.row(key, "key");
  const auto frequencies = views.row(inv_freq, "inv_freq");
  const auto mask = views.row(pair_mask, "pair_mask");
  const auto scores = views.row(out, "out");
  const double scale = scale_or_default(softmax_scale, query.length());
  return views.call([&] {
    return ropewalk::rope_score_by_distance(queries, keys, frequencies, layout, first_distance, step, scale,
                                            mask, scores);
  });
}

Failure rope_random_scores(const F64Buffer& inv_freq, std::uint32_t seed, std::uint32_t draws,
                           double correlation, double first_distance, double step, F32Buffer& mean,
                           F32Buffer& deviation) {
  Views views;
  const auto frequencies = views.row(inv_freq, "inv_freq");
  const auto means = views.row(mean, "mean");
  const auto deviations = views.row(deviation, "deviation");
  return views.call([&] {
    return ropewalk::rope_random_scores(frequencies, seed, draws, correlation, first_distance, step, means,
                                        deviations);
  });
}

Failure rope_decay_bound(const F64Buffer& inv_freq, double first_distance, double step, F32Buffer& out) {
  Views views;
  const auto frequencies = views.row(inv_freq, "inv_freq");
  const auto bound = views.row(out, "out");
  return views.call([&] { return ropewalk::rope_decay_bound(frequencies, first_distance, step, bound); });
}

}  // namespace

EMSCRIPTEN_BINDINGS(analysis) {
  using emscripten::allow_raw_pointers;
  using emscripten::function;

  function("row_norms(x, dim, out)", &row_norms);
  function("row_cosines(a, b, dim, out)", &row_cosines);
  function("neighbour_distances(x, rows, dim, out)", &neighbour_distances);
  function("similarity(x, rows, dim, cosine, out)", &similarity);
  function("max_abs_difference(a, b, out)", &max_abs_difference);

  function("rope_angles(first_position, step, inv_freq, count, out)", &rope_angles);
  function("rope_periods(inv_freq, context_len, wavelength, turns)", &rope_periods);
  function("pair_polar(x, layout, magnitude, angle)", &pair_polar);
  function("pair_scores(query, key, layout, softmax_scale, out)", &pair_scores);
  function("rope_score(query, key, inv_freq, layout, distance, softmax_scale, pair_mask, parts, totals)",
           &rope_score, allow_raw_pointers());
  function(
      "rope_score_by_distance(query, key, inv_freq, layout, first_distance, step, softmax_scale, pair_mask, "
      "out)",
      &rope_score_by_distance, allow_raw_pointers());
  function("rope_random_scores(inv_freq, seed, draws, correlation, first_distance, step, mean, deviation)",
           &rope_random_scores);
  function("rope_decay_bound(inv_freq, first_distance, step, out)", &rope_decay_bound);
}

}  // namespace ropewalk::bindings

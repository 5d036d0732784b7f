#include "reference/rope.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "reference/encodings.hpp"

namespace ropewalk::reference {
namespace {

/// Numbers whose sum is `value` exactly, each of 20 significant bits at most: times an integer of 33 bits they fit
/// a double, let alone a long double.
std::vector<long double> in_short_pieces(long double value) {
  std::vector<long double> pieces;
  while (value != 0) {
    const int last_bit = std::ilogb(value) - 19;
    const long double piece = std::ldexp(std::trunc(std::ldexp(value, -last_bit)), last_bit);
    pieces.push_back(piece);
    value -= piece;
  }
  return pieces;
}

/// pi / 2 to 160 bits, in pieces of 20.
constexpr std::array<long double, 8> quarter_turn = {0xc90fdp-19L,  0xaa221p-39L, 0x68c23p-59L,
                                                     0x4c4c6p-79L,  0x628b8p-99L, 0x0dc1cp-119L,
                                                     0xd1290p-139L, 0x24e08p-159L};

/// From the largest to the smallest. Where those at the front cancel, their sum is exact; where they do not, the
/// others are too small to cancel it.
long double sum_of(std::vector<long double> terms) {
  std::sort(terms.begin(), terms.end(),
            [](long double a, long double b) { return std::abs(a) > std::abs(b); });
  long double sum = 0;
  for (const long double term : terms) sum += term;
  return sum;
}

}  // namespace

std::vector<double> rope_inv_freq(double rope_theta, std::size_t rotary_dim) {
  std::vector<double> inv_freq;
  for (std::size_t pair = 0; pair < rotary_dim / 2; ++pair) {
    inv_freq.push_back(static_cast<double>(frequency(rope_theta, pair, rotary_dim)));
  }
  return inv_freq;
}

std::vector<std::int32_t> mrope_pair_axes(std::span<const std::int32_t> sections, bool interleaved) {
  std::vector<std::int32_t> axes;
  for (std::int32_t axis = 0; axis < 3; ++axis) {
    for (std::int32_t i = 0; i < sections[static_cast<std::size_t>(axis)]; ++i) axes.push_back(axis);
  }
  if (!interleaved) return axes;
  std::fill(axes.begin(), axes.end(), 0);
  for (std::size_t axis = 1; axis < 3; ++axis) {
    for (std::int32_t i = 0; i < sections[axis]; ++i) {
      axes[axis + 3 * static_cast<std::size_t>(i)] = static_cast<std::int32_t>(axis);
    }
  }
  return axes;
}

AxialRope axial_rope(double rope_theta, std::size_t rotary_dim) {
  AxialRope rope;
  for (std::int32_t axis = 0; axis < 2; ++axis) {
    for (const double step : rope_inv_freq(rope_theta, rotary_dim / 2)) {
      rope.inv_freq.push_back(step);
      rope.pair_axes.push_back(axis);
    }
  }
  return rope;
}

CirclePoint circle_point(std::int32_t position, long double inv_freq) {
  std::vector<long double> terms;
  for (const long double piece : in_short_pieces(inv_freq)) terms.push_back(position * piece);
  const long double quarters = std::round(sum_of(terms) / sum_of({quarter_turn.begin(), quarter_turn.end()}));
  for (const long double piece : quarter_turn) terms.push_back(-quarters * piece);

  const long double rest = sum_of(terms);
  const long double cos = std::cos(rest);
  const long double sin = std::sin(rest);
  const long double quadrant = quarters - 4 * std::floor(quarters / 4);
  if (quadrant == 0) return {cos, sin};
  if (quadrant == 1) return {-sin, cos};
  if (quadrant == 2) return {-cos, -sin};
  return {sin, -cos};
}

RopeCache build_rope_cache(std::span<const std::int32_t> position_ids, std::span<const long double> inv_freq,
                           std::size_t n_axes, std::span<const std::int32_t> pair_axes,
                           long double attention_factor) {
  const std::size_t rows = position_ids.size() / n_axes;
  RopeCache cache;
  for (std::size_t s = 0; s < rows; ++s) {
    for (std::size_t i = 0; i < inv_freq.size(); ++i) {
      const std::size_t axis = pair_axes.empty() ? 0 : static_cast<std::size_t>(pair_axes[i]);
      const auto [cos, sin] = circle_point(position_ids[axis * rows + s], inv_freq[i]);
      cache.cos.push_back(static_cast<double>(attention_factor * cos));
      cache.sin.push_back(static_cast<double>(attention_factor * sin));
    }
  }
  return cache;
}

RopeCache build_xpos_cache(std::span<const std::int32_t> position_ids, std::span<const long double> inv_freq,
                           double scale_base, double gamma, XposSide side) {
  const auto n_pairs = static_cast<long double>(inv_freq.size());
  RopeCache cache;
  for (const std::int32_t position : position_ids) {
    for (std::size_t i = 0; i < inv_freq.size(); ++i) {
      const long double zeta = (2 * static_cast<long double>(i) / (2 * n_pairs) + gamma) / (1 + gamma);
      const long double growth = std::pow(zeta, static_cast<long double>(position) / scale_base);
      const long double scale = side == XposSide::query ? growth : 1 / growth;
      const auto [cos, sin] = circle_point(position, inv_freq[i]);
      cache.cos.push_back(static_cast<double>(scale * cos));
      cache.sin.push_back(static_cast<double>(scale * sin));
    }
  }
  return cache;
}

Pair pair_components(std::size_t pair, std::size_t rotary_dim, RopeLayout layout) {
  if (layout == RopeLayout::interleaved) return {2 * pair, 2 * pair + 1};
  return {pair, pair + rotary_dim / 2};
}

void apply_rope(std::span<double> x, const HeadsShape& shape, std::span<const double> cos,
                std::span<const double> sin, std::span<const std::int32_t> rows, std::size_t rotary_dim,
                RopeLayout layout) {
  const std::size_t n_pairs = rotary_dim / 2;
  for (std::size_t b = 0; b < shape.batch; ++b) {
    for (std::size_t s = 0; s < shape.len; ++s) {
      const auto row = static_cast<std::size_t>(rows[b * shape.len + s]);
      for (std::size_t h = 0; h < shape.n_heads; ++h) {
        const std::span<double> head = x.subspan(shape.head(b, s, h), shape.head_dim);
        for (std::size_t pair = 0; pair < n_pairs; ++pair) {
          const auto [first, second] = pair_components(pair, rotary_dim, layout);
          const double a = head[first];
          const double b_ = head[second];
          const double c = cos[row * n_pairs + pair];
          const double d = sin[row * n_pairs + pair];
          head[first] = a * c - b_ * d;
          head[second] = a * d + b_ * c;
        }
      }
    }
  }
}

std::vector<float> convert_rope_layout(std::span<const float> x, std::size_t head_dim, std::size_t inner,
                                       std::size_t rotary_dim, RopeLayout to) {
  const RopeLayout from = to == RopeLayout::half ? RopeLayout::interleaved : RopeLayout::half;
  std::vector<float> out(x.begin(), x.end());
  for (std::size_t o = 0; o < x.size() / (head_dim * inner); ++o) {
    const auto move = [&](std::size_t target, std::size_t source) {
      for (std::size_t i = 0; i < inner; ++i) {
        out[(o * head_dim + target) * inner + i] = x[(o * head_dim + source) * inner + i];
      }
    };
    for (std::size_t pair = 0; pair < rotary_dim / 2; ++pair) {
      const Pair source = pair_components(pair, rotary_dim, from);
      const Pair target = pair_components(pair, rotary_dim, to);
      move(target.first, source.first);
      move(target.second, source.second);
    }
  }
  return out;
}

}  // namespace ropewalk::reference

#include "fuzz.hpp"
#include "reference/rope.hpp"
#include "ropewalk/rope.hpp"

namespace ropewalk::fuzz {
namespace {

using Shape1 = std::array<std::size_t, 1>;
using Shape2 = std::array<std::size_t, 2>;
using Shape3 = std::array<std::size_t, 3>;
using Shape4 = std::array<std::size_t, 4>;

/// The next float is not farther than this.
double float_ulp(double value) {
  const double magnitude = std::max(std::abs(value), static_cast<double>(std::numeric_limits<float>::min()));
  return std::exp2(std::ilogb(magnitude) - 23);
}

double any_base(Input& input) {
  return input.flip() ? std::exp2(20 * input.moderate(1)) : input.number<double>();
}

void check_frequencies(const std::vector<double>& got, double base, const std::vector<double>& want) {
  if (base < 0x1p-20 || base > 0x1p20) return;  // Beyond, the reference has none.
  for (std::size_t i = 0; i < got.size(); ++i) {
    require_near(got[i], want[i], 0x1p-51 * want[i], "frequencies are those of the reference");
  }
}

void fuzz_frequencies(Input& input) {
  const double rope_theta = any_base(input);
  const Shape1 shape{input.extent(70)};
  std::vector<double> inv_freq = canaries<double>(shape);
  if (input.flip()) {
    const Status status = rope_inv_freq(rope_theta, view(inv_freq, shape));
    require_verdict(status, is_base(rope_theta), {"rope_theta"});
    if (!status.ok()) return require(untouched(inv_freq), "a refused call writes nothing");
    check_frequencies(inv_freq, rope_theta, reference::rope_inv_freq(rope_theta, 2 * shape[0]));
    return;
  }
  const Shape1 axes_shape = input.disturbed(shape);
  std::vector<std::int32_t> pair_axes = canaries<std::int32_t>(axes_shape);
  const Status status = axial_rope(rope_theta, view(inv_freq, shape), view(pair_axes, axes_shape));
  require_verdict(status, is_base(rope_theta) && shape[0] % 2 == 0 && axes_shape == shape,
                  {"rope_theta", "inv_freq", "pair_axes"});
  if (!status.ok())
    return require(untouched(inv_freq) && untouched(pair_axes), "a refused call writes nothing");
  const reference::AxialRope want = reference::axial_rope(rope_theta, 2 * shape[0]);
  check_frequencies(inv_freq, rope_theta, want.inv_freq);
  require(pair_axes == want.pair_axes, "axes are those of the reference");
}

void fuzz_pair_axes(Input& input) {
  const bool wild = input.rarely();
  const Shape1 sections_shape = input.disturbed(Shape1{3});
  std::vector<std::int32_t> sections(room(sections_shape));
  for (std::int32_t& section : sections) {
    section = wild ? input.integer() : static_cast<std::int32_t>(input.below(12)) - (input.rarely() ? 12 : 0);
  }
  std::int64_t sum = 0;
  bool any_negative = false;
  for (const std::int32_t section : sections) {
    sum += section;
    any_negative = any_negative || section < 0;
  }
  const auto n_pairs = static_cast<std::size_t>(std::clamp<std::int64_t>(sum, 0, 64));
  const Shape1 axes_shape = input.disturbed(Shape1{n_pairs});
  const bool interleaved = input.flip();
  std::vector<std::int32_t> pair_axes = canaries<std::int32_t>(axes_shape);

  bool valid = sections_shape[0] == 3 && !any_negative && sum == static_cast<std::int64_t>(axes_shape[0]);
  if (valid && !is_reasonable(axes_shape)) return;
  if (valid && interleaved) {
    for (std::int64_t axis = 1; axis < 3; ++axis) {
      const std::int64_t section = sections[static_cast<std::size_t>(axis)];
      valid = valid && (section == 0 || axis + 3 * (section - 1) < sum);
    }
  }
  const Status status =
      mrope_pair_axes(view(sections, sections_shape), interleaved, view(pair_axes, axes_shape));
  require_verdict(status, valid, {"sections", "pair_axes"});
  if (!status.ok()) return require(untouched(pair_axes), "a refused call writes nothing");
  require(pair_axes == reference::mrope_pair_axes(sections, interleaved), "axes are those of the reference");
  for (std::int32_t axis = 0; axis < 3; ++axis) {
    require(std::count(pair_axes.begin(), pair_axes.end(), axis) == sections[static_cast<std::size_t>(axis)],
            "each axis has the pairs of its section");
  }
}

/// Whether cosine and sine of this angle are promised to the last digit.
bool is_exact(std::int32_t position, double inv_freq) { return std::abs(position * inv_freq) <= 0x1p31; }

/// Any numbers, or such as turn by a moderate angle even at the last position.
std::vector<double> draw_frequencies(Input& input, std::size_t size) {
  const bool tame = input.flip();
  std::vector<double> inv_freq = input.numbers<double>(size, tame);
  for (double& frequency : inv_freq) {
    if (tame) frequency = frequency / 2 * std::exp2(-static_cast<double>(input.below(24)));
  }
  return inv_freq;
}

void fuzz_cache(Input& input) {
  const std::size_t n_axes = input.extent(3);
  const std::size_t rows = input.extent(5);
  const std::size_t n_pairs = input.extent(9);
  const Shape2 ids_shape = input.disturbed(Shape2{n_axes, rows});
  const Shape1 freq_shape = input.disturbed(Shape1{n_pairs});
  const Shape1 axes_shape = input.disturbed(Shape1{input.flip() ? n_pairs : 0});
  const Shape2 cos_shape = input.disturbed(Shape2{rows, n_pairs});
  const Shape2 sin_shape = input.disturbed(Shape2{rows, n_pairs});
  std::vector<std::int32_t> position_ids = input.integers(room(ids_shape));
  std::vector<double> inv_freq = draw_frequencies(input, room(freq_shape));
  std::vector<std::int32_t> pair_axes = input.indices(room(axes_shape), n_axes);
  const double attention_factor = input.flip() ? 1 : input.number<double>();
  std::vector<float> cos = canaries<float>(cos_shape);
  std::vector<float> sin = canaries<float>(sin_shape);

  bool valid = ids_shape[0] > 0 && (axes_shape[0] == 0 || axes_shape == freq_shape) &&
               cos_shape == Shape2{ids_shape[1], freq_shape[0]} && sin_shape == cos_shape &&
               are_angle_factors(inv_freq) && std::isfinite(attention_factor);
  for (const std::int32_t axis : pair_axes) {
    valid = valid && axis >= 0 && static_cast<std::size_t>(axis) < ids_shape[0];
  }
  if (valid && !is_reasonable(ids_shape, freq_shape, cos_shape)) return;
  const Status status =
      build_rope_cache(view(position_ids, ids_shape), view(inv_freq, freq_shape), view(pair_axes, axes_shape),
                       attention_factor, view(cos, cos_shape), view(sin, sin_shape));
  require_verdict(status, valid, {"position_ids", "inv_freq", "pair_axes", "attention_factor", "cos", "sin"});
  if (!status.ok()) return require(untouched(cos) && untouched(sin), "a refused call writes nothing");
  const double factor = std::abs(attention_factor);
  if (factor < 0x1p-100 || factor > 0x1p100) return;
  const std::vector<long double> steps(inv_freq.begin(), inv_freq.end());
  const reference::RopeCache want =
      reference::build_rope_cache(position_ids, steps, ids_shape[0], pair_axes, attention_factor);
  for (std::size_t i = 0; i < cos.size(); ++i) {
    const std::size_t row = i / steps.size();
    const std::size_t pair = i % steps.size();
    const auto axis = pair_axes.empty() ? 0 : static_cast<std::size_t>(pair_axes[pair]);
    const std::int32_t position = position_ids[axis * ids_shape[1] + row];
    require_near(std::hypot(cos[i], sin[i]), factor, factor * 0x1p-22, "cosine and sine lie on the circle");
    if (!is_exact(position, inv_freq[pair])) continue;
    require_near(cos[i], want.cos[i], float_ulp(want.cos[i]), "cosines are those of the reference");
    require_near(sin[i], want.sin[i], float_ulp(want.sin[i]), "sines are those of the reference");
  }
}

void fuzz_xpos(Input& input) {
  const std::size_t rows = input.extent(5);
  const std::size_t n_pairs = input.extent(9);
  const Shape1 ids_shape = input.disturbed(Shape1{rows});
  const Shape1 freq_shape = input.disturbed(Shape1{n_pairs});
  const Shape2 cos_shape = input.disturbed(Shape2{rows, n_pairs});
  const Shape2 sin_shape = input.disturbed(Shape2{rows, n_pairs});
  std::vector<std::int32_t> position_ids = input.integers(room(ids_shape));
  std::vector<double> inv_freq = draw_frequencies(input, room(freq_shape));
  const double scale_base = input.flip() ? 512 + input.moderate(500) : input.number<double>();
  const double gamma = input.flip() ? 0.5 + input.moderate(0.4) : input.number<double>();
  const XposSide side = input.one_of({XposSide::query, XposSide::key});
  std::vector<float> cos = canaries<float>(cos_shape);
  std::vector<float> sin = canaries<float>(sin_shape);
  const bool valid = cos_shape == Shape2{ids_shape[0], freq_shape[0]} && sin_shape == cos_shape &&
                     are_angle_factors(inv_freq) && is_base(scale_base) && is_base(gamma);
  if (valid && !is_reasonable(ids_shape, freq_shape, cos_shape)) return;
  const Status status = build_xpos_cache(view(position_ids, ids_shape), view(inv_freq, freq_shape),
                                         scale_base, gamma, side, view(cos, cos_shape), view(sin, sin_shape));
  require_verdict(status, valid, {"position_ids", "inv_freq", "scale_base", "gamma", "cos", "sin"});
  if (!status.ok()) return require(untouched(cos) && untouched(sin), "a refused call writes nothing");
  if (gamma < 0x1p-20 || gamma > 0x1p20) return;
  const std::vector<long double> steps(inv_freq.begin(), inv_freq.end());
  const reference::RopeCache want = reference::build_xpos_cache(position_ids, steps, scale_base, gamma, side);
  for (std::size_t i = 0; i < cos.size(); ++i) {
    const double scale = std::hypot(want.cos[i], want.sin[i]);
    if (!(scale >= std::numeric_limits<float>::min() && scale <= std::numeric_limits<float>::max())) continue;
    if (!is_exact(position_ids[i / inv_freq.size()], inv_freq[i % inv_freq.size()])) continue;
    require_near(cos[i], want.cos[i], 0x1p-23 * scale, "cosines are those of the reference");
    require_near(sin[i], want.sin[i], 0x1p-23 * scale, "sines are those of the reference");
  }
}

void fuzz_rotation(Input& input) {
  const bool tame = input.flip();
  const RopeLayout layout = input.one_of({RopeLayout::half, RopeLayout::interleaved});
  const std::size_t batch = input.extent(3);
  const std::size_t seq_len = input.extent(5);
  const std::size_t n_heads = input.extent(3);
  const std::size_t head_dim = input.extent(40);
  const std::size_t n_pairs = input.rarely() ? input.below(24) : input.below(head_dim / 2 + 1);
  const bool by_id = input.flip();
  const std::size_t rows = by_id ? input.extent(6) : input.flip() ? seq_len : batch * seq_len;
  const Shape4 x_shape = input.disturbed(Shape4{batch, seq_len, n_heads, head_dim});
  const Shape2 cos_shape = input.disturbed(Shape2{rows, n_pairs});
  const Shape2 sin_shape = input.disturbed(Shape2{rows, n_pairs});
  const Shape1 ids_shape = input.disturbed(Shape1{by_id ? batch * seq_len : 0});
  const std::size_t tokens = x_shape[0] * x_shape[1];

  // Points of the circle, or any numbers.
  std::vector<float> cos = input.numbers<float>(room(cos_shape), tame);
  std::vector<float> sin = input.numbers<float>(room(sin_shape), tame);
  const bool on_circle = tame && cos.size() == sin.size();
  for (std::size_t i = 0; on_circle && i < cos.size(); ++i) {
    const double angle = cos[i];
    cos[i] = static_cast<float>(std::cos(4 * angle));
    sin[i] = static_cast<float>(std::sin(4 * angle));
  }
  std::vector<std::int32_t> position_ids =
      input.indices(room(ids_shape), cos_shape[0] > 100 ? 1 : cos_shape[0]);
  Heads<float> x(input, x_shape, [&](std::size_t size) { return input.numbers<float>(size, tame); });
  const Heads<float> before = x;

  bool valid =
      cos_shape[1] <= x_shape[3] / 2 && sin_shape == cos_shape &&
      (ids_shape[0] == 0 ? cos_shape[0] == tokens || cos_shape[0] == x_shape[1] : ids_shape[0] == tokens);
  for (const std::int32_t id : position_ids) {
    valid = valid && id >= 0 && static_cast<std::size_t>(id) < cos_shape[0];
  }
  if (valid && !is_reasonable(x_shape, cos_shape, ids_shape)) return;
  const Status status =
      apply_rope(x.view(), view(cos, cos_shape), view(sin, sin_shape), view(position_ids, ids_shape), layout);
  require_verdict(status, valid, {"x", "cos", "sin", "position_ids"});
  if (!status.ok()) return require(same_numbers(x.storage, before.storage), "a refused call writes nothing");

  // The same rows by their ids, in another format and layout.
  std::vector<std::int32_t> ids = position_ids;
  for (std::size_t token = ids.size(); token < tokens; ++token) {
    ids.push_back(static_cast<std::int32_t>(token % cos_shape[0]));
  }
  const Shape1 all_ids_shape{tokens};
  const RopeLayout other = layout == RopeLayout::half ? RopeLayout::interleaved : RopeLayout::half;
  Heads<float> converted(input, x_shape, unwritten<float>);
  const Shape3 packed_shape{tokens * x_shape[2], x_shape[3], 1};
  const auto convert = [&](std::vector<float> values) {
    std::vector<float> out = canaries<float>(packed_shape);
    require(convert_rope_layout(view(values, packed_shape), 2 * cos_shape[1], other, view(out, packed_shape))
                .ok(),
            "heads are converted");
    return out;
  };
  converted.unpack(convert(before.packed()));
  require(apply_rope(converted.view(), view(cos, cos_shape), view(sin, sin_shape), view(ids, all_ids_shape),
                     other)
              .ok(),
          "rows by their ids are taken");
  require(same_numbers(converted.packed(), convert(x.packed())),
          "rotation does not depend on layout, format and the rows' ids");
  require(converted.rest_untouched(), "only rows in use are written");

  const std::vector<float> from = before.packed();
  const std::vector<float> to = x.packed();
  std::vector<double> want = to_double(from);
  reference::apply_rope(want, {HeadsFormat::bshd, x_shape[0], x_shape[1], x_shape[2], x_shape[3]},
                        to_double(cos), to_double(sin), ids, 2 * cos_shape[1], layout);
  for (std::size_t head = 0; head < tokens * x_shape[2]; ++head) {
    const std::size_t begin = head * x_shape[3];
    for (std::size_t c = 2 * cos_shape[1]; c < x_shape[3]; ++c) {
      require(same_bits(to[begin + c], from[begin + c]), "components past rotary_dim are left as they are");
    }
    if (!on_circle) continue;
    for (std::size_t pair = 0; pair < cos_shape[1]; ++pair) {
      const auto [a, b] = reference::pair_components(pair, 2 * cos_shape[1], layout);
      const double length = std::hypot(from[begin + a], from[begin + b]);
      for (const std::size_t c : {begin + a, begin + b}) {
        require_near(to[c], want[c], 0x1p-23 * length, "rotation is that of the reference");
      }
      require_near(std::hypot(to[begin + a], to[begin + b]), length, 0x1p-21 * length,
                   "rotation keeps lengths");
    }
  }
}

void fuzz_layout(Input& input) {
  const Shape3 shape{input.extent(4), input.extent(20), input.flip() ? 1 : input.extent(5)};
  const Shape3 x_shape = input.disturbed(shape);
  const Shape3 out_shape = input.disturbed(shape);
  const std::size_t rotary_dim =
      input.rarely()
          ? input.one_of({std::size_t{1} << 31, std::size_t{1} << 63, ~std::size_t{0}, ~std::size_t{1}})
          : input.below(x_shape[1] > 100 ? 100 : x_shape[1] + 2);
  const RopeLayout to = input.one_of({RopeLayout::half, RopeLayout::interleaved});
  std::vector<float> x = input.numbers<float>(room(x_shape), false);
  std::vector<float> out = canaries<float>(out_shape);
  const bool valid = rotary_dim % 2 == 0 && rotary_dim <= x_shape[1] && out_shape == x_shape;
  if (valid && !is_reasonable(x_shape)) return;
  const Status status = convert_rope_layout(view(x, x_shape), rotary_dim, to, view(out, out_shape));
  require_verdict(status, valid, {"x", "rotary_dim", "out"});
  if (!status.ok()) return require(untouched(out), "a refused call writes nothing");
  if (out.empty()) return;
  const std::vector<float> want = reference::convert_rope_layout(x, x_shape[1], x_shape[2], rotary_dim, to);
  require(std::equal(out.begin(), out.end(), want.begin(), want.end(), same_bits<float>),
          "the other layout is that of the reference");
  std::vector<float> back = canaries<float>(x_shape);
  const RopeLayout other = to == RopeLayout::half ? RopeLayout::interleaved : RopeLayout::half;
  require(convert_rope_layout(view(out, x_shape), rotary_dim, other, view(back, x_shape)).ok(), "and back");
  require(std::equal(back.begin(), back.end(), x.begin(), x.end(), same_bits<float>),
          "there and back is where it was");
}

}  // namespace
}  // namespace ropewalk::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ropewalk::fuzz;
  Input input(data, size);
  input.one_of({fuzz_rotation, fuzz_rotation, fuzz_frequencies, fuzz_pair_axes, fuzz_cache, fuzz_xpos,
                fuzz_layout})(input);
  return 0;
}

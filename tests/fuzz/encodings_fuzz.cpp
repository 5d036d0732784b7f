#include "fuzz.hpp"
#include "reference/embedding.hpp"
#include "reference/encodings.hpp"
#include "ropewalk/embedding.hpp"
#include "ropewalk/encodings.hpp"

namespace ropewalk::fuzz {
namespace {

using Shape1 = std::array<std::size_t, 1>;
using Shape2 = std::array<std::size_t, 2>;

void fuzz_encodings(Input& input) {
  const std::size_t seq_len = input.extent(8);
  const Shape1 ids_shape = input.disturbed(Shape1{seq_len});
  const Shape2 out_shape = input.disturbed(Shape2{seq_len, input.extent(40)});
  std::vector<std::int32_t> position_ids = input.integers(room(ids_shape));
  std::vector<float> out = canaries<float>(out_shape);
  const auto ids = view(position_ids, ids_shape);
  const auto written = view(out, out_shape);
  const std::size_t dim = out_shape[1];
  const bool valid = out_shape[0] == ids_shape[0];
  if (valid && !is_reasonable(ids_shape, out_shape)) return;

  if (input.flip()) {
    const bool digits = input.flip();
    const Status status = digits ? binary_encoding(ids, written) : integer_encoding(ids, written);
    require_verdict(status, valid, {"out", "position_ids"});
    if (!status.ok()) return require(untouched(out), "a refused call writes nothing");
    const std::vector<double> want = digits ? reference::binary_encoding(position_ids, dim)
                                            : reference::integer_encoding(position_ids, dim);
    for (std::size_t i = 0; i < out.size(); ++i) {
      require(out[i] == static_cast<float>(want[i]), "rounded once, and exact where float is");
    }
    return;
  }

  const double base = input.flip() ? std::exp2(20 * input.moderate(1)) : input.number<double>();
  const Status status = sinusoidal_encoding(ids, base, written);
  require_verdict(status, valid && is_base(base), {"out", "position_ids", "base"});
  if (!status.ok()) return require(untouched(out), "a refused call writes nothing");
  for (const float component : out) require(std::abs(component) <= 1, "a sine is at most 1");
  if (base < 0x1p-20 || base > 0x1p20) return;  // Beyond, the reference has no frequencies.
  const std::vector<double> want = reference::sinusoidal_encoding(position_ids, base, dim);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double position = std::abs(static_cast<double>(position_ids[i / dim]));
    require_near(out[i], want[i], 0x1p-25 + 0x1p-52 * (1 + position * std::max(1.0, 1 / base)),
                 "sines are those of the reference");
  }
}

void fuzz_seeded(Input& input) {
  const auto seed = static_cast<std::uint32_t>(input.integer());
  if (input.flip()) {
    const std::size_t seq_len = input.extent(8);
    const Shape1 ids_shape = input.disturbed(Shape1{seq_len});
    const Shape2 out_shape = input.disturbed(Shape2{seq_len, input.extent(20)});
    std::vector<std::int32_t> token_ids = input.integers(room(ids_shape));
    std::vector<float> out = canaries<float>(out_shape);
    const bool valid = out_shape[0] == ids_shape[0];
    if (valid && !is_reasonable(ids_shape, out_shape)) return;
    const Status status = seeded_embedding(view(token_ids, ids_shape), seed, view(out, out_shape));
    require_verdict(status, valid, {"out", "token_ids"});
    if (!status.ok()) return require(untouched(out), "a refused call writes nothing");
    for (const float component : out) require(std::abs(component) <= 6, "a component is never past 6");

    // A row by itself, and longer, begins alike.
    if (out.empty()) return;
    const std::size_t row = input.below(out_shape[0]);
    const Shape2 longer_shape{1, out_shape[1] + input.below(9)};
    std::vector<float> longer = canaries<float>(longer_shape);
    require(seeded_embedding({&token_ids[row], {1}}, seed, view(longer, longer_shape)).ok(),
            "one row is taken");
    const auto begin = out.begin() + static_cast<std::ptrdiff_t>(row * out_shape[1]);
    require(std::equal(begin, begin + static_cast<std::ptrdiff_t>(out_shape[1]), longer.begin()),
            "a row depends on its token alone, and is the beginning of a longer one");
  } else {
    const Shape2 shape{input.extent(12), input.extent(12)};
    std::vector<float> out = canaries<float>(shape);
    require_verdict(seeded_projection(seed, static_cast<std::uint32_t>(input.integer()), view(out, shape)),
                    true, {});
    const double bound = std::sqrt(3 / static_cast<double>(shape[1]));
    for (const float weight : out)
      require(std::abs(weight) <= bound * (1 + 0x1p-23), "weights are within bounds");
  }
}

void fuzz_add(Input& input) {
  const bool tame = input.flip();
  const Shape2 shape{input.extent(8), input.extent(20)};
  const Shape2 encoding_shape = input.disturbed(shape);
  const Shape2 x_shape = input.disturbed(shape);
  std::vector<float> encoding = input.numbers<float>(room(encoding_shape), tame);
  std::vector<float> x = input.numbers<float>(room(x_shape), tame);
  const std::vector<float> before = x;
  const bool valid = encoding_shape == x_shape;
  if (valid && !is_reasonable(x_shape)) return;
  const Status status = add_encoding(view(encoding, encoding_shape), view(x, x_shape));
  require_verdict(status, valid, {"encoding", "x"});
  if (!status.ok()) return require(same_numbers(x, before), "a refused call writes nothing");
  for (std::size_t i = 0; i < x.size(); ++i) {
    require(same_number(x[i], before[i] + encoding[i]), "x is the sum of both");
  }
}

void fuzz_linear(Input& input) {
  const bool tame = input.flip();
  const std::size_t rows = input.extent(10);
  const std::size_t in_dim = input.extent(40);
  const std::size_t out_dim = input.extent(20);
  const Shape2 x_shape = input.disturbed(Shape2{rows, in_dim});
  const Shape2 weight_shape = input.disturbed(Shape2{out_dim, in_dim});
  const Shape2 out_shape = input.disturbed(Shape2{rows, out_dim});
  std::vector<float> x = input.numbers<float>(room(x_shape), tame);
  std::vector<float> weight = input.numbers<float>(room(weight_shape), tame);
  std::vector<float> out = canaries<float>(out_shape);
  const bool valid = weight_shape[1] == x_shape[1] && out_shape == Shape2{x_shape[0], weight_shape[0]};
  if (valid && !is_reasonable(x_shape, weight_shape)) return;
  const Status status = linear(view(x, x_shape), view(weight, weight_shape), view(out, out_shape));
  require_verdict(status, valid, {"x", "weight", "out"});
  if (!status.ok()) return require(untouched(out), "a refused call writes nothing");
  if (!tame) return;
  const std::vector<double> want =
      reference::linear(to_double(x), to_double(weight), x_shape[0], x_shape[1], weight_shape[0]);
  const auto depth = static_cast<double>(x_shape[1]);
  for (std::size_t i = 0; i < out.size(); ++i) {
    require_near(out[i], want[i], depth * 0x1p-24 * depth * 4, "products are those of the reference");
  }
}

}  // namespace
}  // namespace ropewalk::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ropewalk::fuzz;
  Input input(data, size);
  input.one_of({fuzz_encodings, fuzz_seeded, fuzz_add, fuzz_linear})(input);
  return 0;
}

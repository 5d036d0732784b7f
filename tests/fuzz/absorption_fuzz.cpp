#include "fuzz.hpp"
#include "reference/absorption.hpp"
#include "ropewalk/absorption.hpp"

namespace ropewalk::fuzz {
namespace {

using Shape2 = std::array<std::size_t, 2>;

double largest(const std::vector<float>& values) {
  double most = 0;
  for (const float value : values) most = std::max(most, std::abs(static_cast<double>(value)));
  return most;
}

void fuzz_absorb(Input& input) {
  const bool tame = input.flip();
  const std::size_t head_dim = input.extent(input.flip() ? 6 : 20);
  const std::size_t rank = input.extent(12);
  const std::size_t most = head_dim / 2;
  const std::size_t n_pairs = input.rarely() ? most + 1 : input.below(most + 1);
  const Shape2 up_shape = input.disturbed(Shape2{head_dim, rank});
  const Shape2 absorbed_shape = input.disturbed(Shape2{head_dim, rank});
  const std::array error_shape{input.extent(input.flip() ? 4 : 200)};
  const std::vector<float> key_up = input.numbers<float>(room(up_shape), tame);
  std::vector<double> inv_freq(n_pairs);
  for (double& frequency : inv_freq) {
    frequency = input.flip() ? input.moderate(1) : tame ? input.moderate(10) : input.number<double>();
  }
  const RopeLayout layout = input.flip() ? RopeLayout::half : RopeLayout::interleaved;
  const std::uint32_t context_len = input.flip() ? static_cast<std::uint32_t>(input.below(250))
                                                 : static_cast<std::uint32_t>(input.integer());
  const double first = tame ? input.moderate(5000) : input.number<double>();
  const double step = tame ? input.moderate(10) : input.number<double>();

  std::vector<float> absorbed = canaries<float>(absorbed_shape);
  std::vector<float> error = canaries<float>(error_shape);
  std::vector<float> up = key_up;
  const bool valid = n_pairs <= up_shape[0] / 2 && absorbed_shape == up_shape &&
                     are_angle_factors(inv_freq) && context_len != 0 && is_angle_factor(first) &&
                     is_angle_factor(step);
  if (valid && !is_reasonable(up_shape)) return;
  const Status status =
      absorb_rotation(view(up, up_shape), {begin_of(inv_freq), {n_pairs}}, layout, context_len, first, step,
                      view(absorbed, absorbed_shape), view(error, error_shape));
  require_verdict(status, valid, {"inv_freq", "absorbed", "context_len", "first_distance", "step"});
  if (!status.ok()) return require(untouched(absorbed) && untouched(error), "a refused call writes nothing");
  require(std::equal(up.begin(), up.end(), key_up.begin(), same_bits<float>), "W_UK is as it was");
  if (up_shape[1] == 0) {
    for (const float one : error) require(one == 0, "of no components there is no error");
    return;
  }

  // What is not rotated is as it was; what is, is a mean of what has its length.
  const std::size_t rotated = 2 * n_pairs * up_shape[1];
  for (std::size_t i = rotated; i < up.size(); ++i) {
    require(same_number(absorbed[i], up[i]), "components past the pairs are as they were");
  }
  if (!all_finite(up)) return;
  const double size = largest(up);
  for (const float value : absorbed) {
    // Of the largest floats a rotation may be past their end.
    if (size < 1e38) require(std::abs(value) <= 1.4143 * size + 1e-44, "a mean is no longer than its terms");
  }
  const bool is_plain = size == 0 || size > 1e-30;
  for (const float one : error) require(!is_plain || (one >= 0 && one <= 2.0001f), "no error is past 2");

  // The reference adds up distance by distance, in doubles of the angles.
  const bool countable = tame && context_len <= 250;
  if (!countable) return;
  std::vector<double> distances;
  for (std::size_t s = 0; s < error.size(); ++s) distances.push_back(first + static_cast<double>(s) * step);
  const reference::Absorption want =
      reference::absorb_rotation(to_double(up), up_shape[1], inv_freq, layout, context_len, distances);
  for (std::size_t i = 0; i < absorbed.size(); ++i) {
    require_near(absorbed[i], want.absorbed[i], 0x1p-21 * size, "absorbed is the reference's");
  }
  for (std::size_t s = 0; s < error.size(); ++s) {
    require_near(error[s], want.error[s], 0x1p-20, "error is the reference's");
  }
}

void fuzz_errors(Input& input) {
  const std::size_t rows = input.extent(9);
  const std::size_t columns = input.extent(20);
  const Shape2 x_shape = input.disturbed(Shape2{rows, columns});
  const Shape2 exact_shape = input.disturbed(Shape2{rows, columns});
  const std::array out_shape = input.disturbed(std::array{columns});
  const bool tame = input.flip();
  std::vector<float> exact = input.numbers<float>(room(exact_shape), tame);
  std::vector<float> x = input.flip() ? exact : input.numbers<float>(room(x_shape), tame);
  x.resize(room(x_shape));
  if (!x.empty() && input.flip()) x[input.below(x.size())] += 0.5f;
  std::vector<float> out = canaries<float>(out_shape);
  const bool valid = x_shape == exact_shape && out_shape[0] == x_shape[1];
  if (valid && !is_reasonable(x_shape)) return;
  const Status status = relative_errors(view(x, x_shape), view(exact, exact_shape), view(out, out_shape));
  require_verdict(status, valid, {"exact", "out"});
  if (!status.ok()) return require(untouched(out), "a refused call writes nothing");
  const std::vector<double> want =
      reference::relative_errors(to_double(x), to_double(exact), x_shape[0], x_shape[1]);
  for (std::size_t c = 0; c < out.size(); ++c) {
    const auto narrow = static_cast<float>(want[c]);
    if (same_number(out[c], narrow)) continue;
    require_near(out[c], narrow, 0x1p-23 * std::abs(static_cast<double>(narrow)),
                 "errors are the reference's");
  }
}

}  // namespace
}  // namespace ropewalk::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ropewalk::fuzz;
  Input input(data, size);
  input.one_of({fuzz_absorb, fuzz_absorb, fuzz_errors})(input);
  return 0;
}

#include "fuzz.hpp"
#include "reference/normalization.hpp"
#include "ropewalk/normalization.hpp"

namespace ropewalk::fuzz {
namespace {

void fuzz_rms_norm(Input& input) {
  using Shape = std::array<std::size_t, 2>;
  const bool tame = input.flip();
  const bool in_place = input.flip();
  const Shape shape{input.extent(5), input.extent(40)};
  const Shape x_shape = input.disturbed(shape);
  const Shape out_shape = in_place ? x_shape : input.disturbed(shape);
  const std::array weight_shape = input.disturbed(std::array{input.flip() ? shape[1] : 0});
  const double epsilon = input.flip() ? input.one_of({0.0, 1e-6, 1e-5}) : input.number<double>();
  std::vector<float> x = input.numbers<float>(room(x_shape), tame);
  std::vector<float> weight = input.numbers<float>(room(weight_shape), tame);
  if (input.byte() % 4 == 0) std::fill(x.begin(), x.end(), 0.0f);
  const std::vector<float> before = x;
  std::vector<float> apart = canaries<float>(out_shape);
  std::vector<float>& out = in_place ? x : apart;

  const bool valid = out_shape == x_shape && (weight_shape[0] == 0 || weight_shape[0] == x_shape[1]) &&
                     std::isfinite(epsilon) && epsilon >= 0;
  if (valid && !is_reasonable(x_shape, weight_shape)) return;
  const Status status = rms_norm(view(x, x_shape), view(weight, weight_shape), epsilon, view(out, out_shape));
  require_verdict(status, valid, {"x", "weight", "epsilon", "out"});
  require(untouched(apart) || (status.ok() && !in_place), "a refused call writes nothing");
  if (!status.ok() || !in_place) require(same_numbers(x, before), "x is not written but in place");
  if (!status.ok()) return;

  const std::size_t dim = x_shape[1];
  for (std::size_t r = 0; r < x_shape[0]; ++r) {
    const auto row = before.begin() + static_cast<std::ptrdiff_t>(r * dim);
    const auto row_end = row + static_cast<std::ptrdiff_t>(dim);
    const bool is_zero = std::all_of(row, row_end, [](float value) { return value == 0; });
    const bool is_finite = std::all_of(row, row_end, [](float value) { return std::isfinite(value); });
    for (std::size_t c = 0; c < dim; ++c) {
      const float got = out[r * dim + c];
      const float factor = weight.empty() ? 1 : weight[c];
      if (!std::isfinite(factor)) continue;
      if (is_zero) require(got == 0, "a row of zeros stays zero");
      const double bound =
          std::sqrt(static_cast<double>(dim)) * std::abs(static_cast<double>(factor)) * (1 + 0x1p-22);
      if (is_finite && bound <= std::numeric_limits<float>::max()) {
        require(std::abs(got) <= bound + 0x1p-148, "no component passes sqrt(dim)");
      }
    }
  }
  if (!tame || !all_finite(out)) return;
  if (weight.empty()) weight.assign(dim, 1);
  const std::vector<double> want =
      reference::rms_norm(to_double(before), to_double(weight), epsilon, x_shape[0], dim);
  for (std::size_t i = 0; i < out.size(); ++i) {
    require_near(out[i], want[i], std::exp2(-22.9) * std::abs(want[i]) + 0x1p-148,
                 "norms are those of the reference");
  }
}

void fuzz_softmax(Input& input) {
  using Shape = std::array<std::size_t, 3>;
  const bool tame = input.flip();
  const bool in_place = input.flip();
  const Shape shape{input.extent(3), input.extent(20), input.flip() ? 1 : input.extent(20)};
  const Shape x_shape = input.disturbed(shape);
  const Shape out_shape = in_place ? x_shape : input.disturbed(shape);
  if (!is_reasonable(x_shape) && x_shape == out_shape) return;
  std::vector<float> x = input.numbers<float>(room(x_shape), tame);
  if (input.flip()) {
    for (float& value : x) {
      if (input.flip()) value = -infinity;
    }
  }
  const std::vector<float> before = x;
  std::vector<float> apart = canaries<float>(out_shape);
  std::vector<float>& out = in_place ? x : apart;

  const Status status = softmax(view(x, x_shape), view(out, out_shape));
  require_verdict(status, out_shape == x_shape, {"x", "out"});
  require(untouched(apart) || (status.ok() && !in_place), "a refused call writes nothing");
  if (!status.ok() || !in_place) require(same_numbers(x, before), "x is not written but in place");
  if (!status.ok()) return;

  const auto [outer, size, inner] = x_shape;
  for (std::size_t o = 0; o < outer; ++o) {
    for (std::size_t c = 0; c < inner; ++c) {
      bool any_nan = false;
      float largest = -infinity;
      double sum = 0;
      for (std::size_t i = 0; i < size; ++i) {
        const float value = before[(o * size + i) * inner + c];
        any_nan = any_nan || std::isnan(value) || value == infinity;
        largest = std::max(largest, value);
        sum += out[(o * size + i) * inner + c];
      }
      for (std::size_t i = 0; i < size; ++i) {
        const float got = out[(o * size + i) * inner + c];
        if (any_nan) {
          require(std::isnan(got), "a NaN or +inf makes all that it is summed with NaN");
        } else if (largest == -infinity) {
          require(got == 0, "where every x is -inf the result is zero");
        } else {
          require(got >= 0, "weights are not negative");
        }
      }
      if (!any_nan && largest != -infinity) {
        require_near(sum, 1, static_cast<double>(size + 16) * 0x1p-23, "weights sum to 1");
      }
    }
  }
  if (!tame) return;
  const std::vector<double> want = reference::softmax(to_double(before), outer, size, inner);
  for (std::size_t i = 0; i < out.size(); ++i) {
    require_near(out[i], want[i], 0x1p-22 + static_cast<double>(size) * 0x1p-26,
                 "weights are those of the reference");
  }
}

}  // namespace
}  // namespace ropewalk::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ropewalk::fuzz;
  Input input(data, size);
  input.one_of({fuzz_rms_norm, fuzz_softmax})(input);
  return 0;
}

#include "fuzz.hpp"
#include "reference/position_bias.hpp"
#include "ropewalk/position_bias.hpp"

namespace ropewalk::fuzz {
namespace {

using Shape1 = std::array<std::size_t, 1>;
using Shape2 = std::array<std::size_t, 2>;
using Shape3 = std::array<std::size_t, 3>;

void fuzz_alibi(Input& input) {
  const Shape3 shape{input.extent(40), input.extent(6), input.extent(12)};
  const Shape1 slopes_shape = input.disturbed(Shape1{shape[0]});
  const Shape3 out_shape = input.disturbed(shape);
  const std::int32_t query_offset = input.integer();
  std::vector<float> slopes = canaries<float>(slopes_shape);
  const bool tame = input.flip();
  if (tame && is_reasonable(slopes_shape)) {
    alibi_slopes(view(slopes, slopes_shape));
    const std::vector<double> want =
        slopes.empty() ? std::vector<double>{} : reference::alibi_slopes(slopes.size());
    for (std::size_t h = 0; h < slopes.size(); ++h) {
      require_near(slopes[h], want[h], 0x1p-24 * want[h], "slopes are those of the reference");
    }
  } else {
    slopes = input.numbers<float>(slopes.size(), false);
  }
  std::vector<float> out = canaries<float>(out_shape);
  const bool valid = slopes_shape[0] == out_shape[0];
  if (valid && !is_reasonable(slopes_shape, out_shape)) return;
  const Status status = alibi_bias(view(slopes, slopes_shape), query_offset, view(out, out_shape));
  require_verdict(status, valid, {"slopes", "out"});
  if (!status.ok()) return require(untouched(out), "a refused call writes nothing");
  if (!all_finite(slopes)) return;
  const std::vector<double> want =
      reference::alibi_bias(to_double(slopes), out_shape[1], out_shape[2], query_offset);
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (std::abs(want[i]) > std::numeric_limits<float>::max()) continue;
    require_near(out[i], want[i], 0x1p-24 * std::abs(want[i]) + 0x1p-150,
                 "the bias is that of the reference");
  }
}

void fuzz_t5(Input& input) {
  const bool wild = input.flip();
  T5Buckets options{.num_buckets = wild ? input.integer() : static_cast<std::int32_t>(2 * input.below(24)),
                    .max_distance = wild ? input.integer() : static_cast<std::int32_t>(input.below(200)),
                    .bidirectional = input.flip()};
  // The time goes with the square of it.
  if (options.num_buckets > 64 && !input.rarely()) return;
  const std::int32_t query_offset = input.integer();
  const std::int32_t n = options.num_buckets;
  const std::int32_t n_side = options.bidirectional ? n / 2 : n;
  const bool options_valid = (options.bidirectional ? n >= 4 && n % 2 == 0 : n >= 2) && n <= 512 &&
                             options.max_distance > n_side / 2;

  const Shape2 buckets_shape{input.extent(6), input.extent(12)};
  std::vector<std::int32_t> buckets = canaries<std::int32_t>(buckets_shape);
  const Status status = t5_buckets(options, query_offset, view(buckets, buckets_shape));
  require_verdict(status, options_valid, {"num_buckets", "max_distance"});
  if (!status.ok()) {
    require(untouched(buckets), "a refused call writes nothing");
  } else {
    for (const std::int32_t bucket : buckets) require(bucket >= 0 && bucket < n, "buckets are within bounds");
    require(
        n > 64 || buckets == reference::t5_buckets(buckets_shape[0], buckets_shape[1], query_offset, options),
        "buckets are those of the reference");
  }

  const std::size_t n_heads = input.extent(4);
  const Shape2 table_shape = input.disturbed(Shape2{static_cast<std::size_t>(std::clamp(n, 0, 64)), n_heads});
  const Shape3 out_shape = input.disturbed(Shape3{n_heads, buckets_shape[0], buckets_shape[1]});
  const bool valid = options_valid && table_shape == Shape2{static_cast<std::size_t>(n), out_shape[0]};
  if (valid && !is_reasonable(table_shape, out_shape)) return;
  std::vector<float> table = input.numbers<float>(room(table_shape), false);
  std::vector<float> out = canaries<float>(out_shape);
  const Status bias_status = t5_bias(view(table, table_shape), options, query_offset, view(out, out_shape));
  require_verdict(bias_status, valid, {"table", "num_buckets", "max_distance", "out"});
  if (!bias_status.ok()) return require(untouched(out), "a refused call writes nothing");
  if (out_shape != Shape3{n_heads, buckets_shape[0], buckets_shape[1]}) return;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::size_t head = i / buckets.size();
    const auto bucket = static_cast<std::size_t>(buckets[i % buckets.size()]);
    require(same_bits(out[i], table[bucket * n_heads + head]),
            "the bias is the table's number for the bucket");
  }
}

}  // namespace
}  // namespace ropewalk::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ropewalk::fuzz;
  Input input(data, size);
  input.one_of({fuzz_alibi, fuzz_t5})(input);
  return 0;
}

#include "fuzz.hpp"

namespace ropewalk::fuzz {
namespace {

/// The product of the extents, or max_elements + 1 where it is more; 0 where an extent is.
template <std::size_t Rank>
std::uint64_t elements(const std::array<std::size_t, Rank>& shape) {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  std::uint64_t product = 1;
  for (const std::size_t extent : shape) {
    if (extent > max_elements / product) return max_elements + 1;
    product *= extent;
  }
  return product;
}

std::vector<float> storage_for(Input& input, std::uint64_t size) {
  return std::vector<float>(size > 1 << 16 || input.rarely() ? input.below(200) : size);
}

void fuzz_view(Input& input) {
  const auto shape =
      input.disturbed(input.disturbed(std::array{input.extent(6), input.extent(6), input.extent(6)}));
  std::vector<float> storage = storage_for(input, elements(shape));
  const TensorView<float, 3> unseen{storage.data() + storage.size(), {7, 8, 9}};
  TensorView<float, 3> seen = unseen;
  const Status status = view_as(std::span(storage), shape, "x", seen);
  require_verdict(status, elements(shape) != 0 && elements(shape) == storage.size(), {"x"});
  if (!status.ok()) {
    return require(seen.data == unseen.data && seen.shape == unseen.shape, "a refused call writes nothing");
  }
  require(seen.data == storage.data() && seen.shape == shape && seen.size() == storage.size(),
          "all of it is seen");
  require(seen.row(shape[0] - 1, shape[1] - 1) + shape[2] == storage.data() + storage.size(),
          "up to its end");
}

void fuzz_heads(Input& input) {
  const std::size_t len = input.extent(5);
  const HeadsFormat format = input.one_of({HeadsFormat::bshd, HeadsFormat::bhsd});
  // batch, capacity, n_heads, head_dim
  const auto shape = input.disturbed(
      input.disturbed(std::array{input.extent(3), len + input.below(3), input.extent(3), input.extent(6)}));
  std::vector<float> storage = storage_for(input, elements(shape));
  const HeadsView<float> unseen{storage.data() + storage.size(), 1, 2, 3, 4, 5, 6, 7};
  HeadsView<float> seen = unseen;
  const auto [batch, capacity, n_heads, head_dim] = shape;
  const Status status =
      heads_as(std::span(storage), format, batch, capacity, len, n_heads, head_dim, "x", seen);
  require_verdict(status,
                  elements(shape) != 0 && elements(shape) == storage.size() && len >= 1 && len <= capacity,
                  {"x"});
  if (!status.ok()) {
    return require(seen.data == unseen.data && seen.batch == 1 && seen.len == 2 && seen.n_heads == 3 &&
                       seen.head_dim == 4 && seen.batch_stride == 5 && seen.row_stride == 6 &&
                       seen.head_stride == 7,
                   "a refused call writes nothing");
  }
  require(seen.batch == batch && seen.len == len && seen.n_heads == n_heads && seen.head_dim == head_dim,
          "the heads are seen as they were given");
  for (std::size_t b = 0; b < batch; ++b) {
    for (std::size_t s = 0; s < len; ++s) {
      for (std::size_t h = 0; h < n_heads; ++h) {
        const std::size_t row =
            format == HeadsFormat::bshd ? (b * capacity + s) * n_heads + h : (b * n_heads + h) * capacity + s;
        require(seen.row(b, s, h) == storage.data() + row * head_dim, "each head is where its format has it");
      }
    }
  }
}

}  // namespace
}  // namespace ropewalk::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ropewalk::fuzz;
  Input input(data, size);
  input.one_of({fuzz_view, fuzz_heads})(input);
  return 0;
}

#include "ropewalk/tensor_view.hpp"

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <limits>
#include <span>
#include <type_traits>

#include "support.hpp"

namespace {

using namespace ropewalk;
using namespace ropewalk::test;

TEST_CASE("a view knows its size", "[tensor_view]") {
  STATIC_REQUIRE(TensorView<float, 1>{}.empty());
  STATIC_REQUIRE(TensorView<float, 3>{nullptr, {2, 0, 4}}.empty());
  STATIC_REQUIRE(TensorView<float, 3>{nullptr, {2, 3, 4}}.size() == 24);
  STATIC_REQUIRE_FALSE(TensorView<float, 3>{nullptr, {2, 3, 4}}.empty());
}

TEST_CASE("row() is where the innermost run begins", "[tensor_view]") {
  std::array<int, 24> storage{};
  const TensorView<int, 3> view{storage.data(), {2, 3, 4}};
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t j = 0; j < 3; ++j) REQUIRE(view.row(i, j) == &storage[(i * 3 + j) * 4]);
  }
  REQUIRE(view.row(1, 2) == view.row(1U, std::size_t{2}));
  REQUIRE(TensorView<int, 1>{storage.data(), {24}}.row() == storage.data());
}

TEST_CASE("a view becomes read-only, and never the other way", "[tensor_view]") {
  STATIC_REQUIRE(std::is_convertible_v<TensorView<float, 2>, TensorView<const float, 2>>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<TensorView<const float, 2>, TensorView<float, 2>>);
  STATIC_REQUIRE(std::is_trivially_copyable_v<TensorView<float, 3>>);
  std::array<float, 6> storage{};
  const TensorView<float, 2> view{storage.data(), {2, 3}};
  const TensorView<const float, 2> readonly = view;
  REQUIRE(readonly.data == storage.data());
  REQUIRE(readonly.shape == view.shape);
}

TEST_CASE("view_as sees storage as a tensor of just its size", "[tensor_view]") {
  std::array<float, 24> storage{};
  TensorView<float, 3> view;
  REQUIRE_THAT(view_as(std::span<float>(storage), std::array<std::size_t, 3>{2, 3, 4}, "x", view), is_ok());
  REQUIRE(view.data == storage.data());
  REQUIRE(view.shape == std::array<std::size_t, 3>{2, 3, 4});

  TensorView<const float, 1> readonly;
  REQUIRE_THAT(view_as(std::span<const float>(storage), std::array<std::size_t, 1>{24}, "x", readonly),
               is_ok());
  REQUIRE(readonly.size() == 24);
}

TEST_CASE("view_as refuses what does not fit, blames the argument, and leaves the view",
          "[tensor_view][errors]") {
  std::array<float, 24> storage{};
  TensorView<float, 3> view{&storage[1], {1, 1, 1}};
  const auto attempt = [&](std::array<std::size_t, 3> shape) {
    return view_as(std::span<float>(storage), shape, "query", view);
  };
  constexpr std::size_t too_many = std::size_t{1} << 31;
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max();

  REQUIRE_THAT(attempt({0, 3, 4}), refuses_shape("query", 0));
  REQUIRE_THAT(attempt({2, 3, 0}), refuses_shape("query", 0));
  // Storage of the wrong length, by one either way.
  REQUIRE_THAT(attempt({1, 1, 23}), refuses_shape("query", 24));
  REQUIRE_THAT(attempt({5, 5, 1}), refuses_shape("query", 24));
  // Products that pass the limit, and those that wrap around to a size that would fit: 2^32 and 2^64 times
  // something.
  REQUIRE_THAT(attempt({too_many, 1, 1}), refuses_shape("query", too_many));
  REQUIRE_THAT(attempt({1, 1, too_many}), refuses_shape("query", too_many));
  REQUIRE_THAT(attempt({65'536, 65'536, 24}), refuses_shape("query", 65'536));
  REQUIRE_THAT(attempt({most, 1, 1}), refuses_shape("query", most));
  REQUIRE_THAT(attempt({24, most, most}), refuses_shape("query", most));
  // The limit itself is a matter of storage.
  REQUIRE_THAT(attempt({max_elements, 1, 1}), refuses_shape("query", 24));

  REQUIRE(view.data == &storage[1]);
  REQUIRE(view.shape == std::array<std::size_t, 3>{1, 1, 1});
  REQUIRE_THAT(attempt({4, 3, 2}), is_ok());
}

// ---- HeadsView --------------------------------------------------------------------------------------------

TEST_CASE("heads_as finds every component, in either format and with rows to spare", "[tensor_view]") {
  constexpr std::size_t batch = 2;
  constexpr std::size_t capacity = 5;
  constexpr std::size_t n_heads = 3;
  constexpr std::size_t head_dim = 4;
  std::array<int, batch * capacity * n_heads * head_dim> storage{};
  for (const std::size_t len : {std::size_t{1}, capacity - 1, capacity}) {
    for (const HeadsFormat format : {HeadsFormat::bshd, HeadsFormat::bhsd}) {
      HeadsView<int> view;
      REQUIRE_THAT(
          heads_as(std::span<int>(storage), format, batch, capacity, len, n_heads, head_dim, "key", view),
          is_ok());
      REQUIRE(view.batch == batch);
      REQUIRE(view.len == len);
      REQUIRE(view.n_heads == n_heads);
      REQUIRE(view.head_dim == head_dim);
      REQUIRE(view.size() == batch * len * n_heads * head_dim);
      for (std::size_t b = 0; b < batch; ++b) {
        for (std::size_t s = 0; s < len; ++s) {
          for (std::size_t h = 0; h < n_heads; ++h) {
            const std::size_t row = format == HeadsFormat::bshd ? (b * capacity + s) * n_heads + h
                                                                : (b * n_heads + h) * capacity + s;
            REQUIRE(view.row(b, s, h) == &storage[row * head_dim]);
          }
        }
      }
    }
  }
}

TEST_CASE("heads become read-only, and never the other way", "[tensor_view]") {
  STATIC_REQUIRE(std::is_convertible_v<HeadsView<float>, HeadsView<const float>>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<HeadsView<const float>, HeadsView<float>>);
  std::array<float, 24> storage{};
  HeadsView<float> view;
  REQUIRE_THAT(heads_as(std::span<float>(storage), HeadsFormat::bhsd, 1, 3, 2, 4, 2, "key", view), is_ok());
  const HeadsView<const float> readonly = view;
  REQUIRE(readonly.row(0, 1, 3) == view.row(0, 1, 3));
  REQUIRE(readonly.size() == view.size());
}

TEST_CASE("heads_as refuses what does not fit, blames the argument, and leaves the view",
          "[tensor_view][errors]") {
  std::array<float, 120> storage{};
  HeadsView<float> view{&storage[1], 1, 1, 1, 1, 1, 1, 1};
  const auto attempt = [&](std::size_t batch, std::size_t capacity, std::size_t len, std::size_t n_heads,
                           std::size_t head_dim) {
    return heads_as(std::span<float>(storage), HeadsFormat::bshd, batch, capacity, len, n_heads, head_dim,
                    "value", view);
  };
  REQUIRE_THAT(attempt(0, 5, 5, 3, 4), refuses_shape("value", 0));
  REQUIRE_THAT(attempt(2, 0, 0, 3, 4), refuses_shape("value", 0));
  REQUIRE_THAT(attempt(2, 5, 5, 0, 4), refuses_shape("value", 0));
  REQUIRE_THAT(attempt(2, 5, 5, 3, 0), refuses_shape("value", 0));
  REQUIRE_THAT(attempt(2, 5, 5, 3, 3), refuses_shape("value", 120));
  REQUIRE_THAT(attempt(2, 6, 5, 3, 4), refuses_shape("value", 120));
  REQUIRE_THAT(attempt(65'536, 65'536, 5, 1, 120), refuses_shape("value", 65'536));
  REQUIRE_THAT(attempt(2, 5, 0, 3, 4), refuses_shape("value", 0));
  REQUIRE_THAT(attempt(2, 5, 6, 3, 4), refuses_shape("value", 6));
  REQUIRE(view.data == &storage[1]);
  REQUIRE(view.batch_stride == 1);
  REQUIRE_THAT(attempt(2, 5, 5, 3, 4), is_ok());
}

}  // namespace

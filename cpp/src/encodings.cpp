#include "ropewalk/encodings.hpp"

#include <algorithm>
#include <cmath>

#include "frequency.hpp"
#include "unit_circle.hpp"

namespace ropewalk {
namespace {

Status check_rows(TensorView<const std::int32_t, 1> position_ids, TensorView<float, 2> out) noexcept {
  if (out.shape[0] != position_ids.shape[0]) {
    return bad_shape("out", static_cast<double>(out.shape[0]), "a row for each of position_ids");
  }
  return {};
}

}  // namespace

Status integer_encoding(TensorView<const std::int32_t, 1> position_ids, TensorView<float, 2> out) noexcept {
  if (const Status status = check_rows(position_ids, out); !status.ok()) return status;
  for (std::size_t s = 0; s < out.shape[0]; ++s) {
    std::fill_n(out.row(s), out.shape[1], static_cast<float>(position_ids.data[s]));
  }
  return {};
}

Status binary_encoding(TensorView<const std::int32_t, 1> position_ids, TensorView<float, 2> out) noexcept {
  if (const Status status = check_rows(position_ids, out); !status.ok()) return status;
  for (std::size_t s = 0; s < out.shape[0]; ++s) {
    float* row = out.row(s);
    for (std::size_t c = 0; c < out.shape[1]; ++c) {
      // Shifting a negative number right repeats its sign (defined since C++20).
      const std::int32_t digits = position_ids.data[s] >> std::min<std::size_t>(c, 31);
      row[c] = static_cast<float>(digits & 1);
    }
  }
  return {};
}

Status sinusoidal_encoding(TensorView<const std::int32_t, 1> position_ids, double base,
                           TensorView<float, 2> out) noexcept {
  if (const Status status = check_rows(position_ids, out); !status.ok()) return status;
  if (!is_base(base)) return bad_value("base", base, base_bounds);
  const std::size_t dim = out.shape[1];
  const InverseFrequencies frequencies(base, dim);
  for (std::size_t c = 0; c < dim; c += 2) {
    const double frequency = frequencies[c / 2];
    for (std::size_t s = 0; s < out.shape[0]; ++s) {
      const Point point = unit_point(exact_product(position_ids.data[s], frequency));
      out.row(s)[c] = static_cast<float>(point.sin);
      if (c + 1 < dim) out.row(s)[c + 1] = static_cast<float>(point.cos);
    }
  }
  return {};
}

}  // namespace ropewalk

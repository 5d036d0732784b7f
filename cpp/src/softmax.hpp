#pragma once

#include <cstddef>

namespace ropewalk {

/// Scores to weights, in place: exp of each over the sum of all. False, and a row of zeros, where nothing weighs
/// anything: in an empty row, and in one of nothing but -inf.
bool softmax_row(float* row, std::size_t size) noexcept;

}  // namespace ropewalk

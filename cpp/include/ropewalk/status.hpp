#pragma once

#include <cstdint>

namespace ropewalk {

enum class StatusCode : std::uint8_t { ok, bad_shape, bad_value };

/// What a kernel answers: `ok`, or which argument it refused, what that was given, and what is allowed.
///
/// The strings are literals, so a Status is copied freely and never allocates. A kernel that refuses has written
/// nothing.
struct [[nodiscard]] Status {
  StatusCode code = StatusCode::ok;
  const char* argument = "";  ///< the refused argument, as the header spells it
  double given = 0;           ///< the size or value that was refused
  const char* allowed = "";   ///< what would have been taken, in words

  constexpr bool ok() const noexcept { return code == StatusCode::ok; }
};

constexpr Status bad_shape(const char* argument, double given, const char* allowed) noexcept {
  return {StatusCode::bad_shape, argument, given, allowed};
}

constexpr Status bad_value(const char* argument, double given, const char* allowed) noexcept {
  return {StatusCode::bad_value, argument, given, allowed};
}

}  // namespace ropewalk

// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_ECHO_MODE_H_
#define ECHO_CONTROL_ECHO_MODE_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace echod {

// How a connection's bytes are answered.
enum class EchoMode : std::uint8_t {
  kLine,
  kRaw,
};

struct EchoModeRow {
  EchoMode value;
  // On the command line. In the API the same in capitals, after MODE_.
  absl::string_view name;
  absl::string_view help;  // what the mode does, after its name
};

inline constexpr EchoModeRow kEchoModes[] = {
    {EchoMode::kLine, "line", "answers YOU SAID <line> to each line"},
    {EchoMode::kRaw, "raw", "sends every byte back (RFC 862)"},
};

}  // namespace echod

#endif  // ECHO_CONTROL_ECHO_MODE_H_

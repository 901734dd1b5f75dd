// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_TESTING_UNUSUAL_SETTINGS_H_
#define ECHO_TESTING_UNUSUAL_SETTINGS_H_

#include <iterator>
#include <variant>

#include "echo/control/echo_mode.h"
#include "echo/control/listener_settings.h"
#include "echo/control/settings_table.h"

namespace echod {

// Valid settings, none of which has its default: each is the largest there is,
// or the last mode.
inline ListenerSettings UnusualSettings() {
  ListenerSettings settings;
  for (const Setting& setting : SettingsTable()) {
    std::visit(
        [&](const auto& kind) {
          if constexpr (requires { kind.most; }) {
            settings.*kind.member = kind.most;
          } else {
            settings.*kind.member = std::rbegin(kEchoModes)->value;
          }
        },
        setting.kind);
  }
  return settings;
}

}  // namespace echod

#endif  // ECHO_TESTING_UNUSUAL_SETTINGS_H_

// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_SETTINGS_UPDATE_H_
#define ECHO_CONTROL_SETTINGS_UPDATE_H_

#include <type_traits>
#include <vector>

#include "echo/control/listener_settings.h"
#include "echo/control/settings_table.h"

namespace echod {

// New values for some settings of a listener; the others stay as they are. A
// plain value. Not checked against bounds; ValidateSettings does that with the
// result.
class SettingsUpdate {
 public:
  // Such as Set(&ListenerSettings::max_connections, 7).
  template <typename T>
  void Set(T ListenerSettings::*member, std::type_identity_t<T> value) {
    values_.*member = value;
    set_.push_back(&SettingOf(member));
  }

  // `settings` with the new values.
  ListenerSettings ApplyTo(ListenerSettings settings) const;

 private:
  ListenerSettings values_;
  std::vector<const Setting*> set_;  // the rows that values_ has values for
};

}  // namespace echod

#endif  // ECHO_CONTROL_SETTINGS_UPDATE_H_

// SPDX-License-Identifier: Apache-2.0

#include "echo/control/settings_update.h"

namespace echod {

ListenerSettings SettingsUpdate::ApplyTo(ListenerSettings settings) const {
  for (const Setting* setting : set_) {
    CopySetting(*setting, values_, settings);
  }
  return settings;
}

}  // namespace echod

// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVICE_SETTING_CONVERSION_H_
#define ADMIN_SERVICE_SETTING_CONVERSION_H_

#include "absl/status/status.h"
#include "echo/control/listener_settings.h"
#include "echo/control/settings_table.h"
#include "echo/control/settings_update.h"
#include "echod/admin/v1/admin.pb.h"

namespace echod {

// Settings in the message Listener: the field of a setting has its name. The
// settings table says which there are; a test, that each has its field.

// Writes every setting.
void SettingsToProto(const ListenerSettings& settings,
                     admin::v1::Listener& listener);

// Whether the client has set this field.
bool HasSetting(const Setting& setting, const admin::v1::Listener& listener);

// Adds the setting to `update`: the client's value, or the default if the field
// is not set. INVALID_ARGUMENT, naming the field, for a duration or a mode that
// does not exist, and for a mode that is not set. Bounds are not checked here.
absl::Status SettingFromProto(const Setting& setting,
                              const admin::v1::Listener& listener,
                              SettingsUpdate& update);

}  // namespace echod

#endif  // ADMIN_SERVICE_SETTING_CONVERSION_H_

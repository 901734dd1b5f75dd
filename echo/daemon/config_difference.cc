// SPDX-License-Identifier: Apache-2.0

#include "echo/daemon/config_difference.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "echo/base/listen_address.h"
#include "echo/control/settings_table.h"

namespace echod {
namespace {

// Null if there is none.
const ListenerCreation* Find(const DaemonConfig& config,
                             const std::string& id) {
  const auto found =
      std::find_if(config.listeners.begin(), config.listeners.end(),
                   [&](const auto& each) { return each.id == id; });
  return found == config.listeners.end() ? nullptr : &*found;
}

// The update that makes a listener what the file says, whatever it is.
// `earlier` is what the file said before; null: nothing.
ListenerUpdate UpdateTo(const ListenerCreation& wanted,
                        const ListenerCreation* earlier,
                        const std::string& etag) {
  ListenerUpdate update;
  update.id = wanted.id;
  update.address = wanted.address;
  // The path of a Unix socket has none.
  if (!IsUnixAddress(wanted.address)) update.port = wanted.port;
  for (const Setting& setting : SettingsTable()) {
    std::visit(
        [&](const auto& kind) {
          update.settings.Set(kind.member, wanted.settings.*kind.member);
        },
        setting.kind);
  }
  update.paused = wanted.paused;
  if (!wanted.paused.has_value() && earlier != nullptr &&
      earlier->paused.has_value()) {
    update.paused = false;  // the default, as of any field that has gone
  }
  update.etag = etag;
  return update;
}

}  // namespace

std::vector<ListenerChange> Difference(const std::vector<ListenerInfo>& now,
                                       const DaemonConfig& wanted,
                                       const DaemonConfig& earlier) {
  std::vector<ListenerChange> changes;
  for (const ListenerCreation& each : wanted.listeners) {
    const auto found = std::find_if(
        now.begin(), now.end(),
        [&](const ListenerInfo& info) { return info.id == each.id; });
    if (found == now.end()) {
      changes.emplace_back(each);
    } else {
      changes.emplace_back(UpdateTo(each, Find(earlier, each.id), found->etag));
    }
  }
  for (const ListenerInfo& info : now) {
    if (Find(earlier, info.id) == nullptr || Find(wanted, info.id) != nullptr ||
        info.state == ListenerInfo::State::kDraining) {
      continue;
    }
    ListenerDeletion deletion;
    deletion.id = info.id;
    deletion.etag = info.etag;
    changes.emplace_back(std::move(deletion));
  }
  return changes;
}

}  // namespace echod

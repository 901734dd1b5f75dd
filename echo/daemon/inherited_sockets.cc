// SPDX-License-Identifier: Apache-2.0

#include "echo/daemon/inherited_sockets.h"

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "echo/base/unique_fd.h"
#include "echo/control/listener_control.h"
#include "echo/control/listener_id.h"
#include "echo/server/listener_registry.h"

namespace echod {
namespace {

constexpr int kFirstDescriptor = 3;

absl::Status Wrong(absl::string_view variable, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("environment variable ", variable, ": ", what));
}

// The variable, which is unset from now on.
std::string Take(const char* variable) {
  const char* const value = std::getenv(variable);
  std::string taken = value != nullptr ? value : "";
  unsetenv(variable);
  return taken;
}

}  // namespace

absl::StatusOr<std::map<std::string, ListenSocket>> TakeInheritedSockets() {
  const std::string pid_text = Take("LISTEN_PID");
  const std::string count_text = Take("LISTEN_FDS");
  const std::string names_text = Take("LISTEN_FDNAMES");
  std::map<std::string, ListenSocket> sockets;
  int pid = 0;
  // Meant for another process, from which this one has the variables.
  if (!absl::SimpleAtoi(pid_text, &pid) || pid != getpid()) return sockets;
  int count = 0;
  if (!absl::SimpleAtoi(count_text, &count) || count < 0 ||
      static_cast<std::size_t>(count) > ListenerRegistry::kMostListeners) {
    return Wrong("LISTEN_FDS",
                 absl::StrCat("'", count_text, "' is not a number from 0 to ",
                              ListenerRegistry::kMostListeners));
  }
  if (count == 0) return sockets;
  std::vector<std::string> names;
  if (names_text.empty() && count == 1) {
    names = {"default"};
  } else {
    names = absl::StrSplit(names_text, ':');
  }
  if (names.size() != static_cast<std::size_t>(count)) {
    return Wrong("LISTEN_FDNAMES",
                 absl::StrCat("'", names_text, "' does not name the ", count,
                              " sockets; write ", count,
                              " names with colons between them"));
  }
  for (int i = 0; i < count; ++i) {
    const std::string id(
        absl::StripSuffix(names[static_cast<std::size_t>(i)], ".socket"));
    if (absl::Status valid = CheckListenerId(id); !valid.ok()) {
      return Wrong("LISTEN_FDNAMES",
                   absl::StrCat("the name '", id, "': ", valid.message(),
                                "; in a systemd socket unit, write it as "
                                "FileDescriptorName="));
    }
    absl::StatusOr<ListenSocket> socket =
        AdoptListenSocket(UniqueFd(kFirstDescriptor + i));
    if (!socket.ok()) {
      return Wrong("LISTEN_FDS",
                   absl::StrCat("descriptor ", kFirstDescriptor + i, " (", id,
                                "): ", socket.status().message()));
    }
    if (!sockets.emplace(id, *std::move(socket)).second) {
      return Wrong("LISTEN_FDNAMES",
                   absl::StrCat("two sockets are named ", id,
                                "; give each its own name, with systemd in a "
                                "socket unit of its own"));
    }
  }
  return sockets;
}

void AddInherited(const std::map<std::string, ListenSocket>& sockets,
                  DaemonConfig& config) {
  if (sockets.empty()) return;
  if (config.listens_by_default) config.listeners.clear();
  for (const auto& [id, socket] : sockets) {
    auto found = std::find_if(
        config.listeners.begin(), config.listeners.end(),
        [&id = id](const ListenerCreation& each) { return each.id == id; });
    if (found == config.listeners.end()) {
      found = config.listeners.insert(
          found, ListenerCreation{.id = id, .settings = config.settings});
    }
    found->address = socket.address.Host();
    found->port = socket.address.port();
  }
}

}  // namespace echod

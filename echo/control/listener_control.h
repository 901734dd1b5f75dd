// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_LISTENER_CONTROL_H_
#define ECHO_CONTROL_LISTENER_CONTROL_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "echo/control/listener_settings.h"
#include "echo/control/reply.h"
#include "echo/control/settings_update.h"

namespace echod {

// What becomes of connections of an old socket when a listener takes a new one.
struct DrainPolicy {
  enum class Mode : std::uint8_t { kKeep, kGraceful, kReset };
  Mode mode = Mode::kKeep;
  // kGraceful; unset: the server's drain timeout.
  std::optional<absl::Duration> timeout;
  // Ends the connections evenly over this time.
  absl::Duration spread = absl::ZeroDuration();
};

// A change to a listener. Unset fields stay as they are.
struct ListenerUpdate {
  std::string id;
  std::optional<std::string> address;
  std::optional<int> port;
  SettingsUpdate settings;
  std::string etag;  // empty: whatever it is now
  bool validate_only = false;
  DrainPolicy drain;
};

// A listener at one moment. Plain values.
struct ListenerInfo {
  enum class State : std::uint8_t { kActive, kDraining };
  enum class Source : std::uint8_t { kConfig, kRuntime };

  std::string id;
  std::string address;  // without brackets
  int port = 0;         // as configured; 0: the kernel chose bound_port
  int bound_port = 0;
  std::string bound_address;  // host:port, IPv6 in brackets
  ListenerSettings settings;
  State state = State::kActive;
  Source source = Source::kConfig;
  std::int64_t active_connections = 0;
  std::int64_t generation = 1;
  absl::Time create_time;
  absl::Time update_time;
  std::string etag;
};

// What the admin plane may ask of listeners. Thread-safe; see data_plane.h for
// what its methods promise.
class ListenerControl {
 public:
  virtual ~ListenerControl() = default;

  // By id.
  virtual std::vector<ListenerInfo> ListListeners() const = 0;
  virtual absl::StatusOr<ListenerInfo> GetListener(
      const std::string& id) const = 0;

  // See UpdateListener in admin.proto for what a change of address does.
  // Changes are made one after the other.
  virtual void UpdateListener(ListenerUpdate update,
                              Reply<ListenerInfo> reply) = 0;
};

}  // namespace echod

#endif  // ECHO_CONTROL_LISTENER_CONTROL_H_

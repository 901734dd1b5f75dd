// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_LISTENER_CONTROL_H_
#define ECHO_CONTROL_LISTENER_CONTROL_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "echo/base/named_values.h"
#include "echo/control/listener_settings.h"
#include "echo/control/reply.h"
#include "echo/control/settings_update.h"

namespace echod {

// What happens to connections of a listener: to those of its old socket when it
// moves to a new one, or to all of them when it is deleted.
struct DrainPolicy {
  enum class Mode : std::uint8_t { kKeep, kGraceful, kReset };
  Mode mode = Mode::kKeep;
  // For kGraceful. Unset: the server's drain timeout.
  std::optional<absl::Duration> timeout;
  // The drains or resets are spread evenly over this time.
  absl::Duration spread = absl::ZeroDuration();
};

// A listener that is to be created.
struct ListenerCreation {
  // 1 to 63 lower-case letters, digits and hyphens; begins with a letter and
  // does not end with a hyphen.
  std::string id;
  std::string address;  // without brackets
  int port = 0;         // 0: chosen by the kernel
  ListenerSettings settings;
  std::optional<bool> paused;  // unset: it accepts
  bool validate_only = false;  // check everything, and change nothing
};

// A listener that is to be deleted.
struct ListenerDeletion {
  std::string id;
  // If not empty, it is deleted only if it still has this etag.
  std::string etag;
  bool validate_only = false;  // check everything, and change nothing
  DrainPolicy drain;
};

// A listener that is to be paused or resumed.
struct ListenerPause {
  std::string id;
  bool paused = true;
  // If not empty, the change is made only if the listener still has this etag.
  std::string etag;
  bool validate_only = false;  // check everything, and change nothing
};

struct AppliedUpdate;

// A change to a listener. What is not set stays as it is.
struct ListenerUpdate {
  std::string id;
  std::optional<std::string> address;
  std::optional<int> port;
  SettingsUpdate settings;
  std::optional<bool> paused;  // whether it accepts nothing
  // If not empty, the change is made only if the listener still has this etag.
  std::string etag;
  bool validate_only = false;  // check everything, and change nothing
  DrainPolicy drain;
  // Where an update that is made leaves what it has changed, before it answers.
  // May be null.
  std::shared_ptr<AppliedUpdate> applied;
};

// One of several changes that are made together. `validate_only` is ignored.
using ListenerChange =
    std::variant<ListenerCreation, ListenerUpdate, ListenerDeletion>;

// The listener that it is about.
inline const std::string& IdOf(const ListenerChange& change) {
  return std::visit(
      [](const auto& each) -> const auto& { return each.id; }, change);
}

// A listener at one moment. Plain values.
struct ListenerInfo {
  enum class State : std::uint8_t { kActive, kPaused, kDraining };
  enum class Source : std::uint8_t { kConfig, kRuntime };

  std::string id;
  std::string address;  // without brackets
  int port = 0;         // as configured; 0: chosen by the kernel
  int bound_port = 0;
  std::string bound_address;  // host:port, IPv6 in brackets
  ListenerSettings settings;
  State state = State::kActive;
  Source source = Source::kConfig;
  std::int64_t active_connections = 0;
  std::int64_t generation = 1;
  // Earlier ones that have connections, ascending; at most 100, the latest.
  std::vector<std::int64_t> draining_generations;
  absl::Time create_time;
  absl::Time update_time;
  std::string etag;
};

// Where a listener is to listen. Equal to the fields of ListenerInfo while it
// is there.
struct ListenerPlace {
  std::string address;  // without brackets
  int port = 0;         // 0: chosen by the kernel
};

// All listeners at one moment, and where the configuration wants those that it
// names, including those which an operator has deleted. By id.
struct ListenerSnapshot {
  std::vector<ListenerInfo> listeners;
  std::map<std::string, ListenerPlace> configured;
};

// The names of the states that an operator chooses.
inline constexpr NamedValue<ListenerInfo::State> kListenerStates[] = {
    {ListenerInfo::State::kActive, "active"},
    {ListenerInfo::State::kPaused, "paused"},
};

// A listener right before and after an update. Equal if none was made.
struct AppliedUpdate {
  ListenerInfo before;
  ListenerInfo after;
};

// What the admin plane may ask of listeners. Thread-safe; see data_plane.h for
// what its methods promise.
class ListenerControl {
 public:
  virtual ~ListenerControl() = default;

  // In the order of their ids.
  virtual std::vector<ListenerInfo> ListListeners() const = 0;
  virtual absl::StatusOr<ListenerInfo> GetListener(
      const std::string& id) const = 0;
  virtual ListenerSnapshot ReadListeners() const = 0;

  // Answers once the listener accepts. ALREADY_EXISTS if the id is taken, also
  // by a listener that is being deleted and whose port still accepts.
  virtual void CreateListener(ListenerCreation creation,
                              Reply<ListenerInfo> reply) = 0;

  // No change sees another one half done. admin.proto says what a change of
  // address does.
  virtual void UpdateListener(ListenerUpdate update,
                              Reply<ListenerInfo> reply) = 0;

  // Answers once the listener has stopped accepting, or accepts again. A paused
  // listener keeps its port, and new connections wait in its accept queue. They
  // are accepted when it is resumed; or when its port closes, since those who
  // have connected are not reset.
  virtual void PauseListener(ListenerPause pause,
                             Reply<ListenerInfo> reply) = 0;

  // Stops accepting. Answers once the port refuses and all connections that are
  // to end immediately have begun to; the answer is the listener as it was when
  // its port closed. From then on the id is free. Other connections continue,
  // with the settings that they have.
  virtual void DeleteListener(ListenerDeletion deletion,
                              Reply<ListenerInfo> reply) = 0;

  // Makes all of these changes, or none: each is prepared, which includes the
  // sockets, before the first is applied. One may take the address that another
  // gives up, and then gets its socket with all who wait there; but not an
  // address that only overlaps it. What is created or changed has the source
  // CONFIG from then on. Answers once each change would have been answered,
  // with what these answers are. The field of an error is the change that
  // cannot be made, such as `changes[1]`.
  virtual void ChangeListeners(std::vector<ListenerChange> changes,
                               Reply<std::vector<ListenerInfo>> reply) = 0;
};

}  // namespace echod

#endif  // ECHO_CONTROL_LISTENER_CONTROL_H_

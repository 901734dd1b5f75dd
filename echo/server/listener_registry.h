// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SERVER_LISTENER_REGISTRY_H_
#define ECHO_SERVER_LISTENER_REGISTRY_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "echo/base/clock.h"
#include "echo/control/listener_control.h"
#include "echo/control/reply.h"
#include "echo/control/stats.h"
#include "echo/event/event_loop.h"
#include "echo/net/acceptor.h"
#include "echo/net/listen_socket.h"
#include "echo/server/listener.h"
#include "echo/server/policy_drains.h"
#include "echo/server/published_listeners.h"
#include "echo/server/worker.h"
#include "echo/session/listener_handle.h"

namespace echod {

// The listeners of a server, and their life: created, changed and deleted, each
// as a preparation, which checks everything and binds, and which has changed
// nothing when it fails; and an application, which cannot fail. See ADR 13.
//
// A deleted listener is in one of two phases. It retires its sockets, still
// under its name, which no other can take. Then its ports refuse, its name is
// free, and it is only what its remaining connections need: their settings and
// their counters, on the workers. When the last has gone, so has it, and its
// counters are added up in those of all listeners that have gone.
//
// Main loop only, but for what readers on other threads may call.
class ListenerRegistry {
 public:
  struct Callbacks {
    // Whether the server has room for one more connection.
    absl::AnyInvocable<bool()> has_room;
    // Gets each connection that is within the limits; `number` is not set.
    absl::AnyInvocable<void(AcceptedSocket)> on_accept;
    // Called after the last on_accept of a listener in a turn of the loop.
    absl::AnyInvocable<void()> on_accepted_all;
    // Addresses have changed. The request that changed them is answered when
    // the last copy of `hold` has been destroyed, on any thread.
    absl::AnyInvocable<void(std::shared_ptr<const void> hold)> on_changed;
    // What ReadAll returns has changed: whether or where a listener accepts, or
    // where the configuration wants it.
    absl::AnyInvocable<void()> on_accepting_changed;
  };

  // `loop`, `clock` and `workers` outlive the registry; `workers` does not
  // change after the first listener has been created. A drain policy without a
  // timeout has `drain_timeout`.
  ListenerRegistry(EventLoop& loop, Clock& clock,
                   const std::vector<std::unique_ptr<Worker>>& workers,
                   absl::Duration drain_timeout, Callbacks callbacks);
  ListenerRegistry(const ListenerRegistry&) = delete;
  ListenerRegistry& operator=(const ListenerRegistry&) = delete;

  // A listener that is ready to be created: its socket listens, so that clients
  // wait in its queue; they are reset when this is destroyed.
  class Creation {
   private:
    friend class ListenerRegistry;
    std::string id_;
    Listener::Plan plan_;
  };
  // Errors: INVALID_ARGUMENT with the field, ALREADY_EXISTS, RESOURCE_EXHAUSTED
  // (TOO_MANY_LISTENERS, or the system), or what OpenListenSocket says.
  // With `inherited`, the listener has that socket and its address.
  absl::StatusOr<Creation> PrepareCreate(
      const ListenerCreation& creation,
      std::optional<ListenSocket> inherited = std::nullopt) const;
  ListenerInfo ApplyCreate(Creation creation, ListenerInfo::Source source);

  // As in ListenerControl. Not before the workers have been started.
  void Create(const ListenerCreation& creation, Reply<ListenerInfo> reply);
  void Update(ListenerUpdate update, Reply<ListenerInfo> reply);
  void Pause(const ListenerPause& pause, Reply<ListenerInfo> reply);
  void Delete(const ListenerDeletion& deletion, Reply<ListenerInfo> reply);
  void ChangeAll(std::vector<ListenerChange> changes,
                 Reply<std::vector<ListenerInfo>> reply);

  // The configuration has been read anew, and names `ids`. Those that operators
  // have deleted meanwhile, and that it no longer names, are not missed.
  void KeepInConfig(const std::set<std::string>& ids);

  // From now on each change is refused with SERVER_DRAINING. Deletions that
  // have begun go on.
  void Freeze() { frozen_ = true; }

  // Stops accepting for good, and calls `done` once every port refuses, also
  // those of listeners that are being deleted. After Freeze; once.
  void StopAll(absl::AnyInvocable<void()> done);

  // Closes every socket. The figures stay.
  void Close();

  // Whether clients that had connected were reset, or will be by Close, since
  // they could not be accepted.
  bool LosesConnections() const;

  // The following are thread-safe.
  std::vector<ListenerInfo> List() const { return published_.List(); }
  absl::StatusOr<ListenerInfo> Get(const std::string& id) const;
  ListenerSnapshot ReadAll() const { return published_.ReadAll(); }
  // See PublishedListeners: of every listener that there is or was.
  PublishedListeners::StatsById AddTo(Stats& stats) const {
    return published_.AddTo(stats);
  }

  // How many listeners there may be, with deleted ones whose connections live
  // on: each holds a descriptor, takes some memory for each worker, and is
  // looked at whenever the counters are read.
  static constexpr std::size_t kMostListeners = 128;

 private:
  struct Leaving {
    std::string id;
    std::int64_t generation;
  };

  // For ChangeAll.
  struct PreparedUpdate;
  struct PreparedDeletion;
  using PreparedChange =
      std::variant<Creation, PreparedUpdate, PreparedDeletion>;
  struct Preparation {
    enum class Depth : std::uint8_t {
      kCheck,  // as far as bind can tell; no client notices
      kOpen,   // the sockets listen
    };
    Depth depth;
    // The listeners whose sockets no change has taken yet, of those that give
    // theirs up.
    std::vector<Listener*> givers;
  };
  absl::Status CheckTogether(const std::vector<ListenerChange>& changes) const;
  // Those which the changes move or delete; all of them, if all are possible.
  std::vector<Listener*> FindGivers(const std::vector<ListenerChange>& changes);
  // Finds the socket of `plan`, or opens it.
  static absl::Status PrepareSocket(Listener::Plan& plan,
                                    Preparation& preparation);
  absl::StatusOr<PreparedChange> PrepareChange(const ListenerCreation& creation,
                                               Preparation& preparation);
  absl::StatusOr<PreparedChange> PrepareChange(const ListenerUpdate& update,
                                               Preparation& preparation);
  absl::StatusOr<PreparedChange> PrepareChange(const ListenerDeletion& deletion,
                                               Preparation& preparation);
  static void TakeSocket(PreparedChange& change);
  void Apply(Creation creation, Reply<ListenerInfo> reply);
  void Apply(PreparedUpdate update, Reply<ListenerInfo> reply);
  void Apply(PreparedDeletion deletion, Reply<ListenerInfo> reply);

  static absl::Status TooManyListenersError();
  // What is wrong with `creation`, but for its socket.
  absl::StatusOr<Listener::Plan> CheckCreation(
      const ListenerCreation& creation) const;
  // The listener, which takes changes, or why none can be made.
  absl::StatusOr<Listener*> FindToChange(const std::string& id);
  void CreateAndReply(Creation creation, ListenerInfo::Source source,
                      Reply<ListenerInfo> reply);
  void ApplyUpdate(Listener& listener, Listener::Plan plan,
                   const PolicyDrains::Prepared& drain,
                   Reply<ListenerInfo> reply);
  void ApplyDelete(Listener& listener, PolicyDrains::Prepared drain,
                   Reply<ListenerInfo> reply);
  // Shows the listener as it is.
  void Publish(const Listener& listener, bool configured = false);
  // The ports of a deleted listener refuse.
  void OnClosed(Listener& listener);
  // The last connection of a deleted listener has gone.
  void OnGone(ListenerHandle handle);
  void NotifyChanged(std::shared_ptr<const void> hold);
  void NotifyAcceptingChanged();
  std::int64_t FirstGeneration(const std::string& id) const;

  // Constant after construction, the callbacks for the main loop only.
  EventLoop& loop_;
  Clock& clock_;
  const std::vector<std::unique_ptr<Worker>>& workers_;
  Callbacks callbacks_;

  // Main loop only.
  bool frozen_ = false;
  bool lost_connections_ = false;  // by listeners that have closed
  std::uint64_t last_handle_ = 0;
  AcceptorGroup acceptors_;
  PolicyDrains drains_;
  std::map<std::string, std::unique_ptr<Listener>> listeners_;
  // Deleted; connections of theirs live on.
  std::map<ListenerHandle, Leaving> leaving_;

  PublishedListeners published_;
};

}  // namespace echod

#endif  // ECHO_SERVER_LISTENER_REGISTRY_H_

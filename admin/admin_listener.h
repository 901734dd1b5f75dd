#ifndef ADMIN_ADMIN_LISTENER_H_
#define ADMIN_ADMIN_LISTENER_H_

#include <memory>
#include <string>
#include <thread>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace echod {

// Accepts the admin plane's connections, on a thread of its own, for gRPC to
// serve. gRPC's own listener is not used since it never accepts again once
// descriptors have run out: this one waits, and goes on when there are some.
class AdminListener {
 public:
  // Listens on `address` (host:port, IPv6 in brackets; port 0: any), or on
  // 0.0.0.0 for [::] where this host has no IPv6. A port that is taken is an
  // error, never shared. FAILED_PRECONDITION and INVALID_ARGUMENT say what is
  // in the way and what to do.
  static absl::StatusOr<std::unique_ptr<AdminListener>> Open(
      absl::string_view address);

  // Stops.
  ~AdminListener();
  AdminListener(const AdminListener&) = delete;
  AdminListener& operator=(const AdminListener&) = delete;

  // host:port, IPv6 in brackets. Thread-safe.
  const std::string& bound_address() const { return bound_address_; }

  // Begins to accept. `on_accept` is called on the listener's thread with each
  // new socket, non-blocking, which it owns. Once.
  void Start(absl::AnyInvocable<void(int fd)> on_accept);

  // Closes the port, and returns once `on_accept` is called no more. May be
  // called again.
  void Stop();

 private:
  AdminListener(int listen_fd, int wake_up_fd, std::string bound_address);
  void Run();

  // Constant after construction; closed by Stop and the destructor.
  int listen_fd_;
  const int wake_up_fd_;
  const std::string bound_address_;

  absl::AnyInvocable<void(int fd)> on_accept_;
  std::thread thread_;
};

}  // namespace echod

#endif  // ADMIN_ADMIN_LISTENER_H_

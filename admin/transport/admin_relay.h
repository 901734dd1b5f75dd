// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_TRANSPORT_ADMIN_RELAY_H_
#define ADMIN_TRANSPORT_ADMIN_RELAY_H_

#include <cstddef>
#include <optional>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "admin/transport/admin_counters.h"
#include "admin/transport/byte_flow.h"
#include "admin/transport/frame_limiter.h"
#include "admin/transport/http2_frames.h"
#include "echo/base/clock.h"
#include "echo/base/unique_fd.h"
#include "echo/event/event_loop.h"
#include "echo/event/timer.h"

namespace echod {

struct AdminRelayOptions {
  FrameLimits limits;
  // A client that has not sent HTTP/2's preface by then is closed.
  absl::Duration preface_timeout = absl::Seconds(10);
  // How long a client has to close its side once gRPC has closed the other.
  absl::Duration linger = absl::Seconds(1);
};

// One connection of the admin plane: copies bytes between its client and gRPC,
// which serves the other end of a socketpair, and reads the frame headers that
// pass, to end a connection that would cost more than it may. Belongs to the
// thread of its loop.
class AdminRelay {
 public:
  // Comes once, last, with the reason where the relay itself ended the
  // connection; may destroy the relay.
  using OnEnd = absl::AnyInvocable<void(std::optional<AdminRejection>)>;

  // Both sockets are non-blocking. `clock` and `budget` outlive the relay.
  AdminRelay(EventLoop& loop, Clock& clock, const AdminRelayOptions& options,
             StreamBudget& budget, UniqueFd client, UniqueFd server,
             OnEnd on_end);
  AdminRelay(const AdminRelay&) = delete;
  AdminRelay& operator=(const AdminRelay&) = delete;

  // Begins. False when the kernel has no room for the events.
  bool Start();

  // Since when the client has had no stream open; nothing while it has one.
  std::optional<MonotonicTime> idle_since() const {
    return limiter_.idle_since();
  }

 private:
  // For ByteFlow.
  std::optional<std::size_t> InspectClient(absl::string_view bytes);
  std::optional<std::size_t> InspectServer(absl::string_view bytes);
  void OnClientEnd(ByteFlow::End end);
  void OnServerEnd(ByteFlow::End end);
  void OnTimer();
  void Finish();

  OnEnd on_end_;
  const UniqueFd client_;
  const UniqueFd server_;  // gRPC has its other end
  FrameLimiter limiter_;
  Http2FrameReader client_frames_{Http2FrameReader::Side::kClient};
  Http2FrameReader server_frames_{Http2FrameReader::Side::kServer};
  std::optional<AdminRejection> rejection_;
  bool paused_ = false;  // the client's next bytes have to wait
  const absl::Duration linger_;
  Timer timer_;  // for the preface, then for the client's end
  ByteFlow from_client_;
  ByteFlow from_server_;
  Timer resume_;
};

}  // namespace echod

#endif  // ADMIN_TRANSPORT_ADMIN_RELAY_H_

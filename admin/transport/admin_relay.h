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
  // Closes clients that have not sent HTTP/2's preface by then.
  absl::Duration preface_timeout = absl::Seconds(10);
  // The time for a client to close its side after gRPC has closed its own.
  absl::Duration linger = absl::Seconds(1);
};

// One connection of the admin plane. Copies bytes between the client and gRPC,
// which serves the other end of a socketpair, and inspects HTTP/2 frame headers
// to close connections that exceed a limit. Loop thread only.
class AdminRelay {
 public:
  // Called once, as the last callback, with a reason if the relay itself closed
  // the connection. May destroy the relay.
  using OnEnd = absl::AnyInvocable<void(std::optional<AdminRejection>)>;

  // Both sockets are non-blocking. `clock` and `budget` outlive the relay.
  AdminRelay(EventLoop& loop, Clock& clock, const AdminRelayOptions& options,
             StreamBudget& budget, UniqueFd client, UniqueFd server,
             OnEnd on_end);
  AdminRelay(const AdminRelay&) = delete;
  AdminRelay& operator=(const AdminRelay&) = delete;

  // Starts copying. False if the kernel has no resources for the events.
  bool Start();

  // Since when the client has had no open stream; nullopt while it has one.
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
  const UniqueFd server_;  // gRPC owns the other end
  FrameLimiter limiter_;
  Http2FrameReader client_frames_{Http2FrameReader::Side::kClient};
  Http2FrameReader server_frames_{Http2FrameReader::Side::kServer};
  std::optional<AdminRejection> rejection_;
  bool paused_ = false;  // the client's next bytes must wait
  const absl::Duration linger_;
  Timer timer_;  // for the preface, then for the client's FIN
  ByteFlow from_client_;
  ByteFlow from_server_;
  Timer resume_;
};

}  // namespace echod

#endif  // ADMIN_TRANSPORT_ADMIN_RELAY_H_

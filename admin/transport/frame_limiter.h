// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_TRANSPORT_FRAME_LIMITER_H_
#define ADMIN_TRANSPORT_FRAME_LIMITER_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "admin/transport/admin_counters.h"
#include "admin/transport/http2_frames.h"
#include "echo/base/clock.h"

namespace echod {

// Limits for the admin plane's clients, per second unless noted otherwise. The
// values are far above the needs of ordinary clients and far below what harms
// the process; docs/adr/0009 describes how they were determined.
struct FrameLimits {
  // Per connection: streams reset by either side. gRPC frees the stream
  // immediately but its call only later, so calls can accumulate.
  int resets = 400;
  // PING, SETTINGS, PRIORITY, trailers, empty DATA and unknown frames, which
  // gRPC answers or skips.
  int control_frames = 200;
  int window_updates = 200'000;
  // CONTINUATION frames of one header block. gRPC buffers the block until the
  // last frame, and then accepts at most 8 KiB, which fit into the first.
  int continuations = 8;
  // Open streams at a time. gRPC announces 256, but enforces that only after
  // the client has acknowledged the announcement.
  std::size_t streams = 512;

  // For all connections together: streams that were reset, or open when their
  // connection ended; and open streams at a time.
  std::size_t all_abandoned = 1000;
  std::size_t all_streams = 1024;
  // Open streams that a connection can have even beyond those limits, so that
  // light users are always served.
  std::size_t always = 4;
  // The same for streams with incomplete requests, which later frames may
  // complete.
  std::size_t always_incomplete = 32;

  // Bytes that calls hold in gRPC until they end: for all connections together,
  // and what one connection can hold even beyond that. A partial message holds
  // the whole buffer that it was read into. So it counts with everything that
  // its connection has sent since the previous part, up to
  // `most_held_by_frame`.
  std::size_t all_held = 24 << 20;
  std::size_t always_held = 128 << 10;
  std::size_t most_held_by_frame = 64 << 10;
};

// Tracks the resources used by the streams of all connections. A stream holds
// tens of kilobytes in gRPC, and for a while even after it was abandoned. Used
// only on the thread of the limiters that share it.
class StreamBudget {
 public:
  // `clock` outlives the budget.
  StreamBudget(const FrameLimits& limits, Clock& clock)
      : limits_(limits), clock_(clock) {}
  StreamBudget(const StreamBudget&) = delete;
  StreamBudget& operator=(const StreamBudget&) = delete;

  void Open() { ++open_; }
  void Finish() { --open_; }
  void Abandon(std::size_t streams);
  void Hold(std::size_t bytes) { held_ += bytes; }
  void Release(std::size_t bytes) { held_ -= bytes; }

  bool open_used_up() const { return open_ >= limits_.all_streams; }
  bool abandoned_used_up();
  bool held_used_up() const { return held_ > limits_.all_held; }

 private:
  void TurnSecond();

  const FrameLimits limits_;
  Clock& clock_;
  std::size_t open_ = 0;
  std::size_t held_ = 0;       // bytes
  MonotonicTime second_;       // start of the current one
  std::size_t abandoned_ = 0;  // in this second
};

// Tracks the frames of one connection, and reports when its client exceeds a
// limit. Stores at most `FrameLimits::streams` stream numbers.
class FrameLimiter {
 public:
  enum class Verdict {
    kPass,
    kPause,   // hold this frame, and all after it, for a while
    kReject,  // close the connection; see rejection()
  };

  // `clock` and `budget` outlive the limiter.
  FrameLimiter(const FrameLimits& limits, Clock& clock, StreamBudget& budget);
  // Counts the open streams as abandoned.
  ~FrameLimiter();
  FrameLimiter(const FrameLimiter&) = delete;
  FrameLimiter& operator=(const FrameLimiter&) = delete;

  // Call once for each frame from the client, and from the server.
  Verdict OnClientFrame(const Http2FrameHeader& frame);
  Verdict OnServerFrame(const Http2FrameHeader& frame);

  // After kPause: whether to wait longer.
  bool MustPause();

  AdminRejection rejection() const { return rejection_; }

  // Since when the client has had no open stream; nullopt while it has one.
  std::optional<MonotonicTime> idle_since() const {
    if (!streams_.empty()) return std::nullopt;
    return last_used_;
  }

 private:
  struct OpenStream {
    bool client_done = false;
    bool server_done = false;
    std::size_t held = 0;  // bytes
  };
  using Streams = absl::flat_hash_map<std::uint32_t, OpenStream>;

  void TurnSecond();
  Verdict Reject(AdminRejection reason);
  Verdict CountControlFrame();
  // Counts the bytes held by a frame of an open stream.
  Verdict Hold(std::uint32_t stream);
  void Forget(Streams::iterator stream);
  Verdict OnReset(std::uint32_t stream);
  Verdict OnNewStream(std::uint32_t stream, bool client_done);
  void OnEndStream(std::uint32_t stream, bool OpenStream::*done);

  const FrameLimits limits_;
  Clock& clock_;
  StreamBudget& budget_;
  AdminRejection rejection_ = AdminRejection::kNotHttp2;

  MonotonicTime second_;  // start of the current one
  int resets_ = 0;        // in this second
  int control_frames_ = 0;
  int window_updates_ = 0;
  std::size_t unserved_ = 0;  // streams opened and not answered
  std::size_t complete_ = 0;  // open streams with complete requests

  MonotonicTime last_used_;  // when a stream last opened or ended
  int continuations_ = 0;    // of the current header block
  std::uint32_t last_stream_ = 0;
  Streams streams_;
  std::size_t held_ = 0;             // bytes, of all of them
  std::size_t sent_since_hold_ = 0;  // bytes, by the client
};

}  // namespace echod

#endif  // ADMIN_TRANSPORT_FRAME_LIMITER_H_

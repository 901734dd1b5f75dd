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

// What the admin plane's clients may do, within a second where nothing else is
// said. The values keep far from what clients do that mean well, and from what
// hurts: docs/adr/0009 tells how they were found.
struct FrameLimits {
  // Of one connection: streams that either side resets. gRPC forgets the stream
  // at once, and the call behind it when it gets to it, so that calls pile up.
  int resets = 400;
  // PING, SETTINGS, PRIORITY, trailers, empty DATA and unknown frames, which
  // gRPC answers or skips.
  int control_frames = 200;
  int window_updates = 200'000;
  // CONTINUATION frames of one header block; gRPC keeps all of it until the
  // last has come, and then takes no more than 8 KiB, which fit into the first.
  int continuations = 8;
  // Open at a time: gRPC announces 256, and holds a client to it only once that
  // has confirmed the announcement.
  std::size_t streams = 512;

  // Of all connections together: streams reset, or open when their connection
  // ended; and open at a time.
  std::size_t all_abandoned = 1000;
  std::size_t all_streams = 1024;
  // What a connection may have nevertheless when that is used up, so that those
  // that use little are always served.
  std::size_t always = 4;
  // The same of streams whose requests are not complete yet: what completes
  // them may come behind them.
  std::size_t always_incomplete = 32;

  // Bytes that calls hold in gRPC until they end, of all connections together,
  // and of one nevertheless when that is used up. A part of a message that
  // waits for the rest holds the whole buffer that it was read with, so it
  // counts with all that its connection has sent since the part before, up to
  // `most_held_by_frame`.
  std::size_t all_held = 24 << 20;
  std::size_t always_held = 128 << 10;
  std::size_t most_held_by_frame = 64 << 10;
};

// What the streams of all connections have cost: streams hold tens of kilobytes
// in gRPC, and do so for a while when they are abandoned. Belongs to the thread
// of the limiters that share it.
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
  MonotonicTime second_;       // when the present one began
  std::size_t abandoned_ = 0;  // in it
};

// Follows the frames of one connection, and says when its client goes too far.
// Needs memory for `streams` numbers at most.
class FrameLimiter {
 public:
  enum class Verdict {
    kPass,
    kPause,   // pass this frame in a while, and no other before it
    kReject,  // close the connection; see rejection()
  };

  // `clock` and `budget` outlive the limiter.
  FrameLimiter(const FrameLimits& limits, Clock& clock, StreamBudget& budget);
  // What is open has been abandoned.
  ~FrameLimiter();
  FrameLimiter(const FrameLimiter&) = delete;
  FrameLimiter& operator=(const FrameLimiter&) = delete;

  // Each frame of the client's, and of the server's, once.
  Verdict OnClientFrame(const Http2FrameHeader& frame);
  Verdict OnServerFrame(const Http2FrameHeader& frame);

  // After kPause: whether it is still too early.
  bool MustPause();

  AdminRejection rejection() const { return rejection_; }

  // Since when the client has had no stream open; nothing while it has one.
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
  // Counts what a frame of an open stream holds.
  Verdict Hold(std::uint32_t stream);
  void Forget(Streams::iterator stream);
  Verdict OnReset(std::uint32_t stream);
  Verdict OnNewStream(std::uint32_t stream, bool client_done);
  void OnEndStream(std::uint32_t stream, bool OpenStream::*done);

  const FrameLimits limits_;
  Clock& clock_;
  StreamBudget& budget_;
  AdminRejection rejection_ = AdminRejection::kNotHttp2;

  MonotonicTime second_;  // when the present one began
  int resets_ = 0;        // in it
  int control_frames_ = 0;
  int window_updates_ = 0;
  std::size_t unserved_ = 0;  // streams opened and not answered
  std::size_t complete_ = 0;  // open streams whose requests are

  MonotonicTime last_used_;  // when a stream last opened or ended
  int continuations_ = 0;    // of the present header block
  std::uint32_t last_stream_ = 0;
  Streams streams_;
  std::size_t held_ = 0;             // bytes, of all of them
  std::size_t sent_since_hold_ = 0;  // bytes, by the client
};

}  // namespace echod

#endif  // ADMIN_TRANSPORT_FRAME_LIMITER_H_

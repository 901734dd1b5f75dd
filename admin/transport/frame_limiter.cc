// SPDX-License-Identifier: Apache-2.0

#include "admin/transport/frame_limiter.h"

#include <algorithm>
#include <chrono>

namespace echod {
namespace {

// gRPC's overhead for a partial message.
constexpr std::size_t kHeldBesideFrame = 64;

// Starts a new second if the one that began at `second` is over; returns
// whether.
bool Turn(MonotonicTime& second, Clock& clock) {
  const MonotonicTime now = clock.MonotonicNow();
  if (now - second < std::chrono::seconds(1)) return false;
  second = now;
  return true;
}

}  // namespace

void StreamBudget::Abandon(std::size_t streams) {
  TurnSecond();
  open_ -= streams;
  abandoned_ += streams;
}

bool StreamBudget::abandoned_used_up() {
  TurnSecond();
  return abandoned_ >= limits_.all_abandoned;
}

void StreamBudget::TurnSecond() {
  if (Turn(second_, clock_)) abandoned_ = 0;
}

FrameLimiter::FrameLimiter(const FrameLimits& limits, Clock& clock,
                           StreamBudget& budget)
    : limits_(limits),
      clock_(clock),
      budget_(budget),
      second_(clock.MonotonicNow()),
      last_used_(second_) {}

FrameLimiter::~FrameLimiter() {
  budget_.Release(held_);
  budget_.Abandon(streams_.size());
}

FrameLimiter::Verdict FrameLimiter::OnClientFrame(
    const Http2FrameHeader& frame) {
  TurnSecond();
  sent_since_hold_ += frame.length;
  const bool ends = (frame.flags & Http2FrameHeader::kEndStream) != 0;
  switch (frame.type) {
    case Http2FrameType::kHeaders:
      continuations_ = 0;
      // Stream numbers only increase. A lower one belongs to trailers, or is an
      // error that gRPC answers.
      if (frame.stream > last_stream_) return OnNewStream(frame.stream, ends);
      if (ends) OnEndStream(frame.stream, &OpenStream::client_done);
      return CountControlFrame();
    case Http2FrameType::kData:
      if (Hold(frame.stream) == Verdict::kReject) return Verdict::kReject;
      if (ends) OnEndStream(frame.stream, &OpenStream::client_done);
      return ends || frame.length > 0 ? Verdict::kPass : CountControlFrame();
    case Http2FrameType::kRstStream:
      return streams_.contains(frame.stream) ? OnReset(frame.stream)
                                             : CountControlFrame();
    case Http2FrameType::kWindowUpdate:
      return ++window_updates_ <= limits_.window_updates
                 ? Verdict::kPass
                 : Reject(AdminRejection::kControlFrames);
    case Http2FrameType::kContinuation:
      return ++continuations_ <= limits_.continuations
                 ? Verdict::kPass
                 : Reject(AdminRejection::kControlFrames);
    default:
      return CountControlFrame();
  }
}

FrameLimiter::Verdict FrameLimiter::OnServerFrame(
    const Http2FrameHeader& frame) {
  TurnSecond();
  switch (frame.type) {
    case Http2FrameType::kData:
    case Http2FrameType::kHeaders:
      // Clients measure the bandwidth of what they receive; Go's send a PING
      // for each response.
      if (frame.type == Http2FrameType::kData && control_frames_ > 0) {
        --control_frames_;
      }
      if ((frame.flags & Http2FrameHeader::kEndStream) != 0) {
        if (unserved_ > 0) --unserved_;
        OnEndStream(frame.stream, &OpenStream::server_done);
      }
      return Verdict::kPass;
    case Http2FrameType::kRstStream:
      // A client can also provoke the server into resetting streams.
      return OnReset(frame.stream);
    default:
      return Verdict::kPass;
  }
}

bool FrameLimiter::MustPause() {
  TurnSecond();
  const bool has_enough =
      complete_ > limits_.always || streams_.size() > limits_.always_incomplete;
  return (has_enough && budget_.open_used_up()) ||
         (unserved_ > limits_.always && budget_.abandoned_used_up());
}

void FrameLimiter::TurnSecond() {
  if (!Turn(second_, clock_)) return;
  resets_ = control_frames_ = window_updates_ = 0;
  unserved_ = 0;
}

FrameLimiter::Verdict FrameLimiter::Reject(AdminRejection reason) {
  rejection_ = reason;
  return Verdict::kReject;
}

FrameLimiter::Verdict FrameLimiter::CountControlFrame() {
  return ++control_frames_ <= limits_.control_frames
             ? Verdict::kPass
             : Reject(AdminRejection::kControlFrames);
}

FrameLimiter::Verdict FrameLimiter::Hold(std::uint32_t stream) {
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return Verdict::kPass;
  const std::size_t bytes =
      std::min(sent_since_hold_, limits_.most_held_by_frame) + kHeldBesideFrame;
  sent_since_hold_ = 0;
  found->second.held += bytes;
  held_ += bytes;
  budget_.Hold(bytes);
  return held_ > limits_.always_held && budget_.held_used_up()
             ? Reject(AdminRejection::kHeldBytes)
             : Verdict::kPass;
}

void FrameLimiter::Forget(Streams::iterator stream) {
  held_ -= stream->second.held;
  budget_.Release(stream->second.held);
  if (stream->second.client_done) --complete_;
  streams_.erase(stream);
  last_used_ = clock_.MonotonicNow();
}

FrameLimiter::Verdict FrameLimiter::OnReset(std::uint32_t stream) {
  const auto found = streams_.find(stream);
  // The other side may have reset it already.
  if (found == streams_.end()) return Verdict::kPass;
  Forget(found);
  budget_.Abandon(1);
  return ++resets_ <= limits_.resets ? Verdict::kPass
                                     : Reject(AdminRejection::kStreamResets);
}

FrameLimiter::Verdict FrameLimiter::OnNewStream(std::uint32_t stream,
                                                bool client_done) {
  if (streams_.size() >= limits_.streams) {
    return Reject(AdminRejection::kOpenStreams);
  }
  last_stream_ = stream;
  streams_[stream].client_done = client_done;
  if (client_done) ++complete_;
  budget_.Open();
  ++unserved_;
  if (Hold(stream) == Verdict::kReject) return Verdict::kReject;
  return MustPause() ? Verdict::kPause : Verdict::kPass;
}

void FrameLimiter::OnEndStream(std::uint32_t stream, bool OpenStream::*done) {
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return;
  if (!found->second.client_done && done == &OpenStream::client_done) {
    ++complete_;
  }
  found->second.*done = true;
  if (!found->second.client_done || !found->second.server_done) return;
  Forget(found);
  budget_.Finish();
}

}  // namespace echod

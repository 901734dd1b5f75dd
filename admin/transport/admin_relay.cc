// SPDX-License-Identifier: Apache-2.0

#include "admin/transport/admin_relay.h"

#include <sys/socket.h>

#include <utility>

namespace echod {
namespace {

// How often a paused connection checks whether it can continue.
constexpr absl::Duration kPause = absl::Milliseconds(50);

}  // namespace

AdminRelay::AdminRelay(EventLoop& loop, Clock& clock,
                       const AdminRelayOptions& options, StreamBudget& budget,
                       UniqueFd client, UniqueFd server, OnEnd on_end)
    : on_end_(std::move(on_end)),
      client_(std::move(client)),
      server_(std::move(server)),
      limiter_(options.limits, clock, budget),
      linger_(options.linger),
      timer_(loop, [this] { OnTimer(); }),
      from_client_(
          loop, client_.get(), server_.get(),
          {.inspect =
               [this](absl::string_view bytes) { return InspectClient(bytes); },
           .on_end = [this](ByteFlow::End end) { OnClientEnd(end); }}),
      from_server_(
          loop, server_.get(), client_.get(),
          {.inspect =
               [this](absl::string_view bytes) { return InspectServer(bytes); },
           .on_end = [this](ByteFlow::End end) { OnServerEnd(end); }}),
      resume_(loop, [this] { from_client_.Resume(); }) {
  timer_.Arm(options.preface_timeout);
}

bool AdminRelay::Start() {
  return from_client_.Start() && from_server_.Start();
}

std::optional<std::size_t> AdminRelay::InspectClient(absl::string_view bytes) {
  paused_ = paused_ && limiter_.MustPause();
  if (paused_) {
    resume_.Arm(kPause);
    return 0;
  }
  using Preface = Http2FrameReader::Preface;
  const Preface before = client_frames_.preface();
  FrameLimiter::Verdict verdict = FrameLimiter::Verdict::kPass;
  const std::size_t read =
      client_frames_.Read(bytes, [&](const Http2FrameHeader& frame) {
        verdict = limiter_.OnClientFrame(frame);
        return verdict == FrameLimiter::Verdict::kPass;
      });
  if (client_frames_.preface() == Preface::kWrong) {
    rejection_ = AdminRejection::kNotHttp2;
    return std::nullopt;
  }
  if (client_frames_.preface() != before) timer_.Disarm();
  if (verdict == FrameLimiter::Verdict::kReject) {
    rejection_ = limiter_.rejection();
    return std::nullopt;
  }
  paused_ = verdict == FrameLimiter::Verdict::kPause;
  return read;
}

std::optional<std::size_t> AdminRelay::InspectServer(absl::string_view bytes) {
  FrameLimiter::Verdict verdict = FrameLimiter::Verdict::kPass;
  server_frames_.Read(bytes, [&](const Http2FrameHeader& frame) {
    verdict = limiter_.OnServerFrame(frame);
    return verdict == FrameLimiter::Verdict::kPass;
  });
  if (verdict == FrameLimiter::Verdict::kPass) return bytes.size();
  rejection_ = limiter_.rejection();
  return std::nullopt;
}

void AdminRelay::OnClientEnd(ByteFlow::End end) {
  // A half-closed client still receives the rest from gRPC.
  if (end == ByteFlow::End::kFinished && !from_server_.ended()) return;
  Finish();
}

void AdminRelay::OnServerEnd(ByteFlow::End end) {
  if (end == ByteFlow::End::kStopped || from_client_.ended()) {
    Finish();
    return;
  }
  // Closing with unread input would reset the connection, and the client might
  // lose the end of gRPC's output. If gRPC closes with unread input, the flow
  // reports kBroken, although gRPC has only closed.
  shutdown(client_.get(), SHUT_WR);
  timer_.Arm(linger_);
}

void AdminRelay::OnTimer() {
  if (!from_server_.ended()) rejection_ = AdminRejection::kPrefaceTimeout;
  Finish();
}

void AdminRelay::Finish() {
  // Moved out, because it destroys the relay and must survive that.
  OnEnd on_end = std::move(on_end_);
  on_end(rejection_);
}

}  // namespace echod

// SPDX-License-Identifier: Apache-2.0

// How a connection ends: the actions that belong to the transitions of
// connection_state.h.

#include <chrono>
#include <string>

#include "echo/control/close_reason.h"
#include "echo/session/connection.h"

namespace echod {
namespace {

// What a connection is given from its begin for the client's first request.
constexpr std::chrono::seconds kFirstRequestGrace{1};

// How long kLingering may last.
constexpr std::chrono::seconds kLinger{2};

// How often to look whether the peer's kernel has everything.
constexpr std::chrono::milliseconds kDeliveryPoll{100};

// A hard deadline that is noticed so late tells that the process was stopped,
// or the machine; and how long what has come meanwhile has then.
constexpr std::chrono::seconds kOverslept{1};
constexpr std::chrono::milliseconds kCatchUp{500};

}  // namespace

void Connection::Drain(CloseReason reason, MonotonicTime deadline) {
  BeginDraining(reason, deadline);
  Settle();
}

void Connection::BeginDraining(CloseReason reason, MonotonicTime deadline) {
  CutOffAt(deadline, CloseReason::kDrainDeadline);
  if (state_ == ConnectionState::kOpen) {
    reason_ = reason;
    drain_target_ = bytes_received_ + transport_->UnreadBytes();
    if (drain_target_ == 0 && reason == CloseReason::kDrained) AwaitRequest();
  }
  Move(ConnectionEvent::kDrain);
  ScheduleDeadline();
  Proceed();
}

void Connection::AwaitRequest() {
  // The client has just connected, to a server that accepted: what it sends
  // is under way.
  const MonotonicTime until = created_ + kFirstRequestGrace;
  if (until <= context().clock().MonotonicNow()) return;
  drain_target_ = 1;
  peer_deadline_ = until;
}

void Connection::OnPeerDeadline() {
  if (HasSentFin(state_)) return CheckDelivery();
  peer_deadline_ = MonotonicTime::max();
  if (state_ == ConnectionState::kDraining) {
    drain_target_ = bytes_received_ + transport_->UnreadBytes();
    Proceed();
  }
  ScheduleDeadline();
}

void Connection::CutOffAt(MonotonicTime deadline, CloseReason reason) {
  if (deadline >= hard_deadline_) return;
  hard_deadline_ = deadline;
  cut_off_reason_ = reason;
}

void Connection::Proceed() {
  if (state_ == ConnectionState::kDraining &&
      bytes_received_ - UnansweredBytes() >= drain_target_) {
    Flush(ConnectionEvent::kAnswered, reason_);
    return;
  }
  if (BufferedBytes() > 0) return;
  switch (state_) {
    case ConnectionState::kHalfClosed:
      Move(ConnectionEvent::kFlushed);
      break;
    case ConnectionState::kFinishing:
      if (transport_->UnconfirmedBytes() == 0) {
        Move(ConnectionEvent::kConfirmed);
      } else {
        SendFin();
      }
      break;
    case ConnectionState::kFlushing:
      SendFin();
      break;
    case ConnectionState::kConfirming:
      CheckDelivery();
      break;
    case ConnectionState::kOpen:
    case ConnectionState::kDraining:
    case ConnectionState::kDelivering:
    case ConnectionState::kLingering:
    case ConnectionState::kEnded:
      break;
  }
}

void Connection::Flush(ConnectionEvent event, CloseReason reason) {
  Move(event);
  reason_ = reason;
  peer_deadline_ = MonotonicTime::max();
  // What came after the last answer is not answered any more.
  stats().bytes_buffered.Add(-static_cast<std::int64_t>(held_.size()));
  std::string().swap(held_);
  Resume();
  ScheduleDeadline();
  Proceed();
}

void Connection::SendFin() {
  Move(ConnectionEvent::kFlushed);
  transport_->CloseOutput();
  CheckDelivery();
}

void Connection::CheckDelivery() {
  const MonotonicTime now = context().clock().MonotonicNow();
  if (transport_->UnconfirmedBytes() > 0) {
    // Both sides may have closed between the two looks, and then nothing is
    // lost.
    if (transport_->IsBroken() && transport_->UnconfirmedBytes() > 0) {
      // Nothing is read any more where the peer has closed its side, so no read
      // has reported it.
      End(CloseReason::kPeerReset, /*reset=*/true);
      return;
    }
    peer_deadline_ = now + kDeliveryPoll;
  } else if (state_ != ConnectionState::kLingering) {
    Move(ConnectionEvent::kConfirmed);
    peer_deadline_ = now + kLinger;
  } else if (peer_deadline_ <= now) {
    Move(ConnectionEvent::kLingerOver);
  }
  ScheduleDeadline();
}

void Connection::OnHardDeadline(MonotonicTime now) {
  if (now - hard_deadline_ > kOverslept && !put_off_) {
    put_off_ = true;
    hard_deadline_ = now + kCatchUp;
    ScheduleDeadline();
  } else {
    CutOff(cut_off_reason_);
  }
}

void Connection::CutOff(CloseReason reason) {
  // First, since both sides may close between the two looks.
  const bool broken = HasSentFin(state_) && transport_->IsBroken();
  if (HasSentFin(state_) && transport_->UnconfirmedBytes() == 0) {
    End(reason_, /*reset=*/false);
  } else if (broken) {
    End(CloseReason::kPeerReset, /*reset=*/true);
  } else {
    End(reason, /*reset=*/true);
  }
}

void Connection::StopNow() {
  CutOff(CloseReason::kShutdown);
  Settle();
}

void Connection::Reset(CloseReason reason) {
  End(reason, /*reset=*/true);
  Settle();
}

void Connection::End(CloseReason reason, bool reset) {
  if (ended()) return;
  Move(ConnectionEvent::kCut);
  reason_ = reason;
  if (reset) transport_->Abort();
}

void Connection::Settle() {
  if (!ended()) return;
  stats().bytes_buffered.Add(-BufferedBytes());
  context().NotifyClosed(*this, reason_);
}

}  // namespace echod

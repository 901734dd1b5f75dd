// SPDX-License-Identifier: Apache-2.0

// How a connection ends: see "One connection, from SYN to FIN" in
// docs/architecture.md, from step 8 on.

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "echo/control/close_reason.h"
#include "echo/net/tcp_info.h"
#include "echo/session/connection.h"

namespace echod {
namespace {

// How long a peer that has got everything and a FIN may take to close, too. Its
// late bytes are thrown away meanwhile; to close at once would answer them with
// a reset, and that could overtake what it has not read yet.
constexpr std::chrono::seconds kLinger{2};

// How often to look whether the peer's kernel has got everything.
constexpr std::chrono::milliseconds kDeliveryPoll{100};

// How late a hard deadline must be noticed to tell that the process was
// stopped, or the machine; and how long it then has for what has come
// meanwhile.
constexpr std::chrono::seconds kOverslept{1};
constexpr std::chrono::milliseconds kCatchUp{500};

}  // namespace

void Connection::Drain(CloseReason reason, MonotonicTime deadline) {
  BeginDraining(reason, deadline);
  Settle();
}

void Connection::BeginDraining(CloseReason reason, MonotonicTime deadline) {
  CutOffAt(deadline, CloseReason::kDrainDeadline);
  if (state_ == State::kOpen) {
    state_ = State::kDraining;
    reason_ = reason;
    int queued = 0;
    ioctl(fd(), FIONREAD, &queued);
    drain_target_ = bytes_received_ + queued;
  }
  ScheduleDeadline();
  Proceed();
}

void Connection::CutOffAt(MonotonicTime deadline, CloseReason reason) {
  if (deadline >= hard_deadline_) return;
  hard_deadline_ = deadline;
  cut_off_reason_ = reason;
}

void Connection::Proceed() {
  if (ended_) return;
  if (state_ == State::kDraining &&
      bytes_received_ - UnansweredBytes() >= drain_target_) {
    BeginClosing(reason_);
    return;
  }
  if (waiting_bytes_ > 0 || !held_.empty()) return;
  if (fin_sent_) {
    if (remote_closed_) Linger();
    return;
  }
  // The kernel delivers what it has after the socket is closed; but not where
  // the network goes with the process, as in a container: so a drain waits.
  if (remote_closed_ && (!IsEnding() || UnacknowledgedBytes() == 0)) {
    End(reason_, /*reset=*/false);
  } else if (remote_closed_ || state_ == State::kClosing) {
    state_ = State::kClosing;
    fin_sent_ = true;
    shutdown(fd(), SHUT_WR);
    Linger();
  }
}

void Connection::BeginClosing(CloseReason reason) {
  state_ = State::kClosing;
  reason_ = reason;
  paused_ = false;
  output_.SetLowWatermark(0);
  // What came after the last answer is not answered any more.
  stats().bytes_buffered.Add(-static_cast<std::int64_t>(held_.size()));
  std::string().swap(held_);
  // A peer that is stuck writing would never read what it is owed.
  if (!remote_closed_) SetReading(true);
  ScheduleDeadline();
  Proceed();
}

int Connection::UnacknowledgedBytes() const {
  int bytes = 0;
  return ioctl(fd(), SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

void Connection::Linger() {
  const MonotonicTime now = context().clock.MonotonicNow();
  if (UnacknowledgedBytes() > 0) {
    if (IsBroken(fd())) {
      // Nobody reads any more, so no read has told.
      End(CloseReason::kPeerReset, /*reset=*/true);
    } else {
      linger_deadline_ = now + kDeliveryPoll;
    }
  } else if (remote_closed_ || (confirmed_ && linger_deadline_ <= now)) {
    End(reason_, /*reset=*/false);
  } else if (!confirmed_) {
    confirmed_ = true;
    linger_deadline_ = now + kLinger;
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
  if (fin_sent_ && UnacknowledgedBytes() == 0) {
    End(reason_, /*reset=*/false);
  } else if (fin_sent_ && IsBroken(fd())) {
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
  if (ended_) return;
  ended_ = true;
  reason_ = reason;
  if (reset) {
    const linger abort = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  }
}

void Connection::Settle() {
  if (ended_) context().on_closed(*this, reason_);
}

}  // namespace echod

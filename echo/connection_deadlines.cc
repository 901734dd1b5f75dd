// How long a connection may live, rest, keep its output waiting, and take to
// end.

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <chrono>

#include "absl/time/time.h"
#include "echo/connection.h"

namespace echod {
namespace {

// How long a peer that has got everything and a FIN may take to close, too. Its
// late bytes are thrown away meanwhile; to close at once would answer them with
// a reset, and that could overtake what it has not read yet.
constexpr std::chrono::seconds kLinger{2};

// How often to look whether a peer that has closed already has got everything.
constexpr std::chrono::milliseconds kDeliveryPoll{100};

// How long a connection that is old enough may take to end.
constexpr std::chrono::seconds kAgeGrace{30};

// When a timeout, of which 0 is never, is over.
MonotonicTime After(MonotonicTime start, absl::Duration timeout) {
  return timeout <= absl::ZeroDuration()
             ? MonotonicTime::max()
             : start + absl::ToChronoNanoseconds(timeout);
}

}  // namespace

int Connection::UnacknowledgedBytes() const {
  int bytes = 0;
  return ioctl(fd(), SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

void Connection::BeginToWait() {
  stall_from_ = context().clock.MonotonicNow();
  if (listener_.settings.write_stall_timeout <= absl::ZeroDuration()) return;
  unacknowledged_seen_ = UnacknowledgedBytes();
  // Nothing waits yet, but will before the loop turns.
  context().Schedule(
      *this,
      std::min(After(stall_from_, listener_.settings.write_stall_timeout),
               NextDeadline()));
}

MonotonicTime::duration Connection::LingerStep() const {
  if (remote_closed_) return kDeliveryPoll;
  return kLinger;
}

void Connection::OnDeadline() {
  const MonotonicTime now = context().clock.MonotonicNow();
  if (fin_sent_ && std::min(linger_deadline_, hard_deadline_) <= now) {
    OnLingerDeadline(now);
  } else if (hard_deadline_ <= now) {
    End(reason_ == CloseReason::kLineTooLong ? reason_
                                             : CloseReason::kDrainDeadline,
        /*reset=*/true);
  } else if (StallDeadline() <= now && !SeesProgress(now)) {
    End(CloseReason::kWriteStall, /*reset=*/true);
  } else if (IdleDeadline() <= now && !SeesProgress(now)) {
    // What waits for a peer that takes nothing must not wait in the kernel,
    // too.
    End(CloseReason::kIdleTimeout,
        /*reset=*/output_.size() > 0 || UnacknowledgedBytes() > 0);
  } else if (AgeDeadline() <= now) {
    BeginDraining(CloseReason::kMaxAge, now + kAgeGrace);
  } else {
    ScheduleDeadline();
  }
  Settle();
}

void Connection::OnLingerDeadline(MonotonicTime now) {
  if (UnacknowledgedBytes() == 0) {
    End(reason_, /*reset=*/false);
  } else if (hard_deadline_ <= now) {
    End(reason_ == CloseReason::kLineTooLong ? reason_
                                             : CloseReason::kDrainDeadline,
        /*reset=*/true);
  } else {
    linger_deadline_ = now + LingerStep();
    ScheduleDeadline();
  }
}

bool Connection::SeesProgress(MonotonicTime now) {
  // A peer that reads slowly may take megabytes from the kernel before that
  // asks for more: what it has confirmed counts, too.
  const int unacknowledged = UnacknowledgedBytes();
  if (unacknowledged == 0 || unacknowledged == unacknowledged_seen_) {
    return false;
  }
  unacknowledged_seen_ = unacknowledged;
  last_active_ = now;
  stall_from_ = now;
  ScheduleDeadline();
  return true;
}

void Connection::ScheduleDeadline() {
  const MonotonicTime deadline = NextDeadline();
  if (deadline == MonotonicTime::max()) return;
  context().Schedule(*this, deadline);
}

MonotonicTime Connection::NextDeadline() const {
  return std::min({hard_deadline_, linger_deadline_, IdleDeadline(),
                   StallDeadline(), AgeDeadline()});
}

// One that is ending already has a deadline for that, and who is cut off then
// counts as that: the others hold only until it begins to.
bool Connection::IsEnding() const {
  return hard_deadline_ != MonotonicTime::max();
}

MonotonicTime Connection::IdleDeadline() const {
  if (IsEnding()) return MonotonicTime::max();
  return After(last_active_, listener_.settings.idle_timeout);
}

MonotonicTime Connection::StallDeadline() const {
  if (IsEnding() || output_.size() == 0) return MonotonicTime::max();
  return After(stall_from_, listener_.settings.write_stall_timeout);
}

MonotonicTime Connection::AgeDeadline() const {
  if (IsEnding()) return MonotonicTime::max();
  return After(created_, listener_.settings.max_connection_age);
}

}  // namespace echod

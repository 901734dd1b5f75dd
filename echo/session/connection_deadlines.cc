// SPDX-License-Identifier: Apache-2.0

// A connection's timeouts: maximum age, idle, write stall, the end, and the
// retries after a shortage of memory.

#include <algorithm>
#include <chrono>

#include "absl/time/time.h"
#include "echo/session/connection.h"

namespace echod {
namespace {

// How long a connection may take to end after its maximum age.
constexpr std::chrono::seconds kAgeGrace{30};

// Retries of system calls that fail for want of memory: the back-off, which
// doubles, and how long they may go on.
constexpr std::chrono::milliseconds kShortestBackOff{50};
constexpr std::chrono::milliseconds kLongestBackOff{1000};
constexpr std::chrono::seconds kShortageTimeout{10};

// The end of a timeout; 0 is no timeout.
MonotonicTime After(MonotonicTime start, absl::Duration timeout) {
  return timeout <= absl::ZeroDuration()
             ? MonotonicTime::max()
             : start + absl::ToChronoNanoseconds(timeout);
}

}  // namespace

void Connection::BeginToWait() {
  stall_from_ = context().clock().MonotonicNow();
  if (listener_.settings.write_stall_timeout <= absl::ZeroDuration()) return;
  confirmed_seen_ = ConfirmedBytes();
  ScheduleDeadline();
}

void Connection::OnDeadline() {
  const MonotonicTime now = context().clock().MonotonicNow();
  if (retry_at_ <= now) {
    Retry();
  } else if (hard_deadline_ <= now) {
    OnHardDeadline(now);
  } else if (peer_deadline_ <= now) {
    OnPeerDeadline();
  } else if (std::min(StallDeadline(), IdleDeadline()) <= now) {
    OnTimeout(now);
  } else if (AgeDeadline() <= now) {
    BeginDraining(CloseReason::kMaxAge, now + kAgeGrace);
  } else {
    ScheduleDeadline();
  }
  Settle();
}

void Connection::OnTimeout(MonotonicTime now) {
  NoteProgress(now);
  const bool stalled = StallDeadline() <= now;
  if ((!stalled && IdleDeadline() > now) ||
      (read_stops_ == 0 && transport_->HasInput())) {
    ScheduleDeadline();
  } else if (stalled) {
    End(CloseReason::kWriteStall, /*reset=*/true);
  } else {
    // After a close the kernel would go on trying to send what is left to a
    // peer that does not read; a reset drops it.
    End(CloseReason::kIdleTimeout,
        /*reset=*/WaitingBytes() > 0 || transport_->UnconfirmedBytes() > 0);
  }
}

void Connection::NoteProgress(MonotonicTime now) {
  // A slow peer may read megabytes of what the kernel holds before the kernel
  // accepts more, so confirmed bytes count as progress. The time of the last
  // confirmation alone means nothing: a peer with a full window answers probes.
  const std::int64_t confirmed = ConfirmedBytes();
  if (confirmed <= confirmed_seen_) return;
  confirmed_seen_ = confirmed;
  const MonotonicTime last = now - transport_->SinceLastConfirmation();
  last_active_ = std::max(last_active_, last);
  stall_from_ = std::max(stall_from_, last);
}

void Connection::BackOff(Shortage& shortage, MonotonicTime success) {
  const MonotonicTime now = context().clock().MonotonicNow();
  if (shortage.from < success || shortage.last + 2 * kLongestBackOff < now) {
    shortage.from = now;
  }
  shortage.last = now;
  const MonotonicTime::duration failing = now - shortage.from;
  if (failing >= kShortageTimeout) {
    End(CloseReason::kResourceExhausted, /*reset=*/true);
    return;
  }
  retry_at_ = std::min(retry_at_,
                       now + std::clamp<MonotonicTime::duration>(
                                 failing, kShortestBackOff, kLongestBackOff));
  ScheduleDeadline();
}

void Connection::Retry() {
  retry_at_ = MonotonicTime::max();
  AllowReading(ReadStop::kShortage);
  if (!transport_->ResumeOutput())
    End(CloseReason::kResourceExhausted, /*reset=*/true);
  ScheduleDeadline();
}

void Connection::ScheduleDeadline() {
  const MonotonicTime deadline = NextDeadline();
  if (deadline == MonotonicTime::max()) return;
  context().Schedule(*this, deadline);
}

MonotonicTime Connection::NextDeadline() const {
  return std::min({hard_deadline_, peer_deadline_, retry_at_, IdleDeadline(),
                   StallDeadline(), AgeDeadline()});
}

// Nor do the timeouts apply while a shortage of memory keeps the server from
// reading or sending.
bool Connection::IsJudged() const {
  return !IsEnding(state_) && retry_at_ == MonotonicTime::max();
}

MonotonicTime Connection::IdleDeadline() const {
  if (!IsJudged()) return MonotonicTime::max();
  return After(last_active_, listener_.settings.idle_timeout);
}

MonotonicTime Connection::StallDeadline() const {
  if (!IsJudged() || WaitingBytes() == 0) return MonotonicTime::max();
  return After(stall_from_, listener_.settings.write_stall_timeout);
}

MonotonicTime Connection::AgeDeadline() const {
  if (IsEnding(state_)) return MonotonicTime::max();
  return After(created_, listener_.settings.max_connection_age);
}

}  // namespace echod

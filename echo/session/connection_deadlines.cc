// SPDX-License-Identifier: Apache-2.0

// How long a connection may live, rest, keep its output waiting, take to end,
// and be short of memory.

#include <algorithm>
#include <chrono>

#include "absl/time/time.h"
#include "echo/session/connection.h"

namespace echod {
namespace {

// How long a connection that is old enough may take to end.
constexpr std::chrono::seconds kAgeGrace{30};

// Where system calls fail for want of memory: the time to the next try, which
// doubles, and how long that may go on.
constexpr std::chrono::milliseconds kShortestBackOff{50};
constexpr std::chrono::milliseconds kLongestBackOff{1000};
constexpr std::chrono::seconds kShortageTimeout{10};

// When a timeout, of which 0 is never, is over.
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
  } else if (delivery_deadline_ <= now) {
    CheckDelivery();
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
    // What waits for a peer that takes nothing must not wait in the kernel,
    // too.
    End(CloseReason::kIdleTimeout,
        /*reset=*/WaitingBytes() > 0 || transport_->UnconfirmedBytes() > 0);
  }
}

void Connection::NoteProgress(MonotonicTime now) {
  // A peer that reads slowly may take megabytes from the kernel before that
  // asks for more: what it has confirmed counts, too. The time of the last
  // confirmation alone tells nothing, since a full window's probes are
  // answered.
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
  return std::min({hard_deadline_, delivery_deadline_, retry_at_,
                   IdleDeadline(), StallDeadline(), AgeDeadline()});
}

// The timeouts do not apply to a peer whose bytes could not be read for want of
// memory, either.
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

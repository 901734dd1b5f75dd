// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SERVER_WALK_PACE_H_
#define ECHO_SERVER_WALK_PACE_H_

#include <chrono>

#include "echo/base/clock.h"

namespace echod {

// How much of a loop's time walks over its connections take. Of a loop that
// serves clients, they take a quarter of a percent, after a burst that makes an
// occasional list quick; of a loop that is idle otherwise, as much as they
// need. Without this, an operator who lists connections in a loop would take
// time from clients for as long as he goes on. Walks are charged CPU time of
// the loop's thread, so that they do not pay for what other processes take.
//
// Not thread-safe.
class WalkPace {
 public:
  using Duration = std::chrono::nanoseconds;

  // Of a loop that serves clients, one part in so many is for walks.
  static constexpr int kShare = 400;
  // What walks may take at once when they have taken nothing for a while.
  static constexpr Duration kBurst = std::chrono::milliseconds(10);
  // The longest part of a walk in a turn of the loop, in either case.
  static constexpr Duration kBusyPart = std::chrono::microseconds(25);
  static constexpr Duration kIdlePart = std::chrono::microseconds(250);
  // A loop is idle while clients take less than one part in so many of its
  // time, over kWindow.
  static constexpr int kIdleShare = 100;
  static constexpr Duration kWindow = std::chrono::milliseconds(10);
  // CPU time that a turn of an idle loop takes.
  static constexpr Duration kTurnOverhead = std::chrono::microseconds(1);
  // The longest time between two parts of a walk; see Wait.
  static constexpr Duration kLongestWait = std::chrono::milliseconds(10);

  struct Times {
    MonotonicTime now;
    Duration cpu{};  // of the loop's thread
  };

  // In each turn in which the loop has operator requests, before them. Returns
  // how long walks may take in this turn, or zero.
  Duration Begin(Times times);

  // In the same turn, behind them: takes what they have used from the credit.
  void End(Times times);

  // After End: how long to wait for the next turn if walks are left. Zero if
  // they may go on immediately. At most kLongestWait: by then, the loop may be
  // idle.
  Duration Wait() const;

 private:
  // So that walks go on after a tenth of a second, whatever a turn has taken.
  static constexpr Duration kMostOverdrawn = std::chrono::microseconds(250);

  void Look(Duration passed, Duration for_clients);

  Times begun_;
  Duration used_{};  // by operators, in the turn that began then
  Duration credit_ = kBurst;
  bool idle_ = false;
  Duration window_passed_{};
  Duration window_for_clients_{};
};

}  // namespace echod

#endif  // ECHO_SERVER_WALK_PACE_H_

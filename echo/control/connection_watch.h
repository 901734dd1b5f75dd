// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_CONNECTION_WATCH_H_
#define ECHO_CONTROL_CONNECTION_WATCH_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "echo/control/connection_fields.h"
#include "echo/control/session_event.h"
#include "echo/control/session_event_queue.h"

namespace echod {

// The events that one watcher has asked for, until it takes them. A watcher
// that is slow misses events, which are counted (see SessionEventQueue).
// Thread-safe.
class ConnectionWatch final : public SessionEventSink {
 public:
  // Events that can wait for the watcher, at some 200 bytes each.
  static constexpr std::size_t kCapacity = 4096;

  struct Options {
    // What connections have to fulfill right after the event. Null: all do.
    std::shared_ptr<const ConnectionPredicate> filter;
    bool pauses = false;  // also kPaused and kResumed
    // Kept until the data plane has let go of the watch.
    std::shared_ptr<const void> hold;
  };

  // `wake` is called on a loop when there is something to take after there was
  // nothing.
  ConnectionWatch(Options options, absl::AnyInvocable<void()> wake)
      : options_(std::move(options)), queue_(kCapacity, std::move(wake)) {}

  // SessionEventSink.
  bool Wants(SessionEvent::Kind kind) const override {
    const bool pause = kind == SessionEvent::Kind::kPaused ||
                       kind == SessionEvent::Kind::kResumed;
    return (options_.pauses || !pause) &&
           !closed_.load(std::memory_order_relaxed);
  }
  void OnEvent(const SessionEvent& event) override {
    if (options_.filter != nullptr &&
        !options_.filter->Matches(FieldsOfValues(event.connection),
                                  event.time)) {
      return;
    }
    queue_.Add(event);
  }

  SessionEventQueue::Batch Take() { return queue_.Take(); }

  // Wants no more events, and drops those that are there.
  void Close() {
    closed_.store(true, std::memory_order_relaxed);
    queue_.Take();
  }

 private:
  const Options options_;
  std::atomic<bool> closed_{false};
  SessionEventQueue queue_;
};

}  // namespace echod

#endif  // ECHO_CONTROL_CONNECTION_WATCH_H_

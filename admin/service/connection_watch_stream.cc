// SPDX-License-Identifier: Apache-2.0

#include "admin/service/connection_watch_stream.h"

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "admin/service/duration_conversion.h"
#include "admin/service/proto_conversion.h"
#include "admin/service/status_conversion.h"
#include "echo/control/close_reason.h"
#include "echo/control/connection_watch.h"
#include "echo/control/control_error.h"
#include "echo/control/reply.h"
#include "echo/control/session_event.h"
#include "echo/control/session_event_queue.h"

namespace echod {
namespace {

using EventProto = admin::v1::ConnectionEvent;

EventProto::Kind ToProto(SessionEvent::Kind kind) {
  switch (kind) {
    case SessionEvent::Kind::kOpened:
      return EventProto::KIND_OPENED;
    case SessionEvent::Kind::kPaused:
      return EventProto::KIND_PAUSED;
    case SessionEvent::Kind::kResumed:
      return EventProto::KIND_RESUMED;
    case SessionEvent::Kind::kClosed:
      return EventProto::KIND_CLOSED;
  }
  return EventProto::KIND_UNSPECIFIED;
}

EventProto ToProto(const SessionEvent& event) {
  EventProto proto;
  proto.set_kind(ToProto(event.kind));
  *proto.mutable_time() = echod::ToProto(WallTimeOf(event));
  *proto.mutable_connection() = echod::ToProto(ToInfo(event.connection));
  if (event.kind == SessionEvent::Kind::kClosed) {
    proto.set_close_reason(std::string(CloseReasonName(event.reason)));
  }
  return proto;
}

absl::Status ExhaustedError(const std::string& message, const char* reason) {
  return ControlError(absl::StatusCode::kResourceExhausted, message,
                      {.reason = reason, .field = "", .errno_name = ""});
}

absl::Status TooManyWatchesError() {
  return ExhaustedError(
      absl::StrCat("a client can have ", ConnectionWatches::kMostOfClient,
                   " open WatchConnections streams, and all clients together ",
                   ConnectionWatches::kMost,
                   "; end one, or watch more with one filter"),
      "TOO_MANY_WATCHES");
}

absl::Status FiltersTooLongError() {
  return ExhaustedError(
      absl::StrCat("the filters of a client's WatchConnections streams can "
                   "have ",
                   ConnectionWatches::kMostComparisonsOfClient,
                   " comparisons together, and those of all clients ",
                   ConnectionWatches::kMostComparisons,
                   "; end a stream, or write a shorter filter and select among "
                   "the events yourself"),
      "WATCH_FILTERS_TOO_LONG");
}

EventProto Gap(std::int64_t missed) {
  EventProto proto;
  proto.set_kind(EventProto::KIND_GAP);
  proto.set_missed_count(missed);
  return proto;
}

}  // namespace

// One stream. At most one operation is pending at any time; while none is, the
// stream is idle, and the next event, the end of the server or the client's
// cancelling goes on with it. A client that does not read leaves a write
// pending, and events wait in the watch.
class ConnectionWatchStream final
    : public grpc::ServerWriteReactor<EventProto>,
      public std::enable_shared_from_this<ConnectionWatchStream> {
 public:
  ConnectionWatchStream(ConnectionWatches& watches,
                        ConnectionWatches::Options options,
                        std::shared_ptr<const void> place)
      : watches_(watches),
        options_(std::move(options)),
        place_(std::move(place)) {}

  // The stream is idle until the data plane watches.
  void Begin() {
    watch_ = std::make_shared<ConnectionWatch>(
        ConnectionWatch::Options{.filter = options_.filter,
                                 .pauses = options_.pauses,
                                 .hold = std::move(place_)},
        [self = shared_from_this()] {
          self->watches_.answers_.Post([self] { self->GoOn(); });
        });
    watches_.connections_.WatchConnections(
        watch_, Reply<WatchBegun>([self = shared_from_this()](
                                      absl::StatusOr<WatchBegun> begun) {
          self->watches_.answers_.Post([self, begun = std::move(begun)] {
            self->OnBegun(begun.status());
          });
        }));
  }

  // Ends it with OK after what is in the watch. Thread-safe.
  void Stop() {
    {
      const MutexLock lock(mutex_);
      stopping_ = true;
    }
    GoOn();
  }

  void OnSendInitialMetadataDone(bool ok) override { OnOperationDone(ok); }
  void OnWriteDone(bool ok) override { OnOperationDone(ok); }

  void OnCancel() override {
    {
      const MutexLock lock(mutex_);
      Fail(grpc::Status::CANCELLED);
    }
    GoOn();
  }

  void OnDone() override {
    watch_->Close();
    watches_.connections_.StopWatching(watch_);
    // Breaks the cycle of the stream and its watch's `wake`, once the data
    // plane has let go of the watch.
    watch_.reset();
    watches_.Remove(shared_from_this());
  }

 private:
  void OnBegun(const absl::Status& status) {
    {
      const MutexLock lock(mutex_);
      begun_ = true;
      if (!status.ok()) Fail(ToGrpcStatus(status));
      if (idle_ && failure_.ok()) {
        idle_ = false;
        // Tells the client that no event is missed from now on.
        StartSendInitialMetadata();
        return;
      }
    }
    GoOn();
  }

  void OnOperationDone(bool ok) {
    {
      const MutexLock lock(mutex_);
      idle_ = true;
      if (!ok) Fail(grpc::Status::CANCELLED);
    }
    GoOn();
  }

  void Fail(grpc::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (failure_.ok()) failure_ = std::move(status);
  }

  // Begins the next operation, if none is pending and there is one to begin.
  void GoOn() {
    grpc::Status end;
    {
      const MutexLock lock(mutex_);
      if (!idle_ || finished_) return;
      if (failure_.ok()) {
        if (!begun_) return;
        if (NextMessage()) {
          idle_ = false;
          StartWrite(&message_);
          return;
        }
        if (!stopping_) return;
      }
      finished_ = true;
      end = failure_;
    }
    Finish(end);
  }

  // False if nothing has happened.
  bool NextMessage() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (next_ == batch_.events.size() && batch_.missed == 0) {
      batch_ = watch_->Take();
      next_ = 0;
    }
    if (next_ < batch_.events.size()) {
      message_ = ToProto(batch_.events[next_++]);
      return true;
    }
    if (batch_.missed == 0) return false;
    message_ = Gap(std::exchange(batch_.missed, 0));
    return true;
  }

  ConnectionWatches& watches_;
  const ConnectionWatches::Options options_;
  std::shared_ptr<const void> place_;       // until Begin
  std::shared_ptr<ConnectionWatch> watch_;  // from Begin to OnDone
  EventProto message_;                      // the pending operation's

  Mutex mutex_;
  bool idle_ ABSL_GUARDED_BY(mutex_) = true;  // no operation is pending
  bool begun_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Status failure_ ABSL_GUARDED_BY(mutex_);
  SessionEventQueue::Batch batch_ ABSL_GUARDED_BY(mutex_);
  std::size_t next_ ABSL_GUARDED_BY(mutex_) = 0;  // of the batch's events
};

absl::StatusOr<std::shared_ptr<const void>> ConnectionWatches::TakePlace(
    const Options& options) {
  const std::string& client = options.client;
  const int comparisons = options.comparisons;
  const MutexLock lock(places_->mutex);
  const auto found = places_->by_client.find(client);
  const Use before = found == places_->by_client.end() ? Use() : found->second;
  if (before.watches >= kMostOfClient || places_->all.watches >= kMost) {
    return TooManyWatchesError();
  }
  if (before.comparisons + comparisons > kMostComparisonsOfClient ||
      places_->all.comparisons + comparisons > kMostComparisons) {
    return FiltersTooLongError();
  }
  places_->by_client[client] = {
      .watches = before.watches + 1,
      .comparisons = before.comparisons + comparisons};
  ++places_->all.watches;
  places_->all.comparisons += comparisons;
  return std::shared_ptr<const void>(
      places_.get(),
      [places = places_, client, comparisons](const void* /*place*/) {
        const MutexLock relock(places->mutex);
        --places->all.watches;
        places->all.comparisons -= comparisons;
        const auto mine = places->by_client.find(client);
        mine->second.comparisons -= comparisons;
        if (--mine->second.watches == 0) places->by_client.erase(mine);
      });
}

absl::StatusOr<grpc::ServerWriteReactor<EventProto>*> ConnectionWatches::Start(
    Options options) {
  absl::StatusOr<std::shared_ptr<const void>> place = TakePlace(options);
  if (!place.ok()) return std::move(place).status();
  auto stream = std::make_shared<ConnectionWatchStream>(
      *this, std::move(options), *std::move(place));
  bool stopped = false;
  {
    const MutexLock lock(mutex_);
    open_.insert(stream);
    stopped = stopped_;
  }
  ConnectionWatchStream* const reactor = stream.get();
  stream->Begin();
  if (stopped) stream->Stop();
  return reactor;
}

void ConnectionWatches::Stop() {
  std::set<std::shared_ptr<ConnectionWatchStream>> open;
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
    open = open_;
  }
  for (const auto& stream : open) stream->Stop();
}

void ConnectionWatches::Remove(
    const std::shared_ptr<ConnectionWatchStream>& stream) {
  const MutexLock lock(mutex_);
  open_.erase(stream);
}

}  // namespace echod

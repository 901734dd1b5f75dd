// SPDX-License-Identifier: Apache-2.0

#include "echo/session/connection.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace echod {
namespace {

// Answers are handed to the kernel in batches of about this size.
constexpr std::size_t kAnswerBatchBytes = 64 * 1024;

// What a single answer may leave of memory in the worker's batch buffer.
constexpr std::size_t kAnswersKeptBytes = 1024 * 1024;

// How long a peer may take to read the error about its line.
constexpr std::chrono::seconds kErrorTimeout{10};

}  // namespace

EchoState::EchoState(WorkerListener& from, TransportFactory make_transport)
    : listener_(from),
      codec_(NewCodec(from.settings.mode)),
      last_active_(from.context->clock().PreciseNow()) {
  transport_ = make_transport(space_);
}

Connection::Connection(WorkerListener& listener, std::uint64_t number,
                       std::int64_t generation, TransportFactory make_transport,
                       const SocketAddress& remote)
    : EchoState(listener, make_transport),
      number_(number),
      generation_(generation),
      remote_(remote),
      created_(last_active_) {
  transport_->SetObserver(*this);
  read_stops_ = static_cast<std::uint8_t>(ReadStop::kNotStarted);
}

void Connection::Start() {
  context().NotifyOpened(*this);
  AllowReading(ReadStop::kNotStarted);
  ScheduleDeadline();
  Settle();
}

void Connection::OnReadable() {
  Read();
  Settle();
}

void Connection::OnOutputTaken(std::int64_t bytes) {
  bytes_sent_ += bytes;
  stats().bytes_buffered.Add(-bytes);
  stats().bytes_sent.Add(bytes);
  Touch();
  stall_from_ = last_active_;
  if (waiting_ == nullptr) return;
  const MonotonicTime now = context().clock().PreciseNow();
  waiting_->Take(bytes_sent_, [&](MonotonicTime read_at, std::uint64_t reads) {
    RecordLatency(read_at, now, reads);
  });
  ForgetWaiting();
}

void Connection::OnOutputLow() {
  ResumeIfRoom();
  Proceed();
  Settle();
}

void Connection::OnOutputFailed(Transport::Failure failure) {
  if (failure == Transport::Failure::kShortage) {
    BackOff(write_shortage_, stall_from_);
  } else {
    End(CloseReason::kPeerReset, /*reset=*/true);
  }
  Settle();
}

void Connection::Read() {
  using Status = Transport::ReadResult::Status;
  std::vector<char>& buffer = context().read_buffer;
  // No more than there is room for, should the kernel accept nothing of it.
  const std::int64_t size =
      IsAnswering(state_)
          ? std::clamp<std::int64_t>(Room(), 1, static_cast<int>(kReadBytes))
          : static_cast<int>(kReadBytes);
  const Transport::ReadResult result = transport_->Read(
      absl::MakeSpan(buffer.data(), static_cast<std::size_t>(size)));
  switch (result.status) {
    case Status::kBytes:
      bytes_received_ += static_cast<std::int64_t>(result.bytes);
      stats().bytes_received.Add(static_cast<std::int64_t>(result.bytes));
      last_active_ = context().clock().PreciseNow();
      // Otherwise discarded.
      if (IsAnswering(state_)) {
        Answer({buffer.data(), result.bytes}, last_active_);
      }
      break;
    case Status::kWouldBlock:
      break;
    case Status::kEnd:
      OnEndOfFile();
      break;
    case Status::kShortage:
      StopReading(ReadStop::kShortage);
      BackOff(read_shortage_, last_active_);
      break;
    case Status::kLost:
      End(CloseReason::kPeerReset, /*reset=*/true);
      break;
  }
}

void Connection::OnEndOfFile() {
  StopReading(ReadStop::kEndOfFile);
  const bool was_answering = IsAnswering(state_);
  Move(ConnectionEvent::kEndOfFile);
  if (was_answering) {
    reason_ = CloseReason::kPeerClosed;
    const Codec::Answer answer =
        codec_->Finish(LimitsFor(Room()), context().answers);
    Count(answer);
    if (answer.line_too_long) reason_ = CloseReason::kLineTooLong;
    if (!answer.bytes.empty()) {
      const MonotonicTime read_at = context().clock().PreciseNow();
      if (!Send(answer.bytes)) return;
      NoteAnswered(read_at);
    }
  }
  Proceed();
}

Codec::Limits Connection::LimitsFor(std::int64_t extra_bytes) const {
  return {.max_line_bytes =
              static_cast<std::size_t>(listener_.settings.max_line_bytes),
          .batch_bytes = kAnswerBatchBytes,
          .extra_bytes =
              static_cast<std::size_t>(std::max<std::int64_t>(extra_bytes, 0))};
}

void Connection::Count(const Codec::Answer& answer) {
  if (answer.lines == 0) return;
  lines_echoed_ += answer.lines;
  stats().lines_echoed.Add(answer.lines);
}

void Connection::Answer(absl::string_view bytes, MonotonicTime read_at) {
  std::string& answers = context().answers;
  bool answered = false;
  while (!bytes.empty()) {
    // An answer may be longer than its input (that to an empty line is ten
    // times as long), so a peer that does not read could turn one read into a
    // lot of output. Input whose answer has no room is held back as it came.
    const std::int64_t room = Room() - static_cast<std::int64_t>(bytes.size());
    const Codec::Answer answer = codec_->Receive(
        bytes,
        LimitsFor(WaitingBytes() > 0 ? room : std::max<std::int64_t>(room, 1)),
        answers);
    Count(answer);
    if (!answer.bytes.empty()) {
      if (!Send(answer.bytes)) return;
      answered = true;
    }
    if (answer.line_too_long) {
      NoteAnswered(read_at);
      CutOffAt(context().clock().MonotonicNow() + kErrorTimeout,
               CloseReason::kLineTooLong);
      Flush(ConnectionEvent::kLineTooLong, CloseReason::kLineTooLong);
      return;
    }
    if (answer.consumed == 0) {
      held_.assign(bytes.data(), bytes.size());
      Waiting().held_since = read_at;
      stats().bytes_buffered.Add(static_cast<std::int64_t>(held_.size()));
      Pause();
      break;
    }
    bytes.remove_prefix(answer.consumed);
  }
  if (answered) NoteAnswered(read_at);
  if (answers.capacity() > kAnswersKeptBytes) std::string().swap(answers);
  PauseIfFull();
  if (state_ == ConnectionState::kDraining) Proceed();
}

void Connection::NoteAnswered(MonotonicTime read_at) {
  if (WaitingBytes() == 0) {
    RecordLatency(read_at, context().clock().PreciseNow(), 1);
  } else {
    Waiting().Add(bytes_sent_ + WaitingBytes(), read_at);
  }
}

void Connection::RecordLatency(MonotonicTime read_at, MonotonicTime now,
                               std::uint64_t reads) {
  stats().echo_latency.Record(
      static_cast<std::uint64_t>((now - read_at).count()), reads);
}

WaitingEchoes& Connection::Waiting() {
  if (waiting_ == nullptr) waiting_ = std::make_unique<WaitingEchoes>();
  return *waiting_;
}

void Connection::ForgetWaiting() {
  if (WaitingBytes() == 0 && held_.empty()) waiting_.reset();
}

bool Connection::Send(absl::string_view bytes) {
  using Status = Transport::WriteResult::Status;
  const bool waited = WaitingBytes() > 0;
  const Transport::WriteResult result = transport_->Write(bytes);
  if (result.status != Status::kAccepted) {
    End(result.status == Status::kLost ? CloseReason::kPeerReset
                                       : CloseReason::kResourceExhausted,
        /*reset=*/true);
    return false;
  }
  if (result.sent > 0) {
    bytes_sent_ += result.sent;
    stats().bytes_sent.Add(result.sent);
  }
  const auto waits = static_cast<std::int64_t>(bytes.size()) - result.sent;
  if (waits > 0) {
    stats().bytes_buffered.Add(waits);
    if (!waited) BeginToWait();
  }
  return true;
}

std::int64_t Connection::Room() const {
  return listener_.settings.max_buffered_bytes - WaitingBytes();
}

void Connection::PauseIfFull() {
  // Reads that have to be small would make it slow.
  const std::int64_t limit = listener_.settings.max_buffered_bytes;
  if (Room() < std::min<std::int64_t>(kReadBytes, limit - limit / 2)) Pause();
}

void Connection::Pause() {
  if (IsStopped(ReadStop::kBackPressure)) return;
  StopReading(ReadStop::kBackPressure);
  transport_->SetLowWatermark(
      static_cast<std::size_t>(listener_.settings.max_buffered_bytes / 2));
  context().NotifyPaused(*this);
}

void Connection::ResumeIfRoom() {
  if (!IsStopped(ReadStop::kBackPressure) || ended() ||
      WaitingBytes() > listener_.settings.max_buffered_bytes / 2) {
    return;
  }
  Resume();
  if (ended() || held_.empty()) return;
  const std::string held = std::exchange(held_, std::string());
  stats().bytes_buffered.Add(-static_cast<std::int64_t>(held.size()));
  Answer(held, waiting_->held_since);  // may pause again
  ForgetWaiting();
}

void Connection::Resume() {
  if (!IsStopped(ReadStop::kBackPressure)) return;
  transport_->SetLowWatermark(0);
  AllowReading(ReadStop::kBackPressure);
  if (!ended()) context().NotifyResumed(*this);
}

void Connection::StopReading(ReadStop why) {
  if (read_stops_ == 0) transport_->StopReading();
  read_stops_ |= static_cast<std::uint8_t>(why);
}

void Connection::AllowReading(ReadStop why) {
  if (!IsStopped(why)) return;
  read_stops_ &= static_cast<std::uint8_t>(~static_cast<std::uint8_t>(why));
  if (read_stops_ == 0 && !ended() && !transport_->StartReading()) {
    End(CloseReason::kResourceExhausted, /*reset=*/true);
  }
}

void Connection::OnSettingsChanged() {
  if (IsStopped(ReadStop::kBackPressure)) {
    transport_->SetLowWatermark(
        static_cast<std::size_t>(listener_.settings.max_buffered_bytes / 2));
    ResumeIfRoom();
  } else if (IsAnswering(state_)) {
    PauseIfFull();
  }
  ScheduleDeadline();
  Settle();
}

std::int64_t Connection::BufferedBytes() const {
  return WaitingBytes() + static_cast<std::int64_t>(held_.size());
}

std::int64_t Connection::UnansweredBytes() const {
  return static_cast<std::int64_t>(codec_->partial_bytes() + held_.size());
}

ConnectionValues Connection::Values() const {
  return {.number = number_,
          .listener_id = listener_.id,
          .listener_generation = generation_,
          .worker = context().worker_index(),
          .state = PublicState(state_),
          .remote_address = remote_,
          .local_address = transport_->LocalAddress(),
          .wall_epoch = context().WallTime(MonotonicTime()),
          .created = created_,
          .last_active = last_active_,
          .bytes_received = bytes_received_,
          .bytes_sent = bytes_sent_,
          .bytes_buffered = BufferedBytes(),
          .lines_echoed = lines_echoed_,
          .reading_paused = IsStopped(ReadStop::kBackPressure)};
}

ConnectionInfo Connection::Describe(bool with_tcp_info) const {
  ConnectionInfo info = ToInfo(Values());
  if (with_tcp_info) info.tcp_info = transport_->Info();
  return info;
}

}  // namespace echod

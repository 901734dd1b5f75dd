// SPDX-License-Identifier: Apache-2.0

#include "echo/session/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "echo/net/tcp_info.h"

namespace echod {
namespace {

// One read, and with it what one connection may take of a loop's turn.
constexpr std::int64_t kReadBytes = 64 * 1024;

// Answers are handed to the kernel in batches of about this size.
constexpr std::int64_t kAnswerBatchBytes = 64 * 1024;

// So many connections may end, or be looked at, between two looks at the
// sockets.
constexpr std::size_t kDeadlinesInATurn = 256;

// What a single line may leave of memory in the worker's batch buffer.
constexpr std::size_t kAnswersKeptBytes = 1024 * 1024;

// How long a peer may take to read the error about its line.
constexpr std::chrono::seconds kErrorTimeout{10};

// The system's fault, and it may pass.
bool IsShortage(int error) { return error == ENOMEM || error == ENOBUFS; }

}  // namespace

ConnectionContext::ConnectionContext(EventLoop& event_loop, Clock& time,
                                     int worker, ClosedCallback closed)
    : loop(event_loop),
      clock(time),
      worker_index(worker),
      on_closed(std::move(closed)),
      read_buffer(static_cast<std::size_t>(kReadBytes)),
      wall_epoch_(time.WallNow() -
                  absl::FromChrono(time.MonotonicNow().time_since_epoch())),
      wheel_(time.MonotonicNow()),
      tick_(event_loop, [this] { OnTick(); }) {}

void ConnectionContext::Schedule(Connection& connection,
                                 MonotonicTime deadline) {
  wheel_.Schedule(connection, deadline);
  if (!tick_.armed()) tick_.Arm(absl::FromChrono(DeadlineWheel::kTick));
}

void ConnectionContext::OnTick() {
  const bool all = wheel_.Advance(
      clock.MonotonicNow(), kDeadlinesInATurn, [](DeadlineWheel::Entry& entry) {
        static_cast<Connection&>(entry).OnDeadline();
      });
  if (wheel_.empty()) return;
  tick_.Arm(all ? absl::FromChrono(DeadlineWheel::kTick)
                : absl::ZeroDuration());
}

EchoState::EchoState(WorkerListener& from, UniqueFd socket)
    : FdWatcher(std::move(socket)),
      mode_(from.settings.mode),
      listener_(from),
      last_active_(from.context->clock.MonotonicNow()) {}

Connection::Connection(WorkerListener& listener, std::uint64_t number,
                       std::int64_t generation, UniqueFd socket,
                       const SocketAddress& remote)
    : EchoState(listener, std::move(socket)),
      number_(number),
      generation_(generation),
      remote_(remote),
      created_(last_active_),
      output_(listener.context->loop, fd(), *this) {
  stats().accepted.Add(1);
  stats().active.Add(1);
}

Connection::~Connection() {
  stats().bytes_buffered.Add(-BufferedBytes());
  stats().active.Add(-1);
  SetReading(false);
}

void Connection::Start() {
  SetReading(true);
  ScheduleDeadline();
  Settle();
}

void Connection::OnReadable() {
  Read();
  Settle();
}

void Connection::OnOutputTaken(std::int64_t bytes) {
  waiting_bytes_ -= bytes;
  bytes_sent_ += bytes;
  stats().bytes_buffered.Add(-bytes);
  stats().bytes_sent.Add(bytes);
  Touch();
  stall_from_ = last_active_;
}

void Connection::OnOutputLow() {
  ResumeIfRoom();
  Proceed();
  Settle();
}

void Connection::OnOutputFailed(int error) {
  if (IsShortage(error)) {
    BackOff(write_shortage_, stall_from_);
  } else {
    End(CloseReason::kPeerReset, /*reset=*/true);
  }
  Settle();
}

void Connection::Read() {
  std::vector<char>& buffer = context().read_buffer;
  // No more than there is room for, should the kernel take nothing of it.
  const std::int64_t size =
      state_ == State::kClosing
          ? kReadBytes
          : std::clamp<std::int64_t>(Room(), 1, kReadBytes);
  const ssize_t received =
      recv(fd(), buffer.data(), static_cast<std::size_t>(size), 0);
  if (received > 0) {
    bytes_received_ += received;
    stats().bytes_received.Add(received);
    Touch();
    if (state_ == State::kClosing) return;  // thrown away
    AnswerBytes({buffer.data(), static_cast<std::size_t>(received)});
    return;
  }
  if (received == 0) {
    OnEndOfFile();
  } else if (IsShortage(errno)) {
    SetReading(false);
    BackOff(read_shortage_, last_active_);
  } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
    End(CloseReason::kPeerReset, /*reset=*/true);
  }
}

void Connection::OnEndOfFile() {
  SetReading(false);
  remote_closed_ = true;
  if (state_ == State::kOpen || state_ == State::kDraining) {
    state_ = State::kRemoteHalfClosed;
    reason_ = CloseReason::kPeerClosed;
    context().answers.clear();
    const LineCodec::Result result = codec_.Finish(
        static_cast<std::size_t>(listener_.settings.max_line_bytes),
        context().answers);
    lines_echoed_ += result.lines;
    stats().lines_echoed.Add(result.lines);
    if (result.too_long) reason_ = CloseReason::kLineTooLong;
    if (!context().answers.empty() && !Send(context().answers)) return;
  }
  Proceed();
}

void Connection::AnswerBytes(absl::string_view bytes) {
  if (mode_ == EchoMode::kRaw) {
    if (!Send(bytes)) return;
  } else {
    AnswerLines(bytes);
  }
  if (ended_ || state_ == State::kClosing) return;
  PauseIfFull();
  if (state_ == State::kDraining) Proceed();
}

void Connection::AnswerLines(absl::string_view bytes) {
  std::string& answers = context().answers;
  while (!bytes.empty()) {
    // An answer is longer than its line, an empty line's ten times: so a peer
    // that does not read could make one read's worth of lines into a lot. What
    // there is no room for is held back as it came.
    const std::int64_t room = Room() - static_cast<std::int64_t>(bytes.size());
    if (room <= 0 && waiting_bytes_ > 0) {
      held_.assign(bytes.data(), bytes.size());
      stats().bytes_buffered.Add(static_cast<std::int64_t>(held_.size()));
      Pause();
      break;
    }
    answers.clear();
    const LineCodec::Result result = codec_.Answer(
        bytes, static_cast<std::size_t>(listener_.settings.max_line_bytes),
        static_cast<std::size_t>(
            std::clamp<std::int64_t>(room, 1, kAnswerBatchBytes)),
        answers);
    bytes.remove_prefix(result.consumed);
    lines_echoed_ += result.lines;
    stats().lines_echoed.Add(result.lines);
    if (!answers.empty() && !Send(answers)) return;
    if (result.too_long) {
      CutOffAt(context().clock.MonotonicNow() + kErrorTimeout,
               CloseReason::kLineTooLong);
      BeginClosing(CloseReason::kLineTooLong);
      return;
    }
  }
  if (answers.capacity() > kAnswersKeptBytes) std::string().swap(answers);
}

bool Connection::Send(absl::string_view bytes) {
  if (waiting_bytes_ == 0) {
    const ssize_t sent = send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes_sent_ += sent;
      stats().bytes_sent.Add(sent);
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR &&
               !IsShortage(errno)) {
      End(CloseReason::kPeerReset, /*reset=*/true);
      return false;
    }
  }
  if (!bytes.empty()) {
    if (waiting_bytes_ == 0) BeginToWait();
    if (!output_.Append(bytes)) {
      End(CloseReason::kResourceExhausted, /*reset=*/true);
      return false;
    }
    waiting_bytes_ += static_cast<std::int64_t>(bytes.size());
    stats().bytes_buffered.Add(static_cast<std::int64_t>(bytes.size()));
  }
  return true;
}

std::int64_t Connection::Room() const {
  return listener_.settings.max_buffered_bytes - waiting_bytes_;
}

void Connection::PauseIfFull() {
  // Reads that have to be small would make it slow.
  const std::int64_t limit = listener_.settings.max_buffered_bytes;
  if (Room() < std::min(kReadBytes, limit - limit / 2)) Pause();
}

void Connection::Pause() {
  if (paused_) return;
  paused_ = true;
  stats().read_pauses.Add(1);
  SetReading(false);
  output_.SetLowWatermark(
      static_cast<std::size_t>(listener_.settings.max_buffered_bytes / 2));
}

void Connection::ResumeIfRoom() {
  if (!paused_ || ended_ ||
      waiting_bytes_ > listener_.settings.max_buffered_bytes / 2) {
    return;
  }
  paused_ = false;
  output_.SetLowWatermark(0);
  SetReading(true);
  if (!ended_ && !held_.empty()) {
    const std::string held = std::exchange(held_, std::string());
    stats().bytes_buffered.Add(-static_cast<std::int64_t>(held.size()));
    AnswerBytes(held);  // may pause again
  }
}

void Connection::SetReading(bool reading) {
  if (reading == reading_) return;
  if (!reading) {
    Stop(context().loop.read_poller());
  } else if (!FdWatcher::Start(context().loop.read_poller())) {
    End(CloseReason::kResourceExhausted, /*reset=*/true);
    return;
  }
  reading_ = reading;
}

void Connection::OnSettingsChanged() {
  if (paused_) {
    output_.SetLowWatermark(
        static_cast<std::size_t>(listener_.settings.max_buffered_bytes / 2));
    ResumeIfRoom();
  } else if (state_ != State::kClosing && !remote_closed_) {
    PauseIfFull();
  }
  ScheduleDeadline();
  Settle();
}

std::int64_t Connection::BufferedBytes() const {
  return waiting_bytes_ + static_cast<std::int64_t>(held_.size());
}

std::int64_t Connection::UnansweredBytes() const {
  return static_cast<std::int64_t>(codec_.partial_bytes() + held_.size());
}

ConnectionInfo Connection::Describe(bool with_tcp_info) const {
  ConnectionInfo info;
  info.number = number_;
  info.listener_id = listener_.id;
  info.listener_generation = generation_;
  info.worker = context().worker_index;
  info.state = state_;
  info.remote_address = remote_.ToString();
  info.local_address = LocalAddress(fd()).ToString();
  info.create_time = context().WallTime(created_);
  info.last_active_time = context().WallTime(last_active_);
  info.bytes_received = bytes_received_;
  info.bytes_sent = bytes_sent_;
  info.bytes_buffered = BufferedBytes();
  info.lines_echoed = lines_echoed_;
  info.reading_paused = paused_;
  if (with_tcp_info) info.tcp_info = ReadTcpInfo(fd());
  return info;
}

}  // namespace echod

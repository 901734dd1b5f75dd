// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SESSION_CONNECTION_H_
#define ECHO_SESSION_CONNECTION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "echo/base/clock.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echo/control/close_reason.h"
#include "echo/control/server_control.h"
#include "echo/event/deadline_wheel.h"
#include "echo/event/event_loop.h"
#include "echo/event/fd_watcher.h"
#include "echo/event/timer.h"
#include "echo/net/waiting_output.h"
#include "echo/protocol/line_codec.h"
#include "echo/session/listener_stats.h"

namespace echod {

class Connection;

class ConnectionContext;

// What a worker knows of a listener, for the connections that came from it.
// Loop thread only; the figures are shared with readers.
struct WorkerListener {
  std::string id;
  ListenerSettings settings;
  std::shared_ptr<ListenerStats> all_stats;
  WorkerStats* stats = nullptr;          // this worker's share of it
  ConnectionContext* context = nullptr;  // this worker's; borrowed
};

// What the connections of one worker have in common. Loop thread only; outlives
// them all.
class ConnectionContext {
 public:
  using ClosedCallback = absl::AnyInvocable<void(Connection&, CloseReason)>;

  // `closed` is told of each connection that has ended, and destroys it.
  ConnectionContext(EventLoop& event_loop, Clock& time, int worker,
                    ClosedCallback closed);

  // The wall's time of a moment, by one reading of both clocks at the start: a
  // connection's times do not move when the wall's clock is set.
  absl::Time WallTime(MonotonicTime time) const {
    return wall_epoch_ + absl::FromChrono(time.time_since_epoch());
  }

  // Calls `connection.OnDeadline()` at `deadline`, soon after, or earlier.
  void Schedule(Connection& connection, MonotonicTime deadline);

  EventLoop& loop;
  Clock& clock;
  const int worker_index;
  ClosedCallback on_closed;

  // What one read takes, and what one batch of answers makes: used within a
  // single callback, and so shared. A connection at rest needs no buffer.
  std::vector<char> read_buffer;
  std::string answers;

 private:
  void OnTick();

  const absl::Time wall_epoch_;  // of the monotonic clock
  DeadlineWheel wheel_;
  Timer tick_;  // runs only while there are deadlines
};

// The part of a Connection that every echo touches, in one cache line: where
// there are thousands of connections each line more is a miss more.
struct alignas(64) EchoState : FdWatcher {
  using State = ConnectionInfo::State;

  EchoState(WorkerListener& from, UniqueFd socket);

  const EchoMode mode_;
  State state_ = State::kOpen;
  CloseReason reason_ = CloseReason::kPeerClosed;  // how it will have ended
  bool reading_ = false;
  bool paused_ = false;         // not read, since output waits
  bool remote_closed_ = false;  // the peer has sent its FIN
  bool fin_sent_ = false;
  bool ended_ = false;
  WorkerListener& listener_;
  MonotonicTime last_active_;
  std::int64_t bytes_received_ = 0;
  std::int64_t bytes_sent_ = 0;
  std::int64_t waiting_bytes_ = 0;  // in the output that waits
};
static_assert(sizeof(EchoState) == 64);

// One client's connection, from hand-over to close. Belongs to its worker's
// loop thread.
//
// Bytes come in by an event of the connection's own: one recv into the worker's
// buffer, and the answer straight to the socket. Only what the kernel does not
// take goes into the output that waits, a bufferevent; until that is empty
// again everything is appended there, so order holds. While
// `max_buffered_bytes` of it leave no room for another read, the connection is
// not read, until half of that is left.
//
// It ends by calling `ConnectionContext::on_closed`, as the last thing any of
// its entry points does: from then on it is gone.
class Connection final : private EchoState,
                         public DeadlineWheel::Entry,
                         private WaitingOutput::Observer {
 public:
  // Takes `socket` over: connected and non-blocking. `listener` and its context
  // outlive the connection. It does nothing before Start.
  Connection(WorkerListener& listener, std::uint64_t number,
             std::int64_t generation, UniqueFd socket,
             const SocketAddress& remote);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() override;

  std::uint64_t number() const { return number_; }
  std::int64_t generation() const { return generation_; }
  const WorkerListener& listener() const { return listener_; }
  const SocketAddress& remote() const { return remote_; }

  // Begins to read. May destroy the connection, where its socket cannot be
  // watched.
  void Start();

  // Ends the connection gracefully: everything received by now is answered (a
  // line that is half there is waited for), then come a FIN and a short wait
  // for the peer's. At `deadline` it is cut off. May destroy the connection.
  void Drain(CloseReason reason, MonotonicTime deadline);

  // Ends it with a reset, at once. Destroys the connection.
  void Reset(CloseReason reason);

  // The server stops: ends it at once, and counts it as cut off (kShutdown)
  // unless the peer has everything. Destroys the connection.
  void StopNow();

  // The listener's settings are others now.
  void OnSettingsChanged();

  // A deadline may have come. May destroy the connection.
  void OnDeadline();

  ConnectionInfo Describe(bool with_tcp_info) const;

 private:
  void OnReadable() override;
  void OnOutputTaken(std::int64_t bytes) override;
  void OnOutputLow() override;
  void OnOutputFailed(int error) override;

  void Read();
  void OnEndOfFile();
  void AnswerBytes(absl::string_view bytes);
  void AnswerLines(absl::string_view bytes);
  bool Send(absl::string_view bytes);

  // For echo to wait in, while nothing is held back.
  std::int64_t Room() const;
  void PauseIfFull();
  void Pause();
  void ResumeIfRoom();
  // To begin may end the connection: see FdWatcher::Start.
  void SetReading(bool reading);

  // Moves on to the next state, where nothing holds it back.
  void Proceed();
  void BeginClosing(CloseReason reason);
  // Cuts the connection off for `reason` at `deadline`, unless something does
  // earlier.
  void CutOffAt(MonotonicTime deadline, CloseReason reason);
  void End(CloseReason reason, bool reset);
  // Ends every entry point: hands an ended connection to its owner.
  void Settle();

  void Touch() { last_active_ = context().clock.MonotonicNow(); }
  void ScheduleDeadline();
  bool IsEnding() const;
  // Whether the idle and the stall timeout hold.
  bool IsJudged() const;
  void OnPatienceOver(MonotonicTime now);
  MonotonicTime IdleDeadline() const;
  MonotonicTime StallDeadline() const;
  MonotonicTime AgeDeadline() const;
  MonotonicTime NextDeadline() const;
  // Bytes that the kernel has taken and the peer's has not confirmed. They are
  // lost when a reset is sent, or comes in answer to the peer's late bytes.
  int UnacknowledgedBytes() const;
  // Of what the kernel has taken, what the peer's has confirmed.
  std::int64_t AcknowledgedBytes() const {
    return bytes_sent_ - UnacknowledgedBytes();
  }
  // If the peer has confirmed bytes since somebody last asked, its timeouts
  // begin anew at the last of these.
  void NoteProgress(MonotonicTime now);
  // Whether the peer has sent bytes, or closed, and the loop is about to see
  // it.
  bool LoopIsBehind() const;
  void BeginToWait();
  // System calls of one kind that fail for want of memory.
  struct Shortage {
    MonotonicTime from = MonotonicTime::min();  // each one since has failed
    MonotonicTime last = MonotonicTime::min();
  };
  // One more has failed; one may have succeeded at `success`. Tries again soon,
  // or ends the connection when that has gone on for too long.
  void BackOff(Shortage& shortage, MonotonicTime success);
  void Retry();
  void BeginDraining(CloseReason reason, MonotonicTime deadline);
  // Cuts the connection off, unless the peer has everything. If the process was
  // stopped when the time came, what the peer did meanwhile comes first.
  void OnHardDeadline(MonotonicTime now);
  // Ends it: with a reset for `reason`, unless the peer has everything.
  void CutOff(CloseReason reason);
  // After the FIN: looks what the peer has confirmed, and when to look again.
  void Linger();
  std::int64_t BufferedBytes() const;    // answered or held, and not sent
  std::int64_t UnansweredBytes() const;  // received, and not answered

  ConnectionContext& context() const { return *listener_.context; }
  WorkerStats& stats() { return *listener_.stats; }

  LineCodec codec_;
  std::int64_t lines_echoed_ = 0;
  std::string held_;               // read, and not answered while output waits
  std::int64_t drain_target_ = 0;  // draining: answer so much of the received
  MonotonicTime hard_deadline_ = MonotonicTime::max();  // then it is cut off
  CloseReason cut_off_reason_ = CloseReason::kDrainDeadline;
  bool put_off_ = false;    // the hard deadline, once
  bool confirmed_ = false;  // the peer has everything, and the FIN
  MonotonicTime linger_deadline_ = MonotonicTime::max();  // to look, after FIN
  std::int64_t acknowledged_seen_ = 0;                    // at the last look
  MonotonicTime stall_from_;  // the peer has taken nothing since
  MonotonicTime retry_at_ = MonotonicTime::max();  // after want of memory
  Shortage read_shortage_;
  Shortage write_shortage_;

  // Constant after construction.
  const std::uint64_t number_;
  const std::int64_t generation_;
  const SocketAddress remote_;
  const MonotonicTime created_;

  // Goes first: it uses the socket and tells this object, which outlive it as
  // a base and as what comes before.
  WaitingOutput output_;
};

}  // namespace echod

#endif  // ECHO_SESSION_CONNECTION_H_

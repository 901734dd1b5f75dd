// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SESSION_CONNECTION_H_
#define ECHO_SESSION_CONNECTION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "echo/base/clock.h"
#include "echo/base/socket_address.h"
#include "echo/control/close_reason.h"
#include "echo/control/connection_info.h"
#include "echo/control/listener_settings.h"
#include "echo/control/session_event.h"
#include "echo/event/deadline_wheel.h"
#include "echo/net/transport.h"
#include "echo/protocol/codec.h"
#include "echo/session/connection_context.h"
#include "echo/session/connection_state.h"
#include "echo/session/listener_stats.h"
#include "echo/session/waiting_echoes.h"

namespace echod {

// Why a connection does not read. It reads while there is no reason not to.
enum class ReadStop : std::uint8_t {
  kNotStarted = 1,
  kBackPressure = 2,  // its output has reached the limit
  kEndOfFile = 4,     // the peer has closed its side
  kShortage = 8,      // a read failed for want of memory, and will be retried
};

// The part of a Connection that every echo touches: two cache lines, of which
// one is the transport's. With thousands of connections, each further line is a
// cache miss.
struct alignas(64) EchoState : Transport::Observer {
  EchoState(WorkerListener& from, TransportFactory make_transport);

  TransportPtr transport_;  // set once
  WorkerListener& listener_;
  const CodecPtr codec_;
  MonotonicTime last_active_;
  std::int64_t bytes_received_ = 0;
  std::int64_t bytes_sent_ = 0;
  ConnectionState state_ = ConnectionState::kOpen;
  CloseReason reason_ = CloseReason::kPeerClosed;  // how it will have ended
  std::uint8_t read_stops_ = 0;                    // a set of ReadStop
  TransportSpace space_;

 protected:
  ~EchoState() = default;
};
static_assert(sizeof(EchoState) == 64 + sizeof(TransportSpace));

// One client's connection, from hand-over to close. It reads from its
// transport, lets its codec answer, and writes the answer. Loop thread only.
//
// Back-pressure: a read takes no more than `max_buffered_bytes` leave room to
// answer. When there is little room, the connection stops reading until the
// output has fallen to half of that limit.
//
// How it ends is in connection_state.h. The last thing that each entry point
// does, if the connection has ended, is to tell the context, which destroys it.
class Connection final : private EchoState, public DeadlineWheel::Entry {
 public:
  // One read, and with it what one connection may take of a loop's turn.
  static constexpr std::size_t kReadBytes = 64 * 1024;

  // `listener` and its context outlive the connection, which does nothing
  // before Start.
  Connection(WorkerListener& listener, std::uint64_t number,
             std::int64_t generation, TransportFactory make_transport,
             const SocketAddress& remote);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  std::uint64_t number() const { return number_; }
  std::int64_t generation() const { return generation_; }
  const WorkerListener& listener() const { return listener_; }
  const SocketAddress& remote() const { return remote_; }
  MonotonicTime created() const { return created_; }
  ConnectionState state() const { return state_; }

  // Begins to read. May destroy the connection, if the system cannot watch it.
  void Start();

  // Ends the connection gracefully: everything received so far is answered (a
  // line that has begun may be completed), then a FIN is sent and the peer's
  // awaited. At `deadline` the connection is reset, unless the peer has
  // everything. May destroy the connection.
  void Drain(CloseReason reason, MonotonicTime deadline);

  // Resets the connection. Destroys it.
  void Reset(CloseReason reason);

  // Ends the connection immediately because the server stops. Unless the peer
  // has everything, that is a reset, for kShutdown. Destroys the connection.
  void StopNow();

  // Called after the listener's settings have changed. May destroy the
  // connection.
  void OnSettingsChanged();

  // Called when a deadline may have come. May destroy the connection.
  void OnDeadline();

  ConnectionValues Values() const;
  ConnectionInfo Describe(bool with_tcp_info) const;

 private:
  friend class LiveFields;

  // System calls of one kind that fail for want of memory.
  struct Shortage {
    MonotonicTime from = MonotonicTime::min();  // every one since has failed
    MonotonicTime last = MonotonicTime::min();
  };

  // Transport::Observer.
  void OnReadable() override;
  void OnOutputTaken(std::int64_t bytes) override;
  void OnOutputLow() override;
  void OnOutputFailed(Transport::Failure failure) override;

  // Echo: connection.cc.
  void Read();
  void OnEndOfFile();
  // `read_at` is when `bytes` were read.
  void Answer(absl::string_view bytes, MonotonicTime read_at);
  // The answer to what was read then has been sent, or waits.
  void NoteAnswered(MonotonicTime read_at);
  void RecordLatency(MonotonicTime read_at, MonotonicTime now,
                     std::uint64_t reads);
  WaitingEchoes& Waiting();
  void ForgetWaiting();  // if nothing waits
  // False if the connection has ended.
  bool Send(absl::string_view bytes);
  Codec::Limits LimitsFor(std::int64_t extra_bytes) const;
  void Count(const Codec::Answer& answer);
  std::int64_t Room() const;  // for output to wait in, while nothing is held
  void PauseIfFull();
  void Pause();
  void ResumeIfRoom();
  // Ends the pause, if there is one. May end the connection.
  void Resume();
  void StopReading(ReadStop why);
  // Reads on, unless another reason is left. May end the connection.
  void AllowReading(ReadStop why);
  bool IsStopped(ReadStop why) const {
    return (read_stops_ & static_cast<std::uint8_t>(why)) != 0;
  }
  std::int64_t WaitingBytes() const { return transport_->waiting_bytes(); }
  std::int64_t BufferedBytes() const;    // answered or held, and not sent
  std::int64_t UnansweredBytes() const;  // received, and not answered

  // The end: connection_end.cc.
  bool ended() const { return state_ == ConnectionState::kEnded; }
  void Move(ConnectionEvent event) { state_ = Next(state_, event); }
  void BeginDraining(CloseReason reason, MonotonicTime deadline);
  // A drain begins, and nothing has come yet: lets a connection that is young
  // answer what is under way.
  void AwaitRequest();
  // What the end waits for has not come.
  void OnPeerDeadline();
  // Takes every step that is possible now.
  void Proceed();
  void Flush(ConnectionEvent event, CloseReason reason);
  void SendFin();
  // After the FIN: checks what the peer has confirmed, and when to check again.
  void CheckDelivery();
  // Resets the connection for `reason` at `deadline`, unless something ends it
  // earlier.
  void CutOffAt(MonotonicTime deadline, CloseReason reason);
  // Resets the connection, unless the peer has everything. If the process was
  // not running at the deadline, input that came meanwhile is read first.
  void OnHardDeadline(MonotonicTime now);
  void CutOff(CloseReason reason);
  void End(CloseReason reason, bool reset);
  // Ends every entry point: hands an ended connection to its owner.
  void Settle();

  // Deadlines: connection_deadlines.cc.
  void Touch() { last_active_ = context().clock().MonotonicNow(); }
  void ScheduleDeadline();
  MonotonicTime NextDeadline() const;
  MonotonicTime IdleDeadline() const;
  MonotonicTime StallDeadline() const;
  MonotonicTime AgeDeadline() const;
  // Whether the idle and the stall timeout apply.
  bool IsJudged() const;
  void OnTimeout(MonotonicTime now);
  // Of what the kernel has accepted, what the peer's has confirmed.
  std::int64_t ConfirmedBytes() const {
    return bytes_sent_ - transport_->UnconfirmedBytes();
  }
  // If the peer has confirmed bytes since the last look, its timeouts begin
  // anew at the last confirmation.
  void NoteProgress(MonotonicTime now);
  // Output has begun to wait.
  void BeginToWait();
  // One more call has failed for want of memory; one may have succeeded at
  // `success`. Schedules a retry, or ends the connection if that has gone on
  // for too long.
  void BackOff(Shortage& shortage, MonotonicTime success);
  void Retry();

  ConnectionContext& context() const { return *listener_.context; }
  WorkerStats& stats() { return *listener_.stats; }

  std::int64_t lines_echoed_ = 0;
  std::string held_;  // read, and not answered while output waits
  std::unique_ptr<WaitingEchoes> waiting_;  // null while nothing waits
  std::int64_t drain_target_ = 0;  // kDraining: answer so many of the received
  MonotonicTime hard_deadline_ = MonotonicTime::max();  // for CutOff
  CloseReason cut_off_reason_ = CloseReason::kDrainDeadline;
  bool put_off_ = false;  // the hard deadline, once
  MonotonicTime peer_deadline_ = MonotonicTime::max();  // for OnPeerDeadline
  std::int64_t confirmed_seen_ = 0;                     // at the last look
  MonotonicTime stall_from_;  // the peer has taken nothing since
  MonotonicTime retry_at_ = MonotonicTime::max();  // after a shortage
  Shortage read_shortage_;
  Shortage write_shortage_;

  // Constant after construction.
  const std::uint64_t number_;
  const std::int64_t generation_;
  const SocketAddress remote_;
  const MonotonicTime created_;
};

}  // namespace echod

#endif  // ECHO_SESSION_CONNECTION_H_

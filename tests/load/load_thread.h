// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_LOAD_LOAD_THREAD_H_
#define TESTS_LOAD_LOAD_THREAD_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "echo/base/histogram.h"
#include "echo/base/relaxed_counter.h"
#include "echo/base/unique_fd.h"
#include "tests/load/load_connection.h"
#include "tests/load/load_options.h"
#include "tests/load/script.h"

namespace echod::load {

// The phase of a run. Set by the run's thread, read by the others.
enum class Phase : std::uint8_t {
  kConnecting,
  kMeasuring,
  kEnding,  // no new requests; connections close after their answers
  kEnded,   // connections close immediately
};

// One thread of a load: an epoll loop with its share of the connections.
class LoadThread {
 public:
  // With `connections` of the run's connections, numbered from `first`. All
  // arguments outlive the thread.
  LoadThread(const LoadOptions& options, const Script& script,
             const std::atomic<Phase>& phase, int first, int connections);
  ~LoadThread();
  LoadThread(const LoadThread&) = delete;
  LoadThread& operator=(const LoadThread&) = delete;

  void Start();
  // Notifies the thread that the phase has changed. Thread-safe.
  void WakeUp();
  void Join() { thread_.join(); }
  bool done() const { return done_.load(std::memory_order_acquire); }

  // Thread-safe, while it runs.
  LoadCounts Counts() const;
  // Connections that have been established, or have failed, for the first time.
  std::int64_t settled() const { return settled_.Get(); }
  std::int64_t open() const { return open_.Get(); }
  // The errno of the last connection that was not established.
  int connect_errno() const { return connect_errno_.load(); }

  // After joining: counters, CPU time and latencies of the measured part.
  const LoadCounts& measured_counts() const { return measured_counts_; }
  const Histogram& latencies() const { return latencies_; }
  const std::vector<Histogram>& series() const { return series_; }
  absl::Duration cpu_time() const { return cpu_time_; }
  std::int64_t unanswered() const { return unanswered_; }
  std::int64_t unsent() const { return unsent_; }
  const std::string& unexpected() const { return unexpected_; }

 private:
  using Outcome = LoadConnection::Outcome;
  using Clock = std::uint64_t;  // nanoseconds, steady

  // A connection and its schedule.
  struct Client {
    LoadConnection connection;
    std::int64_t index = 0;  // within the thread
    bool settled = false;
    bool waiting = false;      // for its turn
    bool leaving = false;      // to be closed once it has its answers
    std::int64_t started = 0;  // requests, on all its sockets
    std::int64_t due = 0;      // open loop: requests due so far
  };

  void Run();
  void EnterPhase(Phase phase, Clock now);
  void FinishMeasuring(Clock now);
  void CountUnsent(Clock now);
  void RecordAnswer(Clock latency);
  void CountUnanswered(const Client& client, Clock now);
  int WaitMilliseconds(Clock now) const;
  void OnReady(Client& client, std::uint32_t events);
  void OpenSome(Clock now);
  void StartDue(Clock now);
  void LeaveDue(Clock now);
  void ArmTimer();
  void CheckTimeouts(Clock now);
  // Starts the requests that the client may start now, sends them, and closes
  // the connection if it has completed its share.
  void Advance(Client& client, Clock now);
  bool MayStart(const Client& client) const;
  // With limited outstanding requests: lets the clients that have waited
  // longest start theirs.
  void WaitForTurn(Client& client, Clock now);
  void GiveTurns(Clock now);
  bool IsFull() const { return under_way_ >= most_under_way_; }
  // Whether the client must send no new requests and close.
  bool IsLastOf(const Client& client) const;
  // Open loop: when the thread's request with this number is due.
  Clock DueTime(std::int64_t number) const;
  Clock NextReconnect() const;
  void Settle(Client& client);
  void Fail(Client& client, ErrorKind kind, Clock now);
  void CloseAndReopen(Client& client, Clock not_before);
  bool Done() const;

  // Constant after construction.
  const LoadOptions& options_;
  const Script& script_;
  const std::atomic<Phase>& wanted_phase_;
  const int first_;
  const UniqueFd epoll_;
  const UniqueFd timer_;  // for the open loop and for wake-ups
  const Clock timeout_;
  const std::int64_t most_under_way_;  // requests of this thread
  // Between two events of this thread; 0: no schedule.
  const double nanos_per_request_;  // open loop
  const double nanos_per_reconnect_;

  // Written by this thread, read by any.
  RelaxedCounter requests_;
  RelaxedCounter bytes_sent_;
  RelaxedCounter bytes_received_;
  RelaxedCounter opened_;
  RelaxedCounter open_;
  RelaxedCounter settled_;
  std::array<RelaxedCounter, kErrorKindCount> errors_;
  std::atomic<int> connect_errno_{0};
  std::atomic<bool> done_{false};

  // This thread only, or after joining it.
  Phase phase_ = Phase::kConnecting;
  std::vector<std::unique_ptr<Client>> clients_;
  using Opening = std::pair<Clock, Client*>;  // earliest time, client
  std::priority_queue<Opening, std::vector<Opening>, std::greater<>> to_open_;
  int connecting_ = 0;
  std::int64_t under_way_ = 0;   // requests
  std::deque<Client*> waiting_;  // for their turn
  Clock next_check_ = 0;
  Clock schedule_start_ = 0;         // of the open loop and of reconnecting
  std::int64_t next_scheduled_ = 0;  // open loop: number of the next request
  std::int64_t reconnects_ = 0;      // due so far
  Clock end_by_ = 0;                 // kEnding: when to stop waiting
  std::vector<char> buffer_;
  Histogram latencies_{kLatencyBuckets};
  std::vector<Histogram> series_;
  LoadCounts counts_before_;
  LoadCounts measured_counts_;
  absl::Duration cpu_time_;
  std::int64_t unanswered_ = 0;
  std::int64_t unsent_ = 0;
  std::string unexpected_;  // the first wrong bytes
  std::thread thread_;
};

}  // namespace echod::load

#endif  // TESTS_LOAD_LOAD_THREAD_H_

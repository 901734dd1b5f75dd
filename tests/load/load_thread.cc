// SPDX-License-Identifier: Apache-2.0

#include "tests/load/load_thread.h"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "absl/time/time.h"

namespace echod::load {
namespace {

constexpr std::uint64_t kMilli = 1'000'000;
constexpr std::uint64_t kSecond = 1'000 * kMilli;

// Opening more at a time could overflow a server's accept queue.
constexpr int kMostConnecting = 256;
constexpr std::uint64_t kReopenDelay = 100 * kMilli;  // after a failure
constexpr std::uint64_t kCheckInterval = 100 * kMilli;
constexpr int kLongestWaitMs = 20;
constexpr std::size_t kBufferBytes = 128 * 1024;

std::uint64_t Now() {
  return static_cast<std::uint64_t>(
      std::chrono::steady_clock::now().time_since_epoch() /
      std::chrono::nanoseconds(1));
}

absl::Duration ThreadCpuTime() {
  rusage usage = {};
  getrusage(RUSAGE_THREAD, &usage);
  return absl::DurationFromTimeval(usage.ru_utime) +
         absl::DurationFromTimeval(usage.ru_stime);
}

// The interval between two events of this thread, which has a share of the
// rate.
double NanosBetween(double rate, int connections, int of_all) {
  return rate > 0 ? static_cast<double>(kSecond) * of_all / rate / connections
                  : 0;
}

// A thread's share of the maximum outstanding requests. Shares add up.
std::int64_t MostUnderWay(const LoadOptions& options, int first,
                          int connections) {
  if (options.in_flight == 0) return std::numeric_limits<std::int64_t>::max();
  const auto before = [&](std::int64_t connection) {
    return options.in_flight * connection / options.connections;
  };
  return std::max<std::int64_t>(1, before(first + connections) - before(first));
}

ErrorKind KindOf(LoadConnection::Outcome outcome) {
  switch (outcome) {
    case LoadConnection::Outcome::kConnectFailed:
      return ErrorKind::kConnect;
    case LoadConnection::Outcome::kReset:
      return ErrorKind::kReset;
    case LoadConnection::Outcome::kWrongBytes:
      return ErrorKind::kWrongBytes;
    case LoadConnection::Outcome::kGood:
    case LoadConnection::Outcome::kEnd:
    case LoadConnection::Outcome::kClosedEarly:
      break;
  }
  return ErrorKind::kClosedEarly;
}

}  // namespace

LoadThread::LoadThread(const LoadOptions& options, const Script& script,
                       const std::atomic<Phase>& phase, int first,
                       int connections)
    : options_(options),
      script_(script),
      wanted_phase_(phase),
      first_(first),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      timer_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)),
      timeout_(static_cast<Clock>(absl::ToInt64Nanoseconds(options.timeout))),
      most_under_way_(MostUnderWay(options, first, connections)),
      nanos_per_request_(
          NanosBetween(options.rate, connections, options.connections)),
      nanos_per_reconnect_(NanosBetween(options.reconnect_rate, connections,
                                        options.connections)),
      buffer_(kBufferBytes),
      series_(static_cast<std::size_t>(options.series),
              Histogram(kLatencyBuckets)) {
  epoll_event event = {.events = EPOLLIN, .data = {.ptr = nullptr}};
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, timer_.get(), &event);
  clients_.reserve(static_cast<std::size_t>(connections));
  for (int i = 0; i < connections; ++i) {
    clients_.push_back(std::make_unique<Client>(Client{
        .connection = LoadConnection(script, epoll_.get(),
                                     static_cast<std::uint64_t>(first + i),
                                     options.pipeline),
        .index = i}));
  }
}

LoadThread::~LoadThread() {
  if (thread_.joinable()) thread_.join();
}

void LoadThread::Start() {
  thread_ = std::thread([this] { Run(); });
}

void LoadThread::WakeUp() {
  const itimerspec soon = {.it_interval = {},
                           .it_value = {.tv_sec = 0, .tv_nsec = 1}};
  timerfd_settime(timer_.get(), 0, &soon, nullptr);
}

LoadCounts LoadThread::Counts() const {
  LoadCounts counts;
  counts.requests = requests_.Get();
  counts.bytes_sent = bytes_sent_.Get();
  counts.bytes_received = bytes_received_.Get();
  counts.connections_opened = opened_.Get();
  for (std::size_t i = 0; i < kErrorKindCount; ++i) {
    counts.errors[i] = errors_[i].Get();
  }
  return counts;
}

void LoadThread::Run() {
  const Clock start = Now();
  const double ramp = absl::ToDoubleNanoseconds(options_.ramp);
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    const double part = (static_cast<double>(first_) + static_cast<double>(i)) /
                        options_.connections;
    to_open_.emplace(start + static_cast<Clock>(part * ramp),
                     clients_[i].get());
  }
  std::array<epoll_event, 512> events;
  Clock now = start;
  while (!Done()) {
    const int count = epoll_wait(epoll_.get(), events.data(), events.size(),
                                 WaitMilliseconds(now));
    for (int i = 0; i < count; ++i) {
      if (events[i].data.ptr == nullptr) {  // the timer
        std::uint64_t expirations = 0;
        (void)!read(timer_.get(), &expirations, sizeof expirations);
        continue;
      }
      OnReady(*static_cast<Client*>(events[i].data.ptr), events[i].events);
    }
    now = Now();
    const Phase wanted = wanted_phase_.load(std::memory_order_acquire);
    if (wanted != phase_) EnterPhase(wanted, now);
    if (nanos_per_reconnect_ > 0 && phase_ == Phase::kMeasuring) LeaveDue(now);
    OpenSome(now);
    if (options_.rate > 0 && phase_ == Phase::kMeasuring) StartDue(now);
    GiveTurns(now);  // a failed connection has made room
    if (now >= next_check_) CheckTimeouts(now);
  }
  for (const auto& client : clients_) {
    CountUnanswered(*client, now);
    client->connection.Close();
  }
  done_.store(true, std::memory_order_release);
}

void LoadThread::EnterPhase(Phase phase, Clock now) {
  if (phase_ == Phase::kMeasuring) FinishMeasuring(now);
  phase_ = phase;
  if (phase == Phase::kMeasuring) {
    counts_before_ = Counts();
    latencies_.Clear();
    for (Histogram& each : series_) each.Clear();
    cpu_time_ = ThreadCpuTime();
    schedule_start_ = now;
    return;
  }
  end_by_ = now + timeout_;
  for (const auto& client : clients_) {
    if (client->connection.state() == LoadConnection::State::kConnecting) {
      client->connection.Close();
    } else {
      Advance(*client, now);
    }
  }
}

void LoadThread::FinishMeasuring(Clock now) {
  measured_counts_ = Counts() - counts_before_;
  cpu_time_ = ThreadCpuTime() - cpu_time_;
  if (options_.rate > 0) CountUnsent(now);
}

void LoadThread::CountUnsent(Clock now) {
  const auto clients = static_cast<std::int64_t>(clients_.size());
  for (; DueTime(next_scheduled_) <= now; ++next_scheduled_) {
    ++clients_[static_cast<std::size_t>(next_scheduled_ % clients)]->due;
  }
  for (const auto& client : clients_) {
    for (std::int64_t i = client->started; i < client->due; ++i) {
      latencies_.Record(now - DueTime(i * clients + client->index));
      ++unsent_;
    }
  }
}

void LoadThread::RecordAnswer(Clock latency) {
  latencies_.Record(latency);
  if (series_.empty()) return;
  const int current = options_.current_series->load(std::memory_order_relaxed);
  if (current >= 0) series_[static_cast<std::size_t>(current)].Record(latency);
}

void LoadThread::CountUnanswered(const Client& client, Clock now) {
  unanswered_ += client.connection.in_flight();
  client.connection.ForEachInFlight(
      [&](Clock start) { latencies_.Record(now > start ? now - start : 0); });
}

int LoadThread::WaitMilliseconds(Clock now) const {
  if (phase_ >= Phase::kEnding) return kLongestWaitMs;
  Clock next = now + kLongestWaitMs * kMilli;
  if (!to_open_.empty() && connecting_ < kMostConnecting) {
    next = std::min(next, to_open_.top().first);
  }
  if (nanos_per_reconnect_ > 0 && phase_ == Phase::kMeasuring) {
    next = std::min(next, NextReconnect());
  }
  return static_cast<int>((std::max(next, now) - now + kMilli - 1) / kMilli);
}

void LoadThread::OnReady(Client& client, std::uint32_t events) {
  LoadConnection& connection = client.connection;
  const Clock now = Now();
  if (connection.state() == LoadConnection::State::kConnecting) {
    --connecting_;
    if (connection.FinishConnecting(events, now) != Outcome::kGood) {
      connect_errno_ = connection.error_number();
      Fail(client, ErrorKind::kConnect, now);
      return;
    }
    opened_.Add(1);
    open_.Add(1);
    Settle(client);
  }
  if (connection.state() == LoadConnection::State::kClosed) return;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    std::size_t received = 0;
    const Outcome outcome = connection.Receive(
        events, buffer_, now, received, [&](std::uint64_t start) {
          requests_.Add(1);
          --under_way_;
          RecordAnswer(now > start ? now - start : 0);
        });
    bytes_received_.Add(static_cast<std::int64_t>(received));
    if (outcome == Outcome::kEnd) {
      open_.Add(-1);
      CloseAndReopen(client, now);
      return;
    }
    if (outcome != Outcome::kGood) {
      if (unexpected_.empty()) unexpected_ = connection.unexpected();
      Fail(client, KindOf(outcome), now);
      return;
    }
  }
  if (options_.in_flight > 0 && MayStart(client)) {
    WaitForTurn(client, now);
  } else {
    Advance(client, now);
  }
}

void LoadThread::WaitForTurn(Client& client, Clock now) {
  if (!client.waiting) {
    client.waiting = true;
    waiting_.push_back(&client);
  }
  GiveTurns(now);
}

void LoadThread::GiveTurns(Clock now) {
  while (!IsFull() && !waiting_.empty()) {
    Client& client = *waiting_.front();
    waiting_.pop_front();
    client.waiting = false;
    Advance(client, now);
  }
}

bool LoadThread::IsLastOf(const Client& client) const {
  const std::int64_t most = options_.requests_per_connection;
  return phase_ >= Phase::kEnding || client.leaving ||
         (most > 0 && client.connection.begun() >= most);
}

bool LoadThread::MayStart(const Client& client) const {
  return !IsLastOf(client) && client.connection.MayBegin() &&
         (options_.rate == 0 || client.started < client.due);
}

void LoadThread::Advance(Client& client, Clock now) {
  LoadConnection& connection = client.connection;
  if (connection.state() != LoadConnection::State::kOpen) return;
  const auto clients = static_cast<std::int64_t>(clients_.size());
  while (MayStart(client)) {
    if (IsFull()) {
      WaitForTurn(client, now);
      break;
    }
    ++under_way_;
    // The open loop assigns requests to connections in turn, so the position of
    // a request determines when it should have been sent.
    connection.Begin(options_.rate > 0
                         ? DueTime(client.started * clients + client.index)
                         : now);
    ++client.started;
  }
  std::size_t sent = 0;
  const Outcome outcome = connection.Flush(sent);
  bytes_sent_.Add(static_cast<std::int64_t>(sent));
  if (outcome != Outcome::kGood) {
    Fail(client, KindOf(outcome), now);
    return;
  }
  if (connection.in_flight() == 0 && IsLastOf(client)) connection.Finish(now);
}

LoadThread::Clock LoadThread::DueTime(std::int64_t number) const {
  return schedule_start_ +
         static_cast<Clock>(
             std::llround(static_cast<double>(number) * nanos_per_request_));
}

void LoadThread::StartDue(Clock now) {
  const auto clients = static_cast<std::int64_t>(clients_.size());
  while (DueTime(next_scheduled_) <= now) {
    Client& client =
        *clients_[static_cast<std::size_t>(next_scheduled_ % clients)];
    ++client.due;
    ++next_scheduled_;
    Advance(client, now);
  }
  ArmTimer();
}

LoadThread::Clock LoadThread::NextReconnect() const {
  return schedule_start_ +
         static_cast<Clock>(std::llround(static_cast<double>(reconnects_ + 1) *
                                         nanos_per_reconnect_));
}

void LoadThread::LeaveDue(Clock now) {
  while (NextReconnect() <= now) {
    // A connection that is already reconnecting loses its turn.
    Client& client =
        *clients_[static_cast<std::size_t>(reconnects_++) % clients_.size()];
    if (client.connection.state() != LoadConnection::State::kOpen) continue;
    client.leaving = true;
    Advance(client, now);
  }
}

void LoadThread::ArmTimer() {
  const Clock next = DueTime(next_scheduled_);
  const itimerspec when = {
      .it_interval = {},
      .it_value = {.tv_sec = static_cast<time_t>(next / kSecond),
                   .tv_nsec = static_cast<long>(next % kSecond)}};
  timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

void LoadThread::OpenSome(Clock now) {
  while (phase_ < Phase::kEnding && connecting_ < kMostConnecting &&
         !to_open_.empty() && to_open_.top().first <= now) {
    Client& client = *to_open_.top().second;
    to_open_.pop();
    if (client.connection.Open(options_.server, now) == Outcome::kGood) {
      ++connecting_;
      continue;
    }
    connect_errno_ = client.connection.error_number();
    Fail(client, ErrorKind::kConnect, now);
  }
}

void LoadThread::CheckTimeouts(Clock now) {
  next_check_ = now + kCheckInterval;
  for (const auto& each : clients_) {
    Client& client = *each;
    const LoadConnection& connection = client.connection;
    if (connection.state() == LoadConnection::State::kClosed ||
        (connection.state() == LoadConnection::State::kOpen &&
         connection.in_flight() == 0) ||
        connection.last_progress() + timeout_ > now) {
      continue;
    }
    if (connection.state() == LoadConnection::State::kConnecting) {
      --connecting_;
      Fail(client, ErrorKind::kConnect, now);
    } else {
      Fail(client, ErrorKind::kTimeout, now);
    }
  }
}

void LoadThread::Settle(Client& client) {
  if (client.settled) return;
  client.settled = true;
  settled_.Add(1);
}

void LoadThread::Fail(Client& client, ErrorKind kind, Clock now) {
  errors_[static_cast<std::size_t>(kind)].Add(1);
  if (kind != ErrorKind::kConnect) open_.Add(-1);
  CountUnanswered(client, now);
  Settle(client);
  CloseAndReopen(client, now + kReopenDelay);
}

void LoadThread::CloseAndReopen(Client& client, Clock not_before) {
  under_way_ -= client.connection.in_flight();
  client.connection.Close();
  client.leaving = false;
  if (phase_ < Phase::kEnding) to_open_.emplace(not_before, &client);
}

bool LoadThread::Done() const {
  if (phase_ < Phase::kEnding) return false;
  return phase_ == Phase::kEnded || open_.Get() == 0 || Now() >= end_by_;
}

}  // namespace echod::load

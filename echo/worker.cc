#include "echo/worker.h"

#include <pthread.h>

#include <algorithm>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "echo/base/check.h"
#include "echo/base/logging.h"
#include "echo/base/resource_error.h"

namespace echod {
namespace {

// Connections that an operator's request may look at in one turn of the loop.
constexpr std::size_t kBatch = 128;

// How often a sweep that is spread over time goes on.
constexpr absl::Duration kSweepInterval = absl::Milliseconds(20);

}  // namespace

absl::StatusOr<std::unique_ptr<Worker>> Worker::Create(int index,
                                                       Clock& clock) {
  absl::StatusOr<std::unique_ptr<EventLoop>> loop = EventLoop::Create();
  if (!loop.ok()) return loop.status();
  return std::unique_ptr<Worker>(
      new Worker(index, clock, *std::move(loop), nullptr));
}

Worker::Worker(int index, Clock& clock, EventLoop& loop)
    : Worker(index, clock, nullptr, &loop) {}

Worker::Worker(int index, Clock& clock, std::unique_ptr<EventLoop> own,
               EventLoop* loop)
    : index_(index),
      clock_(clock),
      own_loop_(std::move(own)),
      loop_(loop != nullptr ? *loop : *own_loop_),
      context_(loop_, clock, index,
               [this](Connection& connection, CloseReason reason) {
                 OnClosed(connection, reason);
               }),
      sweep_timer_(loop_, [this] { ContinueSweeps(); }) {}

Worker::~Worker() {
  if (!thread_.joinable()) return;
  Stop();
  Join();
}

absl::Status Worker::Start(absl::AnyInvocable<void(absl::Status)> on_failed) {
  if (own_loop_ == nullptr) return absl::OkStatus();
  on_failed_ = std::move(on_failed);
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (const std::system_error& error) {
    return ResourceError("start a worker thread", error.code().value());
  }
  return absl::OkStatus();
}

void Worker::Run() {
  pthread_setname_np(pthread_self(), absl::StrCat("worker-", index_).c_str());
  absl::Status ended = loop_.Run();
  if (ended.ok()) return;
  failed_.store(true, std::memory_order_relaxed);
  CloseAll();
  loop_.FinishDeferredFrees();
  on_failed_(std::move(ended));
}

void Worker::Stop() {
  if (own_loop_ == nullptr) {
    CloseAll();
    return;
  }
  Post([](Worker& self) {
    self.CloseAll();
    self.loop_.Stop();
  });
}

void Worker::CloseAll() {
  ECHOD_DCHECK(loop_.InLoopThread());
  stopped_ = true;
  sweep_timer_.Disarm();
  sweeps_.clear();
  on_empty_ = nullptr;
  while (!connections_.empty()) {
    connections_.begin()->second->Reset(CloseReason::kShutdown);
  }
}

void Worker::Join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::Post(absl::AnyInvocable<void(Worker&)> task) {
  loop_.Post([this, task = std::move(task)]() mutable {
    if (!stopped_) task(*this);
  });
}

void Worker::HandOver(std::vector<AcceptedSocket> accepted) {
  Post([accepted = std::move(accepted)](Worker& self) mutable {
    for (AcceptedSocket& each : accepted) self.Adopt(std::move(each));
  });
}

void Worker::AddListener(const std::string& id,
                         const ListenerSettings& settings,
                         std::shared_ptr<ListenerStats> stats) {
  ECHOD_DCHECK(loop_.InLoopThread());
  WorkerStats& share = stats->worker(index_);
  listeners_[id] = std::make_unique<WorkerListener>(
      WorkerListener{.id = id,
                     .settings = settings,
                     .all_stats = std::move(stats),
                     .stats = &share,
                     .context = &context_});
}

void Worker::SetListenerSettings(const std::string& id,
                                 const ListenerSettings& settings) {
  ECHOD_DCHECK(loop_.InLoopThread());
  WorkerListener& listener = *listeners_.at(id);
  listener.settings = settings;
  Sweep(
      [&](const Connection& connection) {
        return &connection.listener() == &listener;
      },
      absl::ZeroDuration(),
      [](Connection& connection) { connection.OnSettingsChanged(); });
}

void Worker::Adopt(AcceptedSocket accepted) {
  ECHOD_DCHECK(loop_.InLoopThread());
  WorkerListener& listener = *listeners_.at(accepted.listener_id);
  const std::uint64_t number = accepted.number;
  if (LogsDebug()) {
    LogDebug(absl::StrCat("connection ", number, " opened by ",
                          accepted.remote.ToString(), " on listener ",
                          accepted.listener_id));
  }
  // Numbers grow, so the place is at the end.
  const auto place = connections_.emplace_hint(
      connections_.end(), number,
      std::make_unique<Connection>(listener, number, accepted.generation,
                                   std::move(accepted.socket),
                                   accepted.remote));
  place->second->Start();
  if (!drain_deadline_.has_value()) return;
  if (Connection* const connection = Find(number)) {
    connection->Drain(CloseReason::kDrained, *drain_deadline_);
  }
}

void Worker::Drain(MonotonicTime deadline) {
  ECHOD_DCHECK(loop_.InLoopThread());
  drain_deadline_ = deadline;
  Sweep([](const Connection&) { return true; }, absl::ZeroDuration(),
        [deadline](Connection& connection) {
          connection.Drain(CloseReason::kDrained, deadline);
        });
}

Connection* Worker::Find(std::uint64_t number) {
  ECHOD_DCHECK(loop_.InLoopThread());
  const auto found = connections_.find(number);
  return found == connections_.end() ? nullptr : found->second.get();
}

void Worker::OnClosed(Connection& connection, CloseReason reason) {
  ECHOD_DCHECK(loop_.InLoopThread());
  const WorkerListener& listener = connection.listener();
  listener.stats->closed[static_cast<std::size_t>(reason)].Add(1);
  if (LogsDebug()) {
    LogDebug(absl::StrCat("connection ", connection.number(),
                          " closed: ", CloseReasonName(reason)));
  }
  listener.all_stats->open_by_address.Remove(connection.remote());
  connections_.erase(connection.number());
  listener.all_stats->open_connections.fetch_sub(1, std::memory_order_relaxed);
  load_.fetch_sub(1, std::memory_order_relaxed);
  if (connections_.empty() && on_empty_) {
    std::exchange(on_empty_, nullptr)();
  }
}

void Worker::NotifyWhenEmpty(absl::AnyInvocable<void()> callback) {
  ECHOD_DCHECK(loop_.InLoopThread());
  if (connections_.empty()) {
    callback();
  } else {
    on_empty_ = std::move(callback);
  }
}

void Worker::Sweep(absl::FunctionRef<bool(const Connection&)> select,
                   absl::Duration spread,
                   std::function<void(Connection&)> visit) {
  ECHOD_DCHECK(loop_.InLoopThread());
  SweepInProgress sweep;
  for (const auto& [number, connection] : connections_) {
    if (select(*connection)) sweep.numbers.push_back(number);
  }
  sweep.start = clock_.MonotonicNow();
  sweep.spread = spread;
  sweep.visit = std::move(visit);
  sweeps_.push_back(std::move(sweep));
  sweep_timer_.Arm(absl::ZeroDuration());
}

std::size_t Worker::DueBy(const SweepInProgress& sweep,
                          MonotonicTime now) const {
  const absl::Duration elapsed = absl::FromChrono(now - sweep.start);
  if (elapsed >= sweep.spread) return sweep.numbers.size();
  const double part = absl::FDivDuration(elapsed, sweep.spread);
  return static_cast<std::size_t>(part *
                                  static_cast<double>(sweep.numbers.size()));
}

void Worker::ContinueSweeps() {
  const MonotonicTime now = clock_.MonotonicNow();
  std::size_t budget = kBatch;
  for (SweepInProgress& sweep : sweeps_) {
    const std::size_t due = DueBy(sweep, now);
    for (; sweep.next < due && budget > 0; ++sweep.next, --budget) {
      if (Connection* const connection = Find(sweep.numbers[sweep.next])) {
        sweep.visit(*connection);
      }
    }
  }
  std::erase_if(sweeps_, [](const SweepInProgress& sweep) {
    return sweep.next == sweep.numbers.size();
  });
  if (sweeps_.empty()) return;
  sweep_timer_.Arm(budget == 0 ? absl::ZeroDuration() : kSweepInterval);
}

void Worker::List(ConnectionQuery query,
                  absl::AnyInvocable<void(std::vector<ConnectionInfo>)> done) {
  ECHOD_DCHECK(loop_.InLoopThread());
  ContinueList({.query = query, .found = {}, .done = std::move(done)});
}

void Worker::ContinueList(ListInProgress list) {
  ConnectionQuery& query = list.query;
  auto it = connections_.upper_bound(query.after);
  for (std::size_t i = 0; i < kBatch && query.limit > 0; ++i, ++it) {
    if (it == connections_.end()) {
      query.limit = 0;
      break;
    }
    list.found.push_back(it->second->Describe(query.with_tcp_info));
    query.after = it->first;
    --query.limit;
  }
  if (query.limit == 0) {
    list.done(std::move(list.found));
    return;
  }
  Post([list = std::move(list)](Worker& self) mutable {
    self.ContinueList(std::move(list));
  });
}

}  // namespace echod

// SPDX-License-Identifier: Apache-2.0

#include "echo/server/worker.h"

#include <pthread.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "echo/base/check.h"
#include "echo/base/resource_error.h"
#include "echo/net/plain_transport.h"
#include "echo/net/reset_on_close.h"

namespace echod {

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
      context_(loop_, clock, index, {&counters_, &log_, &events_},
               [this](Connection& connection) { OnEnded(connection); }),
      jobs_(loop_),
      lag_(loop_, [this] { return !connections_.empty(); }) {}

Worker::~Worker() {
  if (!thread_.joinable()) return;
  Stop();
  Join();
}

absl::Status Worker::Start(absl::AnyInvocable<void(absl::Status)> on_failed) {
  absl::Status begun = lag_.Begin();
  if (!begun.ok() || own_loop_ == nullptr) return begun;
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
  jobs_.Stop();
  spread_sweeps_.clear();
  on_empty_ = nullptr;
  // All of them in one turn: the loop serves nothing else any more.
  while (!connections_.empty()) {
    connections_.begin()->second->StopNow();
  }
}

void Worker::Join() {
  if (thread_.joinable()) thread_.join();
  jobs_.Stop();  // of a worker that has never run
}

void Worker::Post(absl::AnyInvocable<void(Worker&)> task) {
  loop_.Post([this, task = std::move(task)]() mutable {
    if (!stopped_) task(*this);
  });
}

void Worker::Serve(OperatorJobs::Cost cost,
                   absl::AnyInvocable<void(Worker&)> task) {
  jobs_.Add([this, cost, task = std::move(task)](Budget& budget) mutable {
    task(*this);
    budget.Spend(cost);
    return Progress::kDone;
  });
}

// Sockets on their way to a worker.
struct Worker::HandedOver {
  Worker* worker;
  std::vector<AcceptedSocket> sockets;

  HandedOver(Worker* to, std::vector<AcceptedSocket> accepted)
      : worker(to), sockets(std::move(accepted)) {}
  HandedOver(HandedOver&&) = default;
  HandedOver& operator=(HandedOver&&) = delete;
  ~HandedOver() {
    for (const AcceptedSocket& dropped : sockets) {
      ResetOnClose(dropped.socket.get());
      worker->Uncount(*dropped.stats, dropped.remote, dropped.generation);
    }
  }
};

void Worker::HandOver(std::vector<AcceptedSocket> accepted) {
  auto next = accepted.begin();
  while (next != accepted.end()) {
    const auto end =
        next + std::min<std::ptrdiff_t>(kAdoptedAtOnce, accepted.end() - next);
    Post([batch = HandedOver(this, {std::make_move_iterator(next),
                                    std::make_move_iterator(end)})](
             Worker& self) mutable {
      for (AcceptedSocket& each : std::exchange(batch.sockets, {})) {
        self.Adopt(std::move(each));
      }
    });
    next = end;
  }
}

void Worker::AddListener(ListenerHandle handle, const std::string& id,
                         const ListenerSettings& settings,
                         std::shared_ptr<ListenerStats> stats) {
  ECHOD_DCHECK(loop_.InLoopThread());
  auto share = std::make_unique<ListenerShare>();
  WorkerStats& worker_stats = stats->worker(index_);
  share->listener = {.handle = handle,
                     .id = id,
                     .settings = settings,
                     .all_stats = std::move(stats),
                     .stats = &worker_stats,
                     .context = &context_};
  listeners_[handle] = std::move(share);
}

Worker::ListenerShare& Worker::ShareOf(ListenerHandle handle) {
  // A handle has been added before anything else names it, and is named by
  // nothing but its connections once it has been removed.
  const auto found = listeners_.find(handle);
  ECHOD_CHECK(found != listeners_.end());
  return *found->second;
}

void Worker::SetListenerSettings(ListenerHandle handle,
                                 const ListenerSettings& settings,
                                 absl::AnyInvocable<void()> done) {
  ECHOD_DCHECK(loop_.InLoopThread());
  ShareOf(handle).listener.settings = settings;
  Start(
      {.select =
           [handle](const Connection& connection) {
             return connection.listener().handle == handle;
           },
       .cost = OperatorJobs::kNewSettings,
       .visit = [](Connection& connection) { connection.OnSettingsChanged(); },
       .done = std::move(done)});
}

void Worker::RemoveListener(ListenerHandle handle,
                            absl::AnyInvocable<void()> done) {
  ECHOD_DCHECK(loop_.InLoopThread());
  ListenerShare& share = ShareOf(handle);
  share.removed = true;
  share.on_gone = std::move(done);
  ForgetIfGone(handle);
}

void Worker::ForgetIfGone(ListenerHandle handle) {
  ListenerShare& share = ShareOf(handle);
  if (!share.removed || share.connections > 0) return;
  absl::AnyInvocable<void()> on_gone = std::move(share.on_gone);
  listeners_.erase(handle);
  on_gone();
}

void Worker::Adopt(AcceptedSocket accepted) {
  ECHOD_DCHECK(loop_.InLoopThread());
  ListenerShare& share = ShareOf(accepted.listener);
  const std::uint64_t number = accepted.number;
  lag_.Resume();
  ++share.connections;
  // Numbers grow, so the place is at the end.
  const auto place = connections_.emplace_hint(
      connections_.end(), number,
      std::make_unique<Connection>(
          share.listener, number, accepted.generation,
          [&](TransportSpace& space) {
            return PlainTransport::In(space, loop_, std::move(accepted.socket),
                                      accepted.remote.is_unix()
                                          ? PlainTransport::Kind::kUnix
                                          : PlainTransport::Kind::kTcp);
          },
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
  Start({.select = [](const Connection&) { return true; },
         .cost = OperatorJobs::kEndConnection,
         .visit =
             [deadline](Connection& connection) {
               connection.Drain(CloseReason::kDrained, deadline);
             },
         .done = nullptr});
}

Connection* Worker::Find(std::uint64_t number) {
  ECHOD_DCHECK(loop_.InLoopThread());
  const auto found = connections_.find(number);
  return found == connections_.end() ? nullptr : found->second.get();
}

void Worker::OnEnded(Connection& connection) {
  ECHOD_DCHECK(loop_.InLoopThread());
  const WorkerListener& listener = connection.listener();
  for (SweepInProgress* const sweep : spread_sweeps_) {
    const std::uint64_t number = connection.number();
    const bool counted =
        sweep->counting ? number <= sweep->after : number > sweep->after;
    if (counted && number <= sweep->last && sweep->sweep.select(connection)) {
      --sweep->left;
    }
  }
  const SocketAddress remote = connection.remote();
  const std::int64_t generation = connection.generation();
  connections_.erase(connection.number());
  Uncount(*listener.all_stats, remote, generation);
  const ListenerHandle handle = listener.handle;
  --ShareOf(handle).connections;
  ForgetIfGone(handle);
  if (connections_.empty() && on_empty_) {
    std::exchange(on_empty_, nullptr)();
  }
}

void Worker::Uncount(ListenerStats& stats, const SocketAddress& remote,
                     std::int64_t generation) {
  stats.open_by_generation.Remove(generation);
  stats.open_by_address.Remove(remote);
  stats.open_connections.fetch_sub(1, std::memory_order_relaxed);
  load_.fetch_sub(1, std::memory_order_relaxed);
}

void Worker::NotifyWhenEmpty(absl::AnyInvocable<void()> callback) {
  ECHOD_DCHECK(loop_.InLoopThread());
  if (connections_.empty()) {
    callback();
  } else {
    on_empty_ = std::move(callback);
  }
}

void Worker::Start(Sweep sweep) {
  ECHOD_DCHECK(loop_.InLoopThread());
  if (connections_.empty()) {
    if (sweep.done) sweep.done();
    return;
  }
  auto progress = std::make_unique<SweepInProgress>(
      SweepInProgress{.sweep = std::move(sweep),
                      .start = clock_.MonotonicNow(),
                      .last = connections_.rbegin()->first});
  if (progress->sweep.spread > absl::ZeroDuration()) {
    progress->counting = true;
    spread_sweeps_.push_back(progress.get());
  }
  const bool only_reads = progress->sweep.only_reads;
  OperatorJobs::Job job = [this,
                           progress = std::move(progress)](Budget& budget) {
    const Progress reached = Continue(*progress, budget);
    if (reached != Progress::kDone) return reached;
    std::erase(spread_sweeps_, progress.get());
    if (progress->sweep.done) progress->sweep.done();
    return reached;
  };
  if (only_reads) {
    jobs_.AddWalk(std::move(job));
  } else {
    jobs_.Add(std::move(job));
  }
}

Worker::Progress Worker::Continue(SweepInProgress& sweep, Budget& budget) {
  if (IsAbandoned(sweep.sweep.abandonment)) return Progress::kDone;
  const bool spread = sweep.sweep.spread > absl::ZeroDuration();
  if (sweep.counting && !Count(sweep, budget)) return Progress::kMore;
  auto it = connections_.upper_bound(sweep.after);
  while (!budget.exhausted()) {
    if (it == connections_.end() || it->first > sweep.last) {
      return Progress::kDone;
    }
    if (spread && sweep.left == 0) return Progress::kDone;
    if (spread && sweep.selected - sweep.left >= Due(sweep)) {
      return Progress::kLater;
    }
    Connection& connection = *it->second;
    sweep.after = connection.number();
    budget.Spend(sweep.sweep.select_cost);
    if (!sweep.sweep.select(connection)) {
      ++it;
      continue;
    }
    --sweep.left;
    sweep.sweep.visit(connection);
    budget.Spend(sweep.sweep.cost);
    it = connections_.upper_bound(sweep.after);
  }
  return Progress::kMore;
}

bool Worker::Count(SweepInProgress& sweep, Budget& budget) {
  auto it = connections_.upper_bound(sweep.after);
  for (; it != connections_.end() && it->first <= sweep.last; ++it) {
    if (budget.exhausted()) return false;
    budget.Spend(sweep.sweep.select_cost);
    sweep.after = it->first;
    if (sweep.sweep.select(*it->second)) {
      ++sweep.selected;
      ++sweep.left;
    }
  }
  sweep.counting = false;
  sweep.after = 0;
  return true;
}

std::int64_t Worker::Due(const SweepInProgress& sweep) const {
  const absl::Duration elapsed =
      absl::FromChrono(clock_.MonotonicNow() - sweep.start);
  if (elapsed >= sweep.sweep.spread) return sweep.selected;
  const double part = absl::FDivDuration(elapsed, sweep.sweep.spread);
  return static_cast<std::int64_t>(part * static_cast<double>(sweep.selected));
}

void Worker::List(const ConnectionQuery& query,
                  absl::AnyInvocable<void(ConnectionPart)> done) {
  jobs_.AddWalk([this, walk = ListWalk(query),
                 done = std::move(done)](Budget& budget) mutable {
    if (!walk.Continue(connections_, clock_.MonotonicNow(), budget)) {
      return Progress::kMore;
    }
    done(walk.TakePart());
    budget.Spend(OperatorJobs::kAnswerList);
    return Progress::kDone;
  });
}

}  // namespace echod

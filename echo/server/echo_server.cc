// SPDX-License-Identifier: Apache-2.0

#include "echo/server/echo_server.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "echo/base/check.h"
#include "echo/base/logging.h"
#include "echo/control/control_error.h"
#include "echo/event/post_at_end.h"

namespace echod {
namespace {

// How many requests of operators may wait for their answers. One takes less
// than a kilobyte while it waits.
constexpr int kMostRequests = 4096;

// How many drains may be spread over time, all at once: each looks at every
// connection that ends.
constexpr std::size_t kMostSpreadDrains = 32;

absl::Status ListenerNotFound(const std::string& id) {
  return ControlError(
      absl::StatusCode::kNotFound,
      absl::StrCat("there is no listener '", id, "'"),
      {.reason = "LISTENER_NOT_FOUND", .field = "", .errno_name = ""});
}

absl::Status TooManyDrains() {
  return ControlError(
      absl::StatusCode::kResourceExhausted,
      absl::StrCat("there are ", kMostSpreadDrains,
                   " drains already that are spread over time; wait until one "
                   "has ended, or drain without a spread"),
      {.reason = "TOO_MANY_DRAINS", .field = "", .errno_name = ""});
}

}  // namespace

EchoServer::EchoServer(EventLoop& main_loop, Clock& clock,
                       EchoServerOptions options)
    : main_loop_(main_loop),
      clock_(clock),
      options_(std::move(options)),
      start_time_(clock.WallNow()),
      started_(clock.MonotonicNow()),
      published_(std::make_shared<PublishedListeners>()),
      accepted_(static_cast<std::size_t>(options_.worker_count)),
      connections_(workers_),
      requests_(kMostRequests),
      grace_timer_(main_loop, [this] { CloseListeners(); }),
      drain_timer_(main_loop, [this] { DrainConnections(); }),
      deadline_timer_(main_loop, [this] { StopNow(); }) {}

EchoServer::~EchoServer() {
  // What they answer when they die may still ask another.
  for (const auto& worker : workers_) worker->Stop();
  for (const auto& worker : workers_) worker->Join();
}

absl::Status EchoServer::Start() {
  ECHOD_DCHECK(main_loop_.InLoopThread());
  if (absl::Status started = StartWorkers(); !started.ok()) {
    workers_.clear();
    return started;
  }
  const std::string& id = options_.listener_id;
  auto stats = std::make_shared<ListenerStats>(options_.worker_count);
  absl::StatusOr<std::unique_ptr<Listener>> listener = Listener::Open(
      main_loop_, clock_, id, options_.listen_address, options_.settings, stats,
      {.has_room = [this] { return HasRoom(); },
       .on_accept =
           [this](Listener& from, Listener::Accepted accepted) {
             OnAccept(from, std::move(accepted));
           },
       .on_accepted_all = [this] { HandOver(); }});
  if (!listener.ok()) {
    workers_.clear();
    return listener.status();
  }
  for (const auto& worker : workers_) {
    // At once where it is on this loop: it gets sockets without a closure, and
    // the first may be there before a closure's turn comes.
    if (worker->index() == 0) {
      worker->AddListener(id, options_.settings, stats);
      continue;
    }
    worker->Post([id, settings = options_.settings, stats](Worker& self) {
      self.AddListener(id, settings, stats);
    });
  }
  listeners_[id] = *std::move(listener);
  Publish();
  state_ = State::kServing;
  return absl::OkStatus();
}

absl::Status EchoServer::StartWorkers() {
  // The first is on the main loop, so that a connection which stays there is
  // handed to nobody.
  workers_.push_back(std::make_unique<Worker>(0, clock_, main_loop_));
  for (int i = 1; i < options_.worker_count; ++i) {
    absl::StatusOr<std::unique_ptr<Worker>> worker = Worker::Create(i, clock_);
    if (!worker.ok()) return worker.status();
    workers_.push_back(*std::move(worker));
  }
  for (const auto& worker : workers_) {
    const int index = worker->index();
    absl::Status started = worker->Start([this, index](absl::Status failure) {
      main_loop_.Post([this, index, failure = std::move(failure)] {
        OnWorkerFailed(index, failure);
      });
    });
    if (!started.ok()) return started;
  }
  return absl::OkStatus();
}

bool EchoServer::HasRoom() const {
  if (options_.max_total_connections == 0) return true;
  std::int64_t open = 0;
  for (const auto& [id, listener] : listeners_) {
    open += listener->stats()->open_connections.load(std::memory_order_relaxed);
  }
  return open < options_.max_total_connections;
}

void EchoServer::OnAccept(Listener& listener, Listener::Accepted accepted) {
  const std::size_t worker = LeastLoadedWorker();
  AcceptedSocket socket = {.listener_id = listener.id(),
                           .socket = std::move(accepted.socket),
                           .remote = accepted.remote,
                           .number = next_number_++,
                           .generation = accepted.generation};
  workers_[worker]->AddLoad();
  if (worker == 0) {
    workers_[0]->Adopt(std::move(socket));
  } else {
    accepted_[worker].push_back(std::move(socket));
  }
}

void EchoServer::HandOver() {
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (accepted_[i].empty()) continue;
    workers_[i]->HandOver(std::exchange(accepted_[i], {}));
  }
}

std::size_t EchoServer::LeastLoadedWorker() {
  // Of equals it is the first worker, to which the way is the shortest; the
  // others take turns.
  next_worker_ = (next_worker_ + 1) % workers_.size();
  std::size_t least = 0;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    const std::size_t other = (next_worker_ + i) % workers_.size();
    if (workers_[other]->failed()) continue;
    if (workers_[other]->load() < workers_[least]->load()) least = other;
  }
  return least;
}

void EchoServer::Publish() {
  auto published = std::make_shared<PublishedListeners>();
  for (const auto& [id, listener] : listeners_) {
    (*published)[id] = {.info = listener->Describe(),
                        .stats = listener->stats()};
  }
  MutexLock lock(mutex_);
  published_ = std::move(published);
}

std::shared_ptr<const EchoServer::PublishedListeners> EchoServer::Published()
    const {
  MutexLock lock(mutex_);
  return published_;
}

ServerInfo EchoServer::GetServer() const {
  return {.start_time = start_time_,
          .state = state_.load(),
          .worker_count = options_.worker_count};
}

Stats EchoServer::GetStats() const {
  Stats stats;
  stats.time = clock_.WallNow();
  stats.uptime = absl::FromChrono(clock_.MonotonicNow() - started_);
  stats.log_lines_dropped = DroppedLogLines();
  stats.workers.resize(workers_.size());
  const auto published = Published();
  for (const auto& [id, listener] : *published) {
    const Counters total = listener.stats->Total();
    stats.listeners[id] = total;
    stats.total += total;
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      stats.workers[i] += listener.stats->worker(static_cast<int>(i)).Read();
    }
  }
  return stats;
}

std::vector<ListenerInfo> EchoServer::ListListeners() const {
  std::vector<ListenerInfo> infos;
  const auto published = Published();
  for (const auto& [id, listener] : *published) {
    infos.push_back(listener.info);
    infos.back().active_connections =
        listener.stats->open_connections.load(std::memory_order_relaxed);
  }
  return infos;
}

absl::StatusOr<ListenerInfo> EchoServer::GetListener(
    const std::string& id) const {
  for (ListenerInfo& info : ListListeners()) {
    if (info.id == id) return std::move(info);
  }
  return ListenerNotFound(id);
}

void EchoServer::UpdateListener(ListenerUpdate update,
                                Reply<ListenerInfo> reply) {
  std::optional<Reply<ListenerInfo>> admitted =
      requests_.Admit(std::move(reply));
  if (!admitted.has_value()) return;
  // The first worker's loop is the main loop.
  workers_[0]->Serve(
      OperatorJobs::kUpdateListener,
      [this, update = std::move(update), owed = *std::move(admitted)](
          Worker&) mutable { UpdateOnLoop(update, std::move(owed)); });
}

void EchoServer::UpdateOnLoop(const ListenerUpdate& update,
                              Reply<ListenerInfo> reply) {
  const auto found = listeners_.find(update.id);
  if (found == listeners_.end()) return reply(ListenerNotFound(update.id));
  if (state_ != State::kServing) return reply(ServerDrainingError());
  Listener& listener = *found->second;
  absl::StatusOr<Listener::Plan> plan = listener.Prepare(update);
  if (!plan.ok()) return reply(std::move(plan).status());
  const bool new_socket = plan->new_socket;
  const bool new_settings = plan->settings != listener.settings();
  // What ends at once ends before the answer, what is spread does not.
  std::shared_ptr<void> spread_drain;
  if (new_socket && update.drain.mode != DrainPolicy::Mode::kKeep &&
      update.drain.spread > absl::ZeroDuration()) {
    spread_drain = BeginSpreadDrain();
    if (spread_drain == nullptr) return reply(TooManyDrains());
  }
  if (update.validate_only) {
    absl::Status possible = listener.CheckSocket(*plan);
    if (!possible.ok()) return reply(std::move(possible));
    return reply(listener.Preview(*plan));
  }
  if (absl::Status opened = listener.OpenSocket(*plan); !opened.ok()) {
    return reply(std::move(opened));
  }

  // Held by everybody who has a part in the change; the last one answers.
  auto all_done = std::make_shared<PostAtEnd>(
      main_loop_, [this, id = update.id, reply = std::move(reply)]() mutable {
        const auto changed = listeners_.find(id);
        reply(changed == listeners_.end()
                  ? absl::StatusOr<ListenerInfo>(ServerDrainingError())
                  : changed->second->Describe());
      });
  const std::shared_ptr<void> until_ended =
      spread_drain != nullptr ? spread_drain : all_done;
  const std::string before = listener.bound_address().ToString();
  listener.Apply(
      *std::move(plan), [this, &listener, new_socket, drain = update.drain,
                         generation = listener.generation() + 1, all_done,
                         until_ended]() mutable {
        // Those whose handshake was under way have come since.
        if (new_socket) {
          EndOldGenerations(listener, generation, drain, until_ended);
        }
        all_done.reset();
      });
  if (new_settings) {
    LogInfo(absl::StrCat("listener ", listener.id(), " has other settings"));
    for (const auto& worker : workers_) {
      worker->Post([id = listener.id(), settings = listener.settings(),
                    all_done](Worker& self) mutable {
        self.SetListenerSettings(id, settings,
                                 [all_done = std::move(all_done)] {});
      });
    }
  }
  if (new_socket) {
    LogInfo(absl::StrCat("listener ", listener.id(), " moves from ", before,
                         " to ", listener.bound_address().ToString()));
    EndOldGenerations(listener, listener.generation(), update.drain,
                      until_ended);
  }
  Publish();
  if (new_socket && options_.on_listeners_changed) {
    options_.on_listeners_changed(all_done);
  }
}

std::shared_ptr<void> EchoServer::BeginSpreadDrain() {
  std::erase_if(spread_drains_,
                [](const std::weak_ptr<void>& each) { return each.expired(); });
  if (spread_drains_.size() >= kMostSpreadDrains) return nullptr;
  auto drain = std::make_shared<char>();
  spread_drains_.push_back(drain);
  return drain;
}

void EchoServer::EndOldGenerations(const Listener& listener,
                                   std::int64_t generation,
                                   const DrainPolicy& drain,
                                   std::shared_ptr<void> until_done) {
  if (drain.mode == DrainPolicy::Mode::kKeep) return;
  for (const auto& worker : workers_) {
    worker->Post([this, drain, id = listener.id(), generation, until_done,
                  timeout = drain.timeout.value_or(options_.drain_timeout)](
                     Worker& self) mutable {
      self.Start({.select =
                      [id, generation](const Connection& connection) {
                        return connection.listener().id == id &&
                               connection.generation() < generation;
                      },
                  .spread = drain.spread,
                  .cost = OperatorJobs::kEndConnection,
                  .visit =
                      [this, drain, timeout](Connection& connection) {
                        if (drain.mode == DrainPolicy::Mode::kReset) {
                          connection.Reset(CloseReason::kAdminReset);
                        } else {
                          connection.Drain(CloseReason::kDrained,
                                           TimeAfter(clock_, timeout));
                        }
                      },
                  .done = [until_done = std::move(until_done)] {}});
    });
  }
}

void EchoServer::ListConnections(ConnectionQuery query,
                                 Reply<ConnectionPage> reply) {
  std::optional<Reply<ConnectionPage>> admitted =
      requests_.Admit(std::move(reply));
  if (admitted.has_value()) connections_.List(query, *std::move(admitted));
}

void EchoServer::GetConnection(std::uint64_t number,
                               Reply<ConnectionInfo> reply) {
  std::optional<Reply<ConnectionInfo>> admitted =
      requests_.Admit(std::move(reply));
  if (!admitted.has_value()) return;
  connections_.Visit(
      number,
      [](Connection& connection) {
        return connection.Describe(/*with_tcp_info=*/true);
      },
      *std::move(admitted));
}

void EchoServer::CloseConnection(std::uint64_t number, CloseMode mode,
                                 Reply<ConnectionInfo> reply) {
  std::optional<Reply<ConnectionInfo>> admitted =
      requests_.Admit(std::move(reply));
  if (!admitted.has_value()) return;
  connections_.Visit(
      number,
      [this, mode](Connection& connection) {
        ConnectionInfo info = connection.Describe(/*with_tcp_info=*/true);
        if (mode == CloseMode::kReset) {
          connection.Reset(CloseReason::kAdminReset);
        } else {
          connection.Drain(CloseReason::kAdminGraceful,
                           TimeAfter(clock_, options_.drain_timeout));
        }
        return info;
      },
      *std::move(admitted));
}

}  // namespace echod

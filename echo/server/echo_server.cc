// SPDX-License-Identifier: Apache-2.0

#include "echo/server/echo_server.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "echo/base/check.h"
#include "echo/base/histogram.h"
#include "echo/base/logging.h"
#include "echo/control/control_error.h"
#include "echo/event/post_at_end.h"

namespace echod {
namespace {

// How many requests of operators may wait for their answers. One takes less
// than a kilobyte while it waits.
constexpr int kMostRequests = 4096;

}  // namespace

EchoServer::EchoServer(EventLoop& main_loop, Clock& clock,
                       EchoServerOptions options)
    : main_loop_(main_loop),
      clock_(clock),
      options_(std::move(options)),
      start_time_(clock.WallNow()),
      started_(clock.MonotonicNow()),
      accepted_(static_cast<std::size_t>(options_.worker_count)),
      connections_(workers_),
      closer_(clock, workers_, options_.drain_timeout),
      requests_(kMostRequests),
      listeners_(main_loop, clock, workers_, options_.drain_timeout,
                 {.has_room = [this] { return HasRoom(); },
                  .on_accept =
                      [this](AcceptedSocket accepted) {
                        OnAccept(std::move(accepted));
                      },
                  .on_accepted_all = [this] { HandOver(); },
                  .on_changed =
                      [this](std::shared_ptr<const void> hold) {
                        if (!options_.on_listeners_changed) return;
                        options_.on_listeners_changed(std::move(hold));
                      },
                  .on_accepting_changed =
                      [this] {
                        if (!options_.on_accepting_changed) return;
                        options_.on_accepting_changed();
                      }}),
      log_level_(main_loop, clock),
      grace_timer_(main_loop, [this] { CloseListeners(); }),
      drain_timer_(main_loop, [this] { DrainConnections(); }),
      deadline_timer_(main_loop, [this] { StopNow(); }) {}

EchoServer::~EchoServer() { EndWorkers(); }

void EchoServer::EndWorkers() {
  // All of them before the first is destroyed: what dies with one may still ask
  // another.
  for (const auto& worker : workers_) worker->Stop();
  for (const auto& worker : workers_) worker->Join();
}

absl::Status EchoServer::Start() {
  ECHOD_DCHECK(main_loop_.InLoopThread());
  absl::Status started = StartWorkers();
  if (started.ok()) started = CreateListeners();
  if (!started.ok()) {
    listeners_.Close();
    workers_.clear();
    return started;
  }
  state_ = State::kServing;
  return absl::OkStatus();
}

std::optional<ListenSocket> EchoServer::Inherited(const std::string& id) {
  auto socket = options_.inherited.extract(id);
  if (socket.empty()) return std::nullopt;
  return std::move(socket.mapped());
}

absl::Status EchoServer::CreateListeners() {
  for (const ListenerCreation& creation : options_.listeners) {
    absl::StatusOr<ListenerRegistry::Creation> prepared =
        listeners_.PrepareCreate(creation, Inherited(creation.id));
    if (!prepared.ok()) return std::move(prepared).status();
    listeners_.ApplyCreate(*std::move(prepared), ListenerInfo::Source::kConfig);
  }
  return absl::OkStatus();
}

absl::Status EchoServer::StartWorkers() {
  // The first is on the main loop, so that a connection which stays there is
  // not handed over.
  workers_.push_back(std::make_unique<Worker>(0, clock_, main_loop_));
  for (int i = 1; i < options_.worker_count; ++i) {
    absl::StatusOr<std::unique_ptr<Worker>> worker = Worker::Create(i, clock_);
    if (!worker.ok()) return worker.status();
    workers_.push_back(*std::move(worker));
  }
  for (const auto& worker : workers_) {
    if (options_.access_log != nullptr) {
      worker->events().Add(options_.access_log);
    }
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
  // By worker, of which there are few, and not by listener.
  std::int64_t open = 0;
  for (const auto& worker : workers_) open += worker->load();
  return open < options_.max_total_connections;
}

void EchoServer::OnAccept(AcceptedSocket accepted) {
  const std::size_t worker = LeastLoadedWorker();
  accepted.number = next_number_++;
  workers_[worker]->AddLoad();
  if (worker == 0) {
    workers_[0]->Adopt(std::move(accepted));
  } else {
    accepted_[worker].push_back(std::move(accepted));
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

ConfigReloads::Counts EchoServer::ReadConfigReloads() const {
  if (options_.config_reloads == nullptr) return {};
  return options_.config_reloads->Read();
}

ServerInfo EchoServer::GetServer() const {
  return {.start_time = start_time_,
          .state = state_.load(),
          .worker_count = options_.worker_count,
          .log_level = log_level_.Get(),
          .config_reloads = ReadConfigReloads()};
}

void EchoServer::SetLogLevel(LogLevel level,
                             std::optional<absl::Duration> duration,
                             Reply<LogLevelChange> reply) {
  std::optional<Reply<LogLevelChange>> admitted =
      requests_.Admit(std::move(reply));
  if (!admitted.has_value()) return;
  workers_[0]->Serve(
      OperatorJobs::kAnswerRequest,
      [this, level, duration, owed = *std::move(admitted)](Worker&) mutable {
        owed(log_level_.Set(level, duration));
      });
}

Stats EchoServer::GetStats() const { return ReadStats().stats; }

Stats EchoServer::GetStatsSinceReset() const {
  return baseline_.Since([this] { return ReadStats(); });
}

Stats EchoServer::ResetStats() {
  return baseline_.Reset([this] { return ReadStats(); });
}

StatsBaseline::Reading EchoServer::ReadStats() const {
  StatsBaseline::Reading reading;
  Stats& stats = reading.stats;
  stats.time = clock_.WallNow();
  stats.uptime = absl::FromChrono(clock_.MonotonicNow() - started_);
  stats.log_lines_dropped = DroppedLogLines();
  if (options_.access_log != nullptr) {
    stats.access_log_records_dropped = options_.access_log->dropped();
  }
  stats.config_reloads = ReadConfigReloads();
  stats.workers.resize(workers_.size());
  reading.listeners = listeners_.AddTo(stats);
  for (const auto& worker : workers_) {
    worker->loop_lag().AddTo(stats.loop_lag.emplace_back(FigureHistogram()));
  }
  return reading;
}

std::vector<ListenerInfo> EchoServer::ListListeners() const {
  return listeners_.List();
}

absl::StatusOr<ListenerInfo> EchoServer::GetListener(
    const std::string& id) const {
  return listeners_.Get(id);
}

ListenerSnapshot EchoServer::ReadListeners() const {
  return listeners_.ReadAll();
}

void EchoServer::Change(Reply<ListenerInfo> reply,
                        absl::AnyInvocable<void(Reply<ListenerInfo>)> change) {
  std::optional<Reply<ListenerInfo>> admitted =
      requests_.Admit(std::move(reply));
  if (!admitted.has_value()) return;
  // The first worker's loop is the main loop.
  workers_[0]->Serve(OperatorJobs::kChangeListeners,
                     [change = std::move(change), owed = *std::move(admitted)](
                         Worker&) mutable { change(std::move(owed)); });
}

void EchoServer::CreateListener(ListenerCreation creation,
                                Reply<ListenerInfo> reply) {
  Change(std::move(reply),
         [this, creation = std::move(creation)](Reply<ListenerInfo> owed) {
           listeners_.Create(creation, std::move(owed));
         });
}

void EchoServer::UpdateListener(ListenerUpdate update,
                                Reply<ListenerInfo> reply) {
  Change(std::move(reply),
         [this, update = std::move(update)](Reply<ListenerInfo> owed) mutable {
           listeners_.Update(std::move(update), std::move(owed));
         });
}

void EchoServer::PauseListener(ListenerPause pause, Reply<ListenerInfo> reply) {
  Change(std::move(reply),
         [this, pause = std::move(pause)](Reply<ListenerInfo> owed) {
           listeners_.Pause(pause, std::move(owed));
         });
}

void EchoServer::DeleteListener(ListenerDeletion deletion,
                                Reply<ListenerInfo> reply) {
  Change(std::move(reply),
         [this, deletion = std::move(deletion)](Reply<ListenerInfo> owed) {
           listeners_.Delete(deletion, std::move(owed));
         });
}

void EchoServer::ChangeListeners(std::vector<ListenerChange> changes,
                                 Reply<std::vector<ListenerInfo>> reply) {
  std::optional<Reply<std::vector<ListenerInfo>>> admitted =
      requests_.Admit(std::move(reply));
  if (!admitted.has_value()) return;
  const auto cost = static_cast<OperatorJobs::Cost>(
      OperatorJobs::kChangeListeners *
      std::min(changes.size() + 1, ListenerRegistry::kMostListeners));
  workers_[0]->Serve(cost, [this, changes = std::move(changes),
                            owed = *std::move(admitted)](Worker&) mutable {
    listeners_.ChangeAll(std::move(changes), std::move(owed));
  });
}

void EchoServer::ListConnections(ConnectionQuery query,
                                 Reply<ConnectionParts> reply) {
  std::optional<Reply<ConnectionParts>> admitted =
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
        closer_.CloseOne(connection, mode);
        return info;
      },
      *std::move(admitted));
}

void EchoServer::CloseConnections(ConnectionClosing closing,
                                  Reply<ClosedConnections> reply) {
  std::optional<Reply<ClosedConnections>> admitted =
      requests_.Admit(std::move(reply));
  if (admitted.has_value()) {
    closer_.Close(std::move(closing), *std::move(admitted));
  }
}

void EchoServer::WatchConnections(std::shared_ptr<SessionEventSink> sink,
                                  Reply<WatchBegun> reply) {
  std::optional<Reply<WatchBegun>> admitted = requests_.Admit(std::move(reply));
  if (!admitted.has_value()) return;
  // The last worker that has the sink answers. One that has ended has no
  // events.
  struct Begun {
    Reply<WatchBegun> reply;
    explicit Begun(Reply<WatchBegun> owed) : reply(std::move(owed)) {}
    ~Begun() { reply(WatchBegun()); }
  };
  const auto begun = std::make_shared<Begun>(*std::move(admitted));
  for (const auto& worker : workers_) {
    worker->Serve(OperatorJobs::kAnswerRequest,
                  [sink, begun](Worker& self) { self.events().Add(sink); });
  }
}

void EchoServer::StopWatching(std::shared_ptr<SessionEventSink> sink) {
  for (const auto& worker : workers_) {
    worker->Serve(OperatorJobs::kAnswerRequest,
                  [sink](Worker& self) { self.events().Remove(sink.get()); });
  }
}

}  // namespace echod

// SPDX-License-Identifier: Apache-2.0

#include "echo/server/listener.h"

#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <random>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "echo/base/logging.h"
#include "echo/base/relaxed_counter.h"
#include "echo/control/control_error.h"
#include "echo/control/listener_control.h"
#include "echo/control/listener_settings.h"
#include "echo/control/settings_table.h"
#include "echo/net/listen_socket.h"

namespace echod {
namespace {

// How long a socket that retires may go on where descriptors have run out, and
// who waits in its accept queue has to wait longer.
constexpr std::chrono::seconds kLongestRetirement{10};

// Etags differ between runs, too: a change that was planned against an earlier
// process must not pass.
std::string NewEtagBase() {
  std::random_device random;
  return absl::StrCat(absl::Hex(random(), absl::kZeroPad8));
}

// Two ways to write one socket: port 0 stands for whatever the kernel chose.
bool SameSocket(const SocketAddress& wanted, const SocketAddress& configured,
                const SocketAddress& bound) {
  return wanted == configured || wanted == configured.WithPort(bound.port());
}

bool InUse(const absl::Status& status) {
  return GetErrorDetail(status).reason == "ADDRESS_IN_USE";
}

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> Listener::Open(
    EventLoop& loop, Clock& clock, std::string id, const SocketAddress& address,
    const ListenerSettings& settings, std::shared_ptr<ListenerStats> stats,
    Callbacks callbacks) {
  if (absl::Status valid = ValidateSettings(settings); !valid.ok()) {
    return valid;
  }
  absl::StatusOr<ListenSocket> socket =
      OpenListenSocket(address, settings.backlog);
  if (!socket.ok()) return socket.status();
  auto listener = std::unique_ptr<Listener>(
      new Listener(loop, clock, std::move(id), address, settings,
                   std::move(stats), std::move(callbacks)));
  listener->acceptor_ = listener->NewAcceptor(*std::move(socket));
  return listener;
}

Listener::Listener(EventLoop& loop, Clock& clock, std::string id,
                   const SocketAddress& address,
                   const ListenerSettings& settings,
                   std::shared_ptr<ListenerStats> stats, Callbacks callbacks)
    : loop_(loop),
      clock_(clock),
      id_(std::move(id)),
      stats_(std::move(stats)),
      etag_base_(NewEtagBase()),
      create_time_(clock.WallNow()),
      callbacks_(std::move(callbacks)),
      address_(address),
      settings_(settings),
      update_time_(create_time_) {}

std::unique_ptr<Acceptor> Listener::NewAcceptor(ListenSocket socket) {
  return std::make_unique<Acceptor>(
      loop_, std::move(socket),
      Acceptor::Callbacks{
          .on_accept =
              [this, generation = generation_](UniqueFd accepted,
                                               const SocketAddress& remote) {
                OnAccept(std::move(accepted), remote, generation);
              },
          .on_accepted_all = [this] { callbacks_.on_accepted_all(); },
          .on_error = [this] { stats_->accept_errors.Add(1); }});
}

void Listener::OnAccept(UniqueFd socket, const SocketAddress& remote,
                        std::int64_t generation) {
  const std::int64_t open =
      stats_->open_connections.load(std::memory_order_relaxed);
  RelaxedCounter* refused = nullptr;
  if (settings_.max_connections > 0 && open >= settings_.max_connections) {
    refused = &stats_->rejected_max_connections;
  } else if (!callbacks_.has_room()) {
    refused = &stats_->rejected_max_total_connections;
  } else if (!stats_->open_by_address.Add(
                 remote, settings_.max_connections_per_address)) {
    refused = &stats_->rejected_max_connections_per_address;
  }
  if (refused != nullptr) {
    // A reset says "refused" at once, and leaves nothing behind here.
    const linger abort = {.l_onoff = 1, .l_linger = 0};
    setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    refused->Add(1);
    return;
  }
  stats_->open_connections.fetch_add(1, std::memory_order_relaxed);
  callbacks_.on_accept(*this, {.socket = std::move(socket),
                               .remote = remote,
                               .generation = generation});
}

SocketAddress Listener::bound_address() const {
  return acceptor_ != nullptr ? acceptor_->address() : address_;
}

ListenerInfo Listener::Describe() const {
  ListenerInfo info;
  info.id = id_;
  info.address = address_.Host();
  info.port = address_.port();
  info.bound_port = bound_address().port();
  info.bound_address = bound_address().ToString();
  info.settings = settings_;
  info.state = acceptor_ != nullptr ? ListenerInfo::State::kActive
                                    : ListenerInfo::State::kDraining;
  info.source = source_;
  info.active_connections =
      stats_->open_connections.load(std::memory_order_relaxed);
  info.generation = generation_;
  info.create_time = create_time_;
  info.update_time = update_time_;
  info.etag = absl::StrCat(etag_base_, "-", revision_);
  return info;
}

absl::StatusOr<Listener::Plan> Listener::Prepare(
    const ListenerUpdate& update) const {
  if (!update.etag.empty() && update.etag != Describe().etag) {
    return ControlError(
        absl::StatusCode::kAborted,
        absl::StrCat("listener '", id_,
                     "' has changed since: its etag is not '", update.etag,
                     "' any more; read it again, and repeat the change"),
        {.reason = "ETAG_MISMATCH", .field = "etag", .errno_name = ""});
  }
  Plan plan;
  plan.settings = update.settings.ApplyTo(settings_);
  if (absl::Status valid = ValidateSettings(plan.settings); !valid.ok()) {
    return valid;
  }
  const int port = update.port.value_or(address_.port());
  if (port < 0 || port > std::numeric_limits<std::uint16_t>::max()) {
    return InvalidFieldError(
        "port",
        absl::StrCat(port, " is not a port; choose one from 0 to 65535"));
  }
  absl::StatusOr<SocketAddress> address =
      SocketAddress::FromHost(update.address.value_or(address_.Host()),
                              static_cast<std::uint16_t>(port));
  if (!address.ok()) {
    return InvalidFieldError("address", address.status().message());
  }
  plan.address = *address;
  plan.new_socket = !SameSocket(plan.address, address_, bound_address());
  return plan;
}

absl::Status Listener::CheckSocket(const Plan& plan) const {
  if (!plan.new_socket) return absl::OkStatus();
  absl::Status free = CheckListenAddress(plan.address, {});
  if (free.ok()) return free;
  // A port that this listener is only just leaving is free for it.
  if (InUse(free) && !RetiringInTheWayOf(plan.address).empty()) {
    return absl::OkStatus();
  }
  return OwnPortError(std::move(free), plan);
}

absl::Status Listener::OpenSocket(Plan& plan) {
  if (!plan.new_socket) return absl::OkStatus();
  absl::StatusOr<ListenSocket> socket =
      OpenListenSocket(plan.address, plan.settings.backlog);
  if (!socket.ok() && InUse(socket.status())) {
    const std::vector<const Acceptor*> in_the_way =
        RetiringInTheWayOf(plan.address);
    for (const Acceptor* each : in_the_way) FinishRetiring(Find(each));
    if (!in_the_way.empty()) {
      socket = OpenListenSocket(plan.address, plan.settings.backlog);
    }
  }
  if (!socket.ok()) return OwnPortError(std::move(socket).status(), plan);
  plan.socket = *std::move(socket);
  return absl::OkStatus();
}

std::vector<const Acceptor*> Listener::RetiringInTheWayOf(
    const SocketAddress& address) const {
  std::vector<const Acceptor*> candidates;
  for (const Retiring& each : retiring_) {
    if (each.acceptor->address().port() == address.port()) {
      candidates.push_back(each.acceptor.get());
    }
  }
  const auto free_without = [&](const Acceptor* one_that_stays) {
    std::vector<int> gone;
    for (const Acceptor* each : candidates) {
      if (each != one_that_stays) gone.push_back(each->fd());
    }
    return CheckListenAddress(address, gone).ok();
  };
  if (candidates.empty() || !free_without(nullptr)) return {};
  std::erase_if(candidates,
                [&](const Acceptor* each) { return free_without(each); });
  return candidates;
}

absl::Status Listener::OwnPortError(absl::Status error,
                                    const Plan& plan) const {
  if (!InUse(error) || plan.address.port() != bound_address().port()) {
    return error;
  }
  return ControlError(
      absl::StatusCode::kFailedPrecondition,
      absl::StrCat("cannot listen on ", plan.address.ToString(), " while ",
                   bound_address().ToString(),
                   " holds the port, be it this listener itself; move it to "
                   "another port first"),
      GetErrorDetail(error));
}

ListenerInfo Listener::Preview(const Plan& plan) const {
  ListenerInfo info = Describe();
  info.settings = plan.settings;
  info.address = plan.address.Host();
  info.port = plan.address.port();
  if (plan.new_socket) {
    info.bound_port = plan.address.port();
    info.bound_address = plan.address.ToString();
    ++info.generation;
  }
  return info;
}

void Listener::Apply(Plan plan, absl::AnyInvocable<void()> done) {
  const bool changed =
      plan.settings != settings_ || plan.address != address_ || plan.new_socket;
  const bool new_backlog = plan.settings.backlog != settings_.backlog;
  settings_ = plan.settings;
  address_ = plan.address;
  if (changed) MarkChanged();
  if (!plan.new_socket) {
    if (new_backlog) listen(acceptor_->fd(), settings_.backlog);
    done();
    return;
  }
  ++generation_;
  std::unique_ptr<Acceptor> old =
      std::exchange(acceptor_, NewAcceptor(std::move(plan.socket)));
  Retire(std::move(old), std::move(done));
}

void Listener::MarkChanged() {
  ++revision_;
  update_time_ = clock_.WallNow();
  source_ = ListenerInfo::Source::kRuntime;
}

void Listener::Stop(absl::AnyInvocable<void()> done) {
  if (acceptor_ == nullptr) {
    done();
    return;
  }
  address_ = bound_address();
  Retire(std::move(acceptor_), std::move(done));
}

void Listener::Retire(std::unique_ptr<Acceptor> acceptor,
                      absl::AnyInvocable<void()> done) {
  acceptor->StopHandshakes();
  acceptor->AcceptWaiting();
  auto timer = std::make_unique<Timer>(
      loop_, [this, which = acceptor.get()] { OnRetiringTimer(which); });
  timer->Arm(kHandshakeGrace);
  retiring_.push_back({.acceptor = std::move(acceptor),
                       .timer = std::move(timer),
                       .give_up = clock_.MonotonicNow() + kLongestRetirement,
                       .done = std::move(done)});
}

std::vector<Listener::Retiring>::iterator Listener::Find(
    const Acceptor* acceptor) {
  return std::find_if(
      retiring_.begin(), retiring_.end(),
      [&](const Retiring& each) { return each.acceptor.get() == acceptor; });
}

void Listener::OnRetiringTimer(const Acceptor* acceptor) {
  const auto found = Find(acceptor);
  if (!found->acceptor->AcceptWaiting() &&
      clock_.MonotonicNow() < found->give_up) {
    found->timer->Arm(kHandshakeGrace);
    return;
  }
  FinishRetiring(found);
}

void Listener::FinishRetiring(std::vector<Retiring>::iterator which) {
  Retiring retired = std::move(*which);
  retiring_.erase(which);
  // It may be due in this very turn.
  retired.timer->Disarm();
  if (!retired.acceptor->AcceptWaiting()) {
    stats_->accept_errors.Add(1);
    LogWarning(absl::StrCat("no descriptors for those who wait on ",
                            retired.acceptor->address().ToString(),
                            ", which closes: reset"));
    lost_waiting_ = true;
  }
  retired.acceptor.reset();  // the port refuses from here on
  retired.done();
  // Not here: this may be the timer's own callback.
  loop_.Post([timer = std::move(retired.timer)] {});
}

bool Listener::LosesSomebody() const {
  return lost_waiting_ || std::any_of(retiring_.begin(), retiring_.end(),
                                      [](const Retiring& each) {
                                        return each.acceptor->SomebodyWaits();
                                      });
}

}  // namespace echod

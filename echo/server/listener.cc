// SPDX-License-Identifier: Apache-2.0

#include "echo/server/listener.h"

#include <sys/socket.h>

#include <algorithm>
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
#include "echo/net/reset_on_close.h"

namespace echod {
namespace {

// Etags differ between runs, too: a change that was planned against an earlier
// process must not pass.
std::string NewEtagBase() {
  std::random_device random;
  return absl::StrCat(absl::Hex(random(), absl::kZeroPad8));
}

// Two ways to write one socket: port 0 stands for whatever the kernel chose.
bool SameSocket(const ListenAddress& wanted, const ListenAddress& configured,
                const ListenAddress& bound) {
  return wanted == configured || wanted == configured.WithPort(bound.port());
}

bool InUse(const absl::Status& status) {
  return GetErrorDetail(status).reason == "ADDRESS_IN_USE";
}

ListenerInfo::State StateOf(const Listener::Plan& plan) {
  return plan.paused ? ListenerInfo::State::kPaused
                     : ListenerInfo::State::kActive;
}

absl::Status UnixPortError() {
  return InvalidFieldError(
      "port", "the path of a Unix socket has no port; leave it out");
}

// The address of these fields of a request.
absl::StatusOr<ListenAddress> AddressOf(const std::string& host, int port) {
  if (IsUnixAddress(host) && port != 0) return UnixPortError();
  if (port < 0 || port > std::numeric_limits<std::uint16_t>::max()) {
    return InvalidFieldError(
        "port",
        absl::StrCat(port, " is not a port; choose one from 0 to 65535"));
  }
  absl::StatusOr<ListenAddress> address =
      ListenAddress::FromHost(host, static_cast<std::uint16_t>(port));
  if (!address.ok()) {
    return InvalidFieldError("address", address.status().message());
  }
  return address;
}

}  // namespace

absl::StatusOr<Listener::Plan> Listener::Prepare(
    const ListenerCreation& creation) {
  if (absl::Status valid = ValidateSettings(creation.settings); !valid.ok()) {
    return valid;
  }
  absl::StatusOr<ListenAddress> address =
      AddressOf(creation.address, creation.port);
  if (!address.ok()) return std::move(address).status();
  return Plan{.settings = creation.settings,
              .address = *std::move(address),
              .new_socket = true,
              .paused = creation.paused.value_or(false),
              .socket = {}};
}

absl::Status Listener::CheckSocket(const Plan& plan) {
  if (!plan.new_socket || plan.giver != nullptr) return absl::OkStatus();
  return CheckListenAddress(plan.address, {});
}

absl::Status Listener::OpenSocket(Plan& plan) {
  if (!plan.new_socket || plan.socket.fd.valid()) return absl::OkStatus();
  absl::StatusOr<ListenSocket> socket =
      plan.giver != nullptr
          ? plan.giver->acceptor_->Duplicate()
          : OpenListenSocket(plan.address, plan.settings.backlog);
  if (!socket.ok()) return std::move(socket).status();
  plan.socket = *std::move(socket);
  return absl::OkStatus();
}

void Listener::TakeSocket(Plan& plan) {
  if (plan.giver == nullptr) return;
  plan.socket.file = plan.giver->acceptor_->PassOn();
  listen(plan.socket.fd.get(), plan.settings.backlog);
}

Listener::Listener(EventLoop& loop, Clock& clock, AcceptorGroup& group,
                   Identity identity, Plan plan,
                   std::shared_ptr<ListenerStats> stats, Callbacks callbacks)
    : loop_(loop),
      clock_(clock),
      group_(group),
      identity_(std::move(identity)),
      stats_(std::move(stats)),
      etag_base_(NewEtagBase()),
      create_time_(clock.WallNow()),
      callbacks_(std::move(callbacks)),
      address_(plan.address),
      settings_(plan.settings),
      generation_(identity_.first_generation),
      paused_(plan.paused),
      update_time_(create_time_),
      source_(identity_.source),
      acceptor_(NewAcceptor(std::move(plan.socket))),
      rejections_(loop, identity_.id, LogWarning) {}

std::unique_ptr<Acceptor> Listener::NewAcceptor(ListenSocket socket) {
  auto acceptor = std::make_unique<Acceptor>(
      loop_, std::move(socket),
      Acceptor::Callbacks{
          .on_accept =
              [this, generation = generation_](UniqueFd accepted,
                                               const SocketAddress& remote) {
                OnAccept(std::move(accepted), remote, generation);
              },
          .on_accepted_all = [this] { callbacks_.on_accepted_all(); },
          .on_error = [this] { stats_->accept_errors.Add(1); }},
      Acceptor::Descriptors::kAllButTheLast, &group_);
  if (paused_) acceptor->Pause();
  return acceptor;
}

void Listener::OnAccept(UniqueFd socket, const SocketAddress& remote,
                        std::int64_t generation) {
  const std::int64_t open =
      stats_->open_connections.load(std::memory_order_relaxed);
  RelaxedCounter* refused = nullptr;
  auto limit = RejectionLog::kMaxConnections;
  if (settings_.max_connections > 0 && open >= settings_.max_connections) {
    refused = &stats_->rejected_max_connections;
  } else if (!callbacks_.has_room()) {
    refused = &stats_->rejected_max_total_connections;
    limit = RejectionLog::kMaxTotalConnections;
  } else if (!stats_->open_by_address.Add(
                 remote, settings_.max_connections_per_address)) {
    refused = &stats_->rejected_max_connections_per_address;
    limit = RejectionLog::kMaxConnectionsPerAddress;
  }
  if (refused != nullptr) {
    ResetOnClose(socket.get());  // tells the client immediately
    refused->Add(1);
    rejections_.Note(limit);
    return;
  }
  stats_->open_by_generation.Add(generation);
  stats_->open_connections.fetch_add(1, std::memory_order_relaxed);
  callbacks_.on_accept(*this, {.socket = std::move(socket),
                               .remote = remote,
                               .generation = generation});
}

ListenAddress Listener::bound_address() const {
  return acceptor_ != nullptr ? acceptor_->address() : address_;
}

ListenerInfo Listener::Describe() const {
  ListenerInfo info;
  info.id = id();
  info.address = address_.Host();
  info.port = address_.port();
  info.bound_port = bound_address().port();
  info.bound_address = bound_address().ToString();
  info.settings = settings_;
  info.state = acceptor_ == nullptr ? ListenerInfo::State::kDraining
               : paused_            ? ListenerInfo::State::kPaused
                                    : ListenerInfo::State::kActive;
  info.source = source_;
  info.active_connections =
      stats_->open_connections.load(std::memory_order_relaxed);
  info.generation = generation_;
  info.draining_generations = stats_->open_by_generation.Before(generation_);
  info.create_time = create_time_;
  info.update_time = update_time_;
  info.etag = absl::StrCat(etag_base_, "-", revision_);
  return info;
}

bool Listener::AcceptsOn(const ListenAddress& address) const {
  return !stopped() && (address.is_unix() || address.port() != 0) &&
         SameSocket(address, address_, bound_address());
}

absl::Status Listener::CheckEtag(const std::string& etag) const {
  if (etag.empty() || etag == Describe().etag) return absl::OkStatus();
  return ControlError(
      absl::StatusCode::kAborted,
      absl::StrCat("listener '", id(), "' has changed: its etag is no longer '",
                   etag, "'; read it again, and repeat the request"),
      {.reason = "ETAG_MISMATCH", .field = "etag", .errno_name = ""});
}

absl::Status Listener::CheckCanClose() const {
  if (!inherited()) return absl::OkStatus();
  return ControlError(
      absl::StatusCode::kFailedPrecondition,
      absl::StrCat("the socket of listener '", id(), "' on ",
                   bound_address().ToString(),
                   " belongs to the process that started echod (LISTEN_FDS), "
                   "and would stay open; change it there, or pause the "
                   "listener"),
      {.reason = "SOCKET_INHERITED", .field = "", .errno_name = ""});
}

absl::StatusOr<Listener::Plan> Listener::Prepare(
    const ListenerUpdate& update) const {
  if (absl::Status same = CheckEtag(update.etag); !same.ok()) return same;
  Plan plan;
  plan.paused = update.paused.value_or(paused_);
  plan.settings = update.settings.ApplyTo(settings_);
  if (absl::Status valid = ValidateSettings(plan.settings); !valid.ok()) {
    return valid;
  }
  const std::string host = update.address.value_or(address_.Host());
  if (IsUnixAddress(host) && update.port.has_value()) return UnixPortError();
  if (!IsUnixAddress(host) && address_.is_unix() && !update.port.has_value()) {
    return InvalidFieldError("port",
                             "the listener has a Unix socket, and no port so "
                             "far; write one, or 0 for one that the kernel "
                             "chooses");
  }
  const int port = update.port.value_or(address_.port());
  const absl::StatusOr<ListenAddress> address =
      AddressOf(host, IsUnixAddress(host) ? 0 : port);
  if (!address.ok()) return address.status();
  plan.address = *address;
  plan.new_socket = !SameSocket(plan.address, address_, bound_address());
  if (plan.new_socket) {
    if (absl::Status can = CheckCanClose(); !can.ok()) return can;
  }
  if (plan.new_socket && retiring_.size() >= kMostRetiring) {
    return ControlError(
        absl::StatusCode::kResourceExhausted,
        absl::StrCat("listener '", id(), "' has ", kMostRetiring,
                     " earlier addresses that have not closed yet; try again "
                     "in a moment"),
        {.reason = "TOO_MANY_MOVES", .field = "", .errno_name = ""});
  }
  return plan;
}

bool Listener::IsLeaving(const ListenAddress& address) const {
  if (address.is_unix()) return false;  // what retires has lost its path
  std::vector<int> leaving;
  for (const auto& each : retiring_) {
    if (each->acceptor()->address().port() == address.port()) {
      leaving.push_back(each->acceptor()->fd());
    }
  }
  return !leaving.empty() && CheckListenAddress(address, leaving).ok();
}

absl::Status Listener::ExplainSocketError(absl::Status error,
                                          const Plan& plan) const {
  if (!InUse(error) || plan.address.is_unix() ||
      plan.address.port() != bound_address().port()) {
    return error;
  }
  return ControlError(
      absl::StatusCode::kFailedPrecondition,
      absl::StrCat("cannot listen on ", plan.address.ToString(),
                   ": this listener itself, or another program, has the port "
                   "on an address that overlaps it; move the listener to "
                   "another port first"),
      GetErrorDetail(error));
}

ListenerInfo Listener::Preview(const std::string& id, const Plan& plan) {
  ListenerInfo info;
  info.id = id;
  info.settings = plan.settings;
  info.address = plan.address.Host();
  info.port = plan.address.port();
  info.bound_port = plan.address.port();
  info.bound_address = plan.address.ToString();
  info.state = StateOf(plan);
  info.source = ListenerInfo::Source::kRuntime;
  return info;
}

ListenerInfo Listener::Preview(const Plan& plan) const {
  ListenerInfo info = Describe();
  info.settings = plan.settings;
  info.address = plan.address.Host();
  info.port = plan.address.port();
  info.state = StateOf(plan);
  if (plan.new_socket) {
    info.bound_port = plan.address.port();
    info.bound_address = plan.address.ToString();
    ++info.generation;
  }
  return info;
}

void Listener::SetPaused(bool paused) {
  if (paused == paused_) return;
  paused_ = paused;
  if (paused) {
    acceptor_->Pause();
  } else {
    acceptor_->Resume();
  }
  MarkChanged();
}

void Listener::Apply(Plan plan, absl::AnyInvocable<void()> done) {
  const bool changed =
      plan.settings != settings_ || plan.address != address_ || plan.new_socket;
  const bool new_backlog = plan.settings.backlog != settings_.backlog;
  settings_ = plan.settings;
  address_ = plan.address;
  if (changed) MarkChanged();
  SetPaused(plan.paused);
  if (plan.from_config) source_ = ListenerInfo::Source::kConfig;
  if (!plan.new_socket) {
    if (new_backlog) listen(acceptor_->fd(), settings_.backlog);
    done();
    return;
  }
  ++generation_;
  std::unique_ptr<Acceptor> old =
      std::exchange(acceptor_, NewAcceptor(std::move(plan.socket)));
  const int old_port = old->address().port();
  Retire(std::move(old));
  WhenRetired(old_port, std::move(done));
}

void Listener::MarkChanged() {
  ++revision_;
  update_time_ = clock_.WallNow();
  source_ = ListenerInfo::Source::kRuntime;
}

void Listener::Stop(absl::AnyInvocable<void()> done) {
  if (acceptor_ != nullptr) {
    address_ = bound_address();
    Retire(std::move(acceptor_));
  }
  WhenRetired(std::nullopt, std::move(done));
}

void Listener::Retire(std::unique_ptr<Acceptor> acceptor) {
  // The next process, or another listener, has its queue.
  if (acceptor->inherited() || acceptor->passed_on()) return;
  acceptor->Resume();  // for those who have connected while it was paused
  retiring_.push_back(std::make_unique<RetiringSocket>(
      loop_, clock_, std::move(acceptor),
      [this](const RetiringSocket& retired, bool lost) {
        OnRetired(retired, lost);
      }));
}

bool Listener::Retires(std::optional<int> port) const {
  return std::any_of(retiring_.begin(), retiring_.end(), [&](const auto& each) {
    return !port.has_value() || each->acceptor()->address().port() == *port;
  });
}

void Listener::WhenRetired(std::optional<int> port,
                           absl::AnyInvocable<void()> done) {
  if (!Retires(port)) return done();
  waiting_.push_back({.port = port, .done = std::move(done)});
}

void Listener::OnRetired(const RetiringSocket& retired, bool lost) {
  if (lost) {
    stats_->accept_errors.Add(1);
    lost_connections_ = true;
  }
  const auto found =
      std::find_if(retiring_.begin(), retiring_.end(),
                   [&](const auto& each) { return each.get() == &retired; });
  // Not destroyed here: this is its own callback.
  loop_.Post([retired = std::move(*found)] {});
  retiring_.erase(found);
  std::vector<Waiting> waiting;
  waiting.swap(waiting_);
  for (Waiting& each : waiting) {
    WhenRetired(each.port, std::move(each.done));
  }
}

bool Listener::LosesConnections() const {
  return lost_connections_ ||
         std::any_of(retiring_.begin(), retiring_.end(), [](const auto& each) {
           return each->acceptor()->HasWaiting();
         });
}

}  // namespace echod

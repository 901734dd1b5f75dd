// SPDX-License-Identifier: Apache-2.0

#include "admin/transport/admin_listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "admin/transport/admin_peer.h"
#include "echo/base/descriptor_limit.h"
#include "echo/base/logging.h"
#include "echo/base/resource_error.h"
#include "echo/net/listen_socket.h"

namespace echod {
namespace {

constexpr int kBacklog = 128;
// The number of connections admitted at once after an idle period.
constexpr int kAdmissionBurst = 20;
// Hostile clients could cause a line per connection; one per second is enough.
constexpr std::chrono::seconds kLogInterval(1);
// Closes the connection of a dead peer that does not acknowledge data. Without
// pending data, gRPC's keepalive detects a dead peer.
constexpr int kUserTimeoutMs = 90'000;

// The client's socket, and both ends of the socketpair.
constexpr std::uint64_t kDescriptorsOfConnection = 3;

std::size_t MostConnections(const AdminListenerOptions& options) {
  const std::uint64_t share =
      RaiseDescriptorLimit() / 4 / kDescriptorsOfConnection;
  return std::clamp<std::uint64_t>(share, 1, options.max_connections);
}

}  // namespace

absl::StatusOr<std::unique_ptr<AdminListener>> AdminListener::Start(
    absl::string_view address, const AdminListenerOptions& options,
    AdminCounters& counters, Clock& clock, OnConnection on_connection) {
  const absl::StatusOr<SocketAddress> parsed = SocketAddress::Parse(address);
  if (!parsed.ok()) return parsed.status();
  absl::StatusOr<ListenSocket> listening = OpenListenSocket(*parsed, kBacklog);
  if (!listening.ok()) return listening.status();
  absl::StatusOr<std::unique_ptr<EventLoop>> loop = EventLoop::Create();
  if (!loop.ok()) return loop.status();
  auto listener = std::unique_ptr<AdminListener>(new AdminListener(
      options, counters, clock, std::move(on_connection), *std::move(loop)));
  AdminListener& self = *listener;
  self.acceptor_ = std::make_unique<Acceptor>(
      *self.loop_, *std::move(listening),
      Acceptor::Callbacks{
          .on_accept =
              [&self](UniqueFd client, const SocketAddress& from) {
                self.OnAccept(std::move(client), from);
              },
          .on_accepted_all = [] {},
          .on_error = [&self] { ++self.counters_.accept_errors; }},
      Acceptor::Descriptors::kAll);
  self.bound_address_ = self.acceptor_->address().ToString();
  try {
    self.thread_ = std::thread([&self] {
      pthread_setname_np(pthread_self(), "admin-relay");
      const absl::Status ended = self.loop_->Run();
      if (ended.ok()) return;
      LogError(
          absl::StrCat("the admin plane's event loop failed: ", ended.message(),
                       "; the admin service is no longer reachable, and echod "
                       "drains and exits"));
      self.CutAll();
      self.acceptor_.reset();
      self.options_.on_failed();
    });
  } catch (const std::system_error& error) {
    return ResourceError("start the admin plane's thread",
                         error.code().value());
  }
  return listener;
}

AdminListener::AdminListener(const AdminListenerOptions& options,
                             AdminCounters& counters, Clock& clock,
                             OnConnection on_connection,
                             std::unique_ptr<EventLoop> loop)
    : options_(options),
      max_connections_(MostConnections(options)),
      counters_(counters),
      clock_(clock),
      on_connection_(std::move(on_connection)),
      loop_(std::move(loop)),
      cut_(*loop_, [this] { CutAll(); }),
      admit_(*loop_, [this] { AdmitWaiting(); }),
      budget_(options.relay.limits, clock) {}

AdminListener::~AdminListener() { Stop(absl::ZeroDuration()); }

void AdminListener::StopAccepting(absl::Duration time) {
  // If the loop has ended, the promise is broken, and nothing accepts either.
  auto closed = std::make_shared<std::promise<void>>();
  const std::future<void> done = closed->get_future();
  loop_->Post([this, time, closed = std::move(closed)] {
    acceptor_.reset();
    waiting_.clear();
    cut_.Arm(time);
    closed->set_value();
  });
  done.wait();
}

void AdminListener::Stop(absl::Duration time) {
  if (!thread_.joinable()) return;
  loop_->Post([this, time] {
    acceptor_.reset();
    waiting_.clear();
    stopping_ = true;
    cut_.Arm(time);
    if (connections_.empty()) loop_->Stop();
  });
  thread_.join();
}

void AdminListener::OnAccept(UniqueFd client, const SocketAddress& address) {
  ++counters_.accepted;
  if (!MakeRoom()) {
    Reject(address, AdminRejection::kMaxConnections);
    return;
  }
  waiting_.push_back({.client = std::move(client), .address = address});
  if (!admit_.armed()) AdmitWaiting();
}

bool AdminListener::MakeRoom() {
  if (connections_.size() + waiting_.size() < max_connections_) return true;
  MonotonicTime oldest =
      clock_.MonotonicNow() -
      absl::ToChronoNanoseconds(options_.idle_before_replaced);
  std::optional<std::uint64_t> replaced;
  for (const auto& [number, connection] : connections_) {
    const std::optional<MonotonicTime> idle = connection.relay->idle_since();
    if (!idle.has_value() || *idle > oldest) continue;
    oldest = *idle;
    replaced = number;
  }
  if (!replaced.has_value()) return false;
  End(*replaced, AdminRejection::kMaxConnections);
  return true;
}

void AdminListener::AdmitWaiting() {
  const auto interval = absl::ToChronoNanoseconds(options_.connection_interval);
  const MonotonicTime now = clock_.MonotonicNow();
  // Unused admissions accumulate, up to the burst.
  next_admission_ = std::max(next_admission_, now - kAdmissionBurst * interval);
  while (!waiting_.empty() && next_admission_ <= now) {
    next_admission_ += interval;
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    Admit(std::move(next.client), next.address);
  }
  if (!waiting_.empty()) admit_.Arm(options_.connection_interval);
}

void AdminListener::Admit(UniqueFd client, const SocketAddress& address) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                 pair) != 0) {
    Reject(address, AdminRejection::kDescriptors);
    return;
  }
  UniqueFd ours(pair[0]);
  UniqueFd grpcs(pair[1]);
  NameAfterClient(ours.get(), address);
  setsockopt(client.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &kUserTimeoutMs,
             sizeof kUserTimeoutMs);
  const std::uint64_t number = ++last_number_;
  auto relay = std::make_unique<AdminRelay>(
      *loop_, clock_, options_.relay, budget_, std::move(client),
      std::move(ours), [this, number](std::optional<AdminRejection> reason) {
        End(number, reason);
      });
  if (!relay->Start()) {
    Reject(address, AdminRejection::kDescriptors);
    return;
  }
  connections_[number] = {.address = address, .relay = std::move(relay)};
  ++counters_.active;
  on_connection_(std::move(grpcs));
}

void AdminListener::End(std::uint64_t number,
                        std::optional<AdminRejection> reason) {
  const auto found = connections_.find(number);
  const Connection ended = std::move(found->second);
  connections_.erase(found);
  --counters_.active;
  if (reason.has_value()) Reject(ended.address, *reason);
  if (stopping_ && connections_.empty()) loop_->Stop();
}

void AdminListener::Reject(const SocketAddress& address,
                           AdminRejection reason) {
  ++counters_.rejected[static_cast<std::size_t>(reason)];
  const MonotonicTime now = clock_.MonotonicNow();
  if (now < next_log_) {
    ++unlogged_;
    return;
  }
  next_log_ = now + kLogInterval;
  LogWarning(absl::StrCat(
      "closed the admin connection of ", address.ToString(), ": ",
      AdminRejectionName(reason),
      unlogged_ == 0 ? ""
                     : absl::StrCat(", and ", unlogged_,
                                    " more since the last such line")));
  unlogged_ = 0;
}

void AdminListener::CutAll() {
  while (!connections_.empty()) End(connections_.begin()->first, std::nullopt);
}

}  // namespace echod

// SPDX-License-Identifier: Apache-2.0

// Makes each call with which the server requests resources fail in turn, once
// and permanently, at every place where a short run of the server makes it.
// Whatever fails, the process neither aborts nor hangs, its exit status is
// correct, and a single failure affects at most one connection.

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "gtest/gtest.h"
#include "tests/e2e/admin_client.h"
#include "tests/fault/fault_injector.h"
#include "tests/support/conversation.h"
#include "tests/support/eventually.h"
#include "tests/support/http_get.h"
#include "tests/support/server_process.h"
#include "tests/support/short_folder.h"
#include "tests/support/tcp_client.h"

namespace echod::testing {
namespace {

using e2e::AdminClient;
using Counts = std::array<std::int64_t, kFaultCallCount>;

// The errors that each call can return for valid arguments.
int LikelyError(FaultCall call) {
  switch (call) {
    case kFault_accept4:
      return ECONNABORTED;
    case kFault_epoll_ctl:
      return ENOSPC;
    case kFault_bind:
    case kFault_listen:
      return EADDRINUSE;
    case kFault_epoll_create1:
    case kFault_eventfd:
    case kFault_open:
    case kFault_openat:
    case kFault_pipe2:
    case kFault_socket:
    case kFault_socketpair:
    case kFault_fcntl:
    case kFault_dup2:
      return EMFILE;
    case kFault_eventfd_read:
    case kFault_eventfd_write:
    case kFault_pthread_create:
      return EAGAIN;
    case kFault_fchmod:
      return EPERM;
    case kFault_flock:
      return EWOULDBLOCK;
    case kFault_getpeername:
    case kFault_shutdown:
      return ENOTCONN;
    case kFault_rename:
    case kFault_unlink:
    case kFault_write:
    case kFault_writev:
      return ENOSPC;
    default:
      return ENOMEM;
  }
}

// A directory for the files of a server: its access log, and Unix sockets,
// which an earlier process has left there.
class Files {
 public:
  Files() {
    for (const std::string& path : {at_start(), later()}) LeaveSocket(path);
  }

  std::string at_start() const { return folder_.At("at_start"); }
  std::string later() const { return folder_.At("later"); }
  std::string access_log() const { return folder_.At("access_log"); }

 private:
  static void LeaveSocket(const std::string& path) {
    const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un name = {};
    name.sun_family = AF_UNIX;
    path.copy(name.sun_path, sizeof name.sun_path - 1);
    EXPECT_EQ(
        bind(socket.get(), reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  }

  const testing::ShortFolder folder_;
};

// When the fault starts.
enum class Phase { kStart, kRun };

struct Life {
  bool started = false;
  bool served_at_last = false;  // a client that connected at the end
  int exit_status = -1;
  Counts at_start = {};  // calls until the server accepted
  Counts in_all = {};
};

class FaultSweepTest
    : public ::testing::TestWithParam<std::pair<Phase, FaultCall>> {
 protected:
  static constexpr absl::Duration kPatience = absl::Seconds(10);

  // Runs a server for each fault, a few at a time, since they mostly wait.
  std::vector<Life> LiveEach(const std::vector<FaultInjector::Fault>& faults) {
    constexpr int kAtATime = 6;
    std::vector<Life> lives(faults.size());
    std::atomic<std::size_t> next{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < kAtATime; ++i) {
      threads.emplace_back([&] {
        for (std::size_t mine = next++; mine < faults.size(); mine = next++) {
          lives[mine] = Live(faults[mine]);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    return lives;
  }

  // Runs a server with at most one fault.
  Life Live(const std::optional<FaultInjector::Fault>& fault) {
    FaultInjector injector;
    const auto [phase, call] = GetParam();
    // Nothing has to succeed under a permanent fault.
    const bool stays =
        fault.has_value() && fault->fails == FaultInjector::kForGood;
    const TcpClient::Options client = {
        .receive_buffer = 4096,
        .timeout = stays ? absl::Milliseconds(100) : kPatience};
    if (fault.has_value() && phase == Phase::kStart) injector.Arm(*fault);
    Life life;
    const Files files;
    ServerProcess server(
        {.flags = {"--workers=2", "--mode=raw", "--drain_timeout=500ms",
                   "--http_address=127.0.0.1:0",
                   absl::StrCat("--listen=127.0.0.1:0,local=unix:",
                                files.at_start()),
                   absl::StrCat("--access_log=", files.access_log())},
         .may_fail = true,
         .in_child = injector.Enter()});
    life.started = server.started();
    life.at_start = Seen(injector);
    if (life.started) {
      AdminClient admin(server);
      if (fault.has_value() && phase == Phase::kRun) injector.Arm(*fault);
      ExerciseFiles(server, admin, files, stays);
      const SocketAddress at_last = Exercise(server, admin, client, stays);
      // The fault may affect one of them.
      life.served_at_last = Serves(at_last, client) || Serves(at_last, client);
      server.Signal(SIGTERM);
    }
    life.exit_status = server.WaitForExit(kPatience);
    life.in_all = Seen(injector);
    return life;
  }

 private:
  static Counts Seen(const FaultInjector& injector) {
    Counts counts;
    for (int i = 0; i < kFaultCallCount; ++i) {
      counts[static_cast<std::size_t>(i)] =
          injector.seen(static_cast<FaultCall>(i));
    }
    return counts;
  }

  static bool Serves(const SocketAddress& address,
                     const TcpClient::Options& options) {
    std::optional<TcpClient> client = TcpClient::Connect(address, options);
    return client.has_value() && client->Send("ping") &&
           client->Read(4) == "ping";
  }

  // Exercises everything else that a server does. Ignores failures, because the
  // fault may have caused them. Returns the address on which the server
  // accepts.
  static SocketAddress Exercise(ServerProcess& server, AdminClient& admin,
                                const TcpClient::Options& options, bool stays) {
    const SocketAddress address = server.echo_address();
    Serves(address, options);
    std::optional<TcpClient> slow = TcpClient::Connect(address, options);
    std::optional<TcpClient> other = TcpClient::Connect(address, options);
    if (slow.has_value()) {
      const std::size_t sent = slow->SendSome(Pattern(8 * 1024 * 1024));
      slow->Read(sent);
    }
    const absl::Duration timeout = stays ? absl::Milliseconds(200) : kPatience;
    admin::v1::Stats stats;
    admin.Call(&AdminClient::Stub::GetStats, admin::v1::GetStatsRequest(),
               &stats, timeout);
    admin::v1::ListConnectionsRequest list;
    list.set_view(admin::v1::CONNECTION_VIEW_FULL);
    admin::v1::ListConnectionsResponse connections;
    admin.Call(&AdminClient::Stub::ListConnections, list, &connections,
               timeout);
    admin::v1::UpdateListenerRequest move;
    move.mutable_listener()->set_name("listeners/default");
    move.mutable_listener()->set_address("127.0.0.2");
    admin::v1::Listener moved;
    if (!admin.Call(&AdminClient::Stub::UpdateListener, move, &moved, timeout)
             .ok()) {
      // The fault may have taken the answer alone.
      admin::v1::GetListenerRequest get;
      get.set_name("listeners/default");
      admin.Call(&AdminClient::Stub::GetListener, get, &moved, timeout);
    }
    if (connections.connections_size() > 0) {
      admin::v1::CloseConnectionRequest close;
      close.set_name(connections.connections(0).name());
      admin::v1::Connection closed;
      admin.Call(&AdminClient::Stub::CloseConnection, close, &closed, timeout);
    }
    for (const char* path : {"/metrics", "/readyz"}) {
      HttpGet(server.http_address(), path, "", options);
    }
    if (other.has_value()) other->Reset();
    return SocketAddress::FromHost(
               moved.address(), static_cast<std::uint16_t>(moved.bound_port()))
        .value_or(address);
  }

  // The same for what it does with files.
  static void ExerciseFiles(ServerProcess& server, AdminClient& admin,
                            const Files& files, bool stays) {
    const absl::Duration timeout = stays ? absl::Milliseconds(200) : kPatience;
    TcpClient::ConnectTo(files.at_start());
    admin::v1::CreateListenerRequest create;
    create.set_listener_id("later");
    create.mutable_listener()->set_address("unix:" + files.later());
    admin::v1::Listener ignored;
    admin.Call(&AdminClient::Stub::CreateListener, create, &ignored, timeout);
    TcpClient::ConnectTo(files.later());
    admin::v1::DeleteListenerRequest deletion;
    deletion.set_name("listeners/later");
    admin.Call(&AdminClient::Stub::DeleteListener, deletion, &ignored, timeout);
    std::error_code failed;
    std::filesystem::rename(files.access_log(), files.access_log() + ".1",
                            failed);
    server.Signal(SIGHUP);
    if (stays) return;
    // A fault can make it try again in a second, or end the server.
    Eventually([&] {
      admin::v1::Stats stats;
      return std::filesystem::exists(files.access_log()) ||
             !admin
                  .Call(&AdminClient::Stub::GetStats,
                        admin::v1::GetStatsRequest(), &stats, timeout)
                  .ok();
    });
  }
};

TEST_P(FaultSweepTest, NeitherAbortsNorHangs) {
  const auto [phase, call] = GetParam();
  const auto index = static_cast<std::size_t>(call);
  const Life well = Live(std::nullopt);
  ASSERT_TRUE(well.started);
  EXPECT_TRUE(well.served_at_last);
  EXPECT_EQ(well.exit_status, 0);
  const std::int64_t places = phase == Phase::kStart
                                  ? well.at_start[index]
                                  : well.in_all[index] - well.at_start[index];
  if (places == 0) return;  // the server does not make this call

  constexpr std::int64_t kMostPlaces = 40;
  std::vector<FaultInjector::Fault> faults;
  for (std::int64_t place = 0; place < std::min(places, kMostPlaces); ++place) {
    faults.push_back({.call = call,
                      .error = LikelyError(call),
                      .passes = place,
                      .fails = 1});
  }
  faults.push_back({.call = call, .error = LikelyError(call)});
  const std::vector<Life> lives = LiveEach(faults);
  for (std::size_t i = 0; i + 1 < lives.size(); ++i) {
    SCOPED_TRACE(absl::StrCat("once, after ", i, " calls"));
    const Life& once = lives[i];
    if (!once.started) {
      EXPECT_EQ(once.exit_status, 2);
    } else if (once.served_at_last) {
      EXPECT_GE(once.exit_status, 0);
    } else {
      EXPECT_EQ(once.exit_status, 1);
    }
  }
  SCOPED_TRACE("for good");
  const Life& ever = lives.back();
  if (ever.started) {
    EXPECT_GE(ever.exit_status, 0);
    EXPECT_LE(ever.exit_status, 1);
  } else {
    EXPECT_EQ(ever.exit_status, 2);
  }
}

std::vector<std::pair<Phase, FaultCall>> EveryCall() {
  std::vector<std::pair<Phase, FaultCall>> all;
  for (int i = 0; i < kFaultCallCount; ++i) {
    all.emplace_back(Phase::kStart, static_cast<FaultCall>(i));
    all.emplace_back(Phase::kRun, static_cast<FaultCall>(i));
  }
  return all;
}

std::string CaseName(
    const ::testing::TestParamInfo<FaultSweepTest::ParamType>& test) {
  const auto [phase, call] = test.param;
  return absl::StrCat(kFaultCallNames[call],
                      phase == Phase::kStart ? "_at_start" : "_later");
}

INSTANTIATE_TEST_SUITE_P(EveryCall, FaultSweepTest,
                         ::testing::ValuesIn(EveryCall()), CaseName);

}  // namespace
}  // namespace echod::testing

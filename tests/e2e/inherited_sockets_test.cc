// SPDX-License-Identifier: Apache-2.0

// Listening sockets that belong to the process which starts echod.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "gtest/gtest.h"
#include "tests/e2e/admin_client.h"
#include "tests/support/conversation.h"
#include "tests/support/eventually.h"
#include "tests/support/server_process.h"
#include "tests/support/tcp_client.h"

namespace echod::e2e {
namespace {

using admin::v1::Listener;
using testing::Echoes;
using testing::Eventually;
using testing::ServerProcess;
using testing::TcpClient;
using End = TcpClient::End;
using Stub = AdminClient::Stub;

UniqueFd NewSocket(bool listens = true) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage storage;
  const socklen_t length =
      SocketAddress::Parse("127.0.0.1:0")->ToKernel(storage);
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), length), 0);
  if (listens) {
    EXPECT_EQ(listen(fd.get(), 1024), 0);
  }
  return fd;
}

// Passes the sockets on in a new process, as systemd does.
std::function<void()> Passing(const std::vector<int>& sockets,
                              const std::string& names,
                              bool to_another_process = false) {
  return [=] {
    std::vector<int> high;
    for (const int fd : sockets) high.push_back(fcntl(fd, F_DUPFD, 100));
    for (std::size_t i = 0; i < high.size(); ++i) {
      dup2(high[i], static_cast<int>(3 + i));
      close(high[i]);
    }
    const std::string pid =
        absl::StrCat(to_another_process ? getppid() : getpid());
    setenv("LISTEN_PID", pid.c_str(), 1);
    setenv("LISTEN_FDS", absl::StrCat(sockets.size()).c_str(), 1);
    if (!names.empty()) setenv("LISTEN_FDNAMES", names.c_str(), 1);
  };
}

class InheritedSocketsTest : public ::testing::Test {
 protected:
  std::unique_ptr<ServerProcess> Start(const std::vector<int>& sockets,
                                       const std::string& names,
                                       std::vector<std::string> flags = {}) {
    ServerProcess::Options options;
    options.flags = std::move(flags);
    options.with_listen = false;
    options.in_child = Passing(sockets, names);
    return std::make_unique<ServerProcess>(options);
  }
  std::unique_ptr<ServerProcess> Start() { return Start({socket_.get()}, ""); }

  static std::string Problem(const std::vector<int>& sockets,
                             const std::string& names) {
    const testing::Finished finished = testing::RunEchod(
        {"--admin_address=127.0.0.1:0"}, Passing(sockets, names));
    EXPECT_EQ(finished.exit_status, 2);
    return finished.err;
  }

  const UniqueFd socket_ = NewSocket();
  const UniqueFd other_ = NewSocket();
  const SocketAddress address_ = LocalAddress(socket_.get());
};

TEST_F(InheritedSocketsTest, NameListeners) {
  const auto server =
      Start({socket_.get(), other_.get()}, "blue:green.socket", {"--mode=raw"});
  AdminClient admin(*server);
  admin::v1::ListListenersResponse list;
  ASSERT_TRUE(
      admin.Call(&Stub::ListListeners, admin::v1::ListListenersRequest(), &list)
          .ok());
  ASSERT_EQ(list.listeners_size(), 2) << "there is no default one besides";
  EXPECT_EQ(list.listeners(0).name(), "listeners/blue");
  EXPECT_EQ(list.listeners(0).bound_port(), address_.port());
  EXPECT_EQ(list.listeners(0).mode(), Listener::MODE_RAW);
  EXPECT_EQ(list.listeners(1).name(), "listeners/green");
  EXPECT_EQ(list.listeners(1).bound_port(), LocalAddress(other_.get()).port());
  for (const int fd : {socket_.get(), other_.get()}) {
    std::optional<TcpClient> client = TcpClient::Connect(LocalAddress(fd));
    ASSERT_TRUE(client.has_value() && client->Send("raw"));
    EXPECT_EQ(client->Read(3), "raw");
  }
}

TEST_F(InheritedSocketsTest, AreForTheListenersOfTheirNames) {
  const auto server = Start({socket_.get()}, "blue",
                            {"--listen=blue=127.0.0.1:1,red=127.0.0.1:0"});
  EXPECT_EQ(server->echo_address("blue"), address_);
  EXPECT_NE(server->echo_address("red").port(), 0);
}

TEST_F(InheritedSocketsTest, StayOpen) {
  const auto server = Start();
  AdminClient admin(*server);
  Listener listener;
  EXPECT_TRUE(admin.MoveTo(address_.port(), &listener).ok()) << "no move";
  const int free = LocalAddress(NewSocket(false).get()).port();
  EXPECT_EQ(Reason(admin.MoveTo(free, &listener)), "SOCKET_INHERITED");
  admin::v1::DeleteListenerRequest deletion;
  deletion.set_name("listeners/default");
  EXPECT_EQ(Reason(admin.Call(&Stub::DeleteListener, deletion, &listener)),
            "SOCKET_INHERITED");
  TcpClient client = server->Connect();
  EXPECT_TRUE(Echoes(client, "still here"));
}

TEST_F(InheritedSocketsTest, ThoseWhoWaitAreServedByTheNextServer) {
  auto server = Start();
  AdminClient admin(*server);
  admin::v1::PauseListenerRequest pause;
  pause.set_name("listeners/default");
  Listener paused;
  ASSERT_TRUE(admin.Call(&Stub::PauseListener, pause, &paused).ok());
  std::optional<TcpClient> before = TcpClient::Connect(address_);
  ASSERT_TRUE(before.has_value() && before->Send("before\n"));
  server->Signal(SIGTERM);
  EXPECT_EQ(server->WaitForExit(), 0);
  std::optional<TcpClient> between = TcpClient::Connect(address_);
  ASSERT_TRUE(between.has_value() && between->Send("between\n"));
  server = Start();
  EXPECT_EQ(before->Read(16), "YOU SAID before\n");
  EXPECT_EQ(between->Read(17), "YOU SAID between\n");
}

TEST_F(InheritedSocketsTest, ARequestThatComesWithTheDrainIsAnswered) {
  const auto server = Start();
  AdminClient admin(*server);
  TcpClient client = server->Connect();
  ASSERT_TRUE(Eventually(
      [&] { return admin.Stats().total().connections_active() == 1; }));
  server->Signal(SIGTERM);
  ASSERT_TRUE(Eventually([&] {
    admin::v1::Server state;
    return admin.Call(&Stub::GetServer, admin::v1::GetServerRequest(), &state)
               .ok() &&
           state.state() == admin::v1::Server::STATE_DRAINING;
  }));
  EXPECT_TRUE(Echoes(client, "under way"));
  EXPECT_EQ(client.WaitForEnd(), End::kEof);
}

// Nobody is refused or reset, and nobody goes without an echo: neither those
// who wait while no server runs, nor those whose connection a server accepts
// just before it drains, and whose request comes after that.
TEST_F(InheritedSocketsTest, ARestartUnderLoadLosesNoConnection) {
  std::atomic<bool> stop{false};
  std::atomic<int> served{0};
  std::atomic<int> lost{0};
  auto server = Start();
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      while (!stop) {
        std::optional<TcpClient> client = TcpClient::Connect(address_);
        End end = End::kReset;
        std::string answer;
        if (client.has_value() && client->Send("hello\n")) {
          client->FinishSending();
          answer = client->ReadToEnd(&end);
        }
        const bool whole = answer == "YOU SAID hello\n";
        ++(whole && end == End::kEof ? served : lost);
      }
    });
  }
  for (int restart = 0; restart < 4; ++restart) {
    const int before = served;
    EXPECT_TRUE(Eventually([&] { return served > before + 100; }));
    server->Signal(SIGTERM);
    EXPECT_EQ(server->WaitForExit(), 0);
    server = Start();
  }
  const int before = served;
  EXPECT_TRUE(Eventually([&] { return served > before + 100; }));
  stop = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(lost, 0);
}

TEST_F(InheritedSocketsTest, SayWhatIsWrong) {
  const auto mentions = [](const std::string& text, const std::string& what) {
    return text.rfind("echod: environment variable LISTEN_FD", 0) == 0 &&
           text.find(what) != std::string::npos;
  };
  const std::vector<int> both = {socket_.get(), other_.get()};
  std::string problem = Problem(both, "");
  EXPECT_TRUE(mentions(problem, "does not name the 2 sockets")) << problem;
  problem = Problem(both, "a:a");
  EXPECT_TRUE(mentions(problem, "two sockets are named a")) << problem;
  problem = Problem({socket_.get()}, "A");
  EXPECT_TRUE(mentions(problem, "FileDescriptorName=")) << problem;
  problem = Problem({NewSocket(false).get()}, "a");
  EXPECT_TRUE(mentions(problem, "not a listening stream socket")) << problem;
}

TEST_F(InheritedSocketsTest, AreIgnoredIfTheyAreForAnotherProcess) {
  ServerProcess::Options options;
  options.in_child = Passing({socket_.get()}, "blue", true);
  const ServerProcess server(options);
  TcpClient client = server.Connect();
  EXPECT_TRUE(Echoes(client, "on its own port"));
  EXPECT_NE(server.echo_address(), address_);
}

}  // namespace
}  // namespace echod::e2e

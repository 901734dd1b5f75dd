// SPDX-License-Identifier: Apache-2.0

#include "echo/testing/test_server.h"

#include <csignal>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "echo/base/check.h"
#include "echo/net/listen_socket.h"
#include "tests/support/eventually.h"

namespace echod {

using testing::Eventually;
using testing::TcpClient;

TestServer::TestServer(EchoServerOptions options) {
  std::signal(SIGPIPE, SIG_IGN);
  if (options.listeners.empty()) options.listeners = {Creation("default")};
  options.on_stopped = [this] { stopped_.set_value(); };
  std::promise<void> ready;
  thread_ = std::thread([this, &ready, &options] {
    loop_ = *EventLoop::Create();
    server_ = std::make_unique<EchoServer>(*loop_, clock_, std::move(options));
    const absl::Status started = server_->Start();
    ECHOD_CHECK(started.ok());
    ready.set_value();
    const absl::Status ended = loop_->Run();
    ECHOD_CHECK(ended.ok());
    server_.reset();
  });
  ready.get_future().wait();
}

TestServer::~TestServer() {
  OnMainLoop([](EchoServer& server) { server.StopNow(); });
  WaitUntilStopped();
  loop_->Stop();
  thread_.join();
  // Not on its own thread: that may be through before Stop has returned here.
  loop_.reset();
}

SocketAddress TestServer::address(const std::string& listener) const {
  return *SocketAddress::Parse(server_->GetListener(listener)->bound_address);
}

TcpClient TestServer::Connect(const TcpClient::Options& options) {
  return ConnectTo("default", options);
}

TcpClient TestServer::ConnectTo(const std::string& listener,
                                const TcpClient::Options& options) {
  std::optional<TcpClient> client =
      TcpClient::Connect(address(listener), options);
  ECHOD_CHECK(client.has_value());
  return *std::move(client);
}

void TestServer::AdvanceAndTick(absl::Duration by) {
  // On the loop's thread, so that a tick is either before or after it.
  std::int64_t looks = 0;
  OnMainLoop([&](EchoServer&) {
    clock_.Advance(by);
    looks = clock_.looks();
  });
  ECHOD_CHECK(Eventually([&] { return clock_.looks() > looks; }));
  OnMainLoop([](EchoServer&) {});  // the tick has come to its end
}

void TestServer::OnMainLoop(const std::function<void(EchoServer&)>& task) {
  std::promise<void> done;
  loop_->Post([this, &task, &done] {
    task(*server_);
    done.set_value();
  });
  done.get_future().wait();
}

absl::StatusOr<ListenerInfo> TestServer::Create(
    const ListenerCreation& creation) {
  return Await<ListenerInfo>([&](Reply<ListenerInfo> reply) {
    control().CreateListener(creation, std::move(reply));
  });
}

absl::StatusOr<ListenerInfo> TestServer::Pause(const ListenerPause& pause) {
  return Await<ListenerInfo>([&](Reply<ListenerInfo> reply) {
    control().PauseListener(pause, std::move(reply));
  });
}

absl::StatusOr<ListenerInfo> TestServer::Delete(
    const ListenerDeletion& deletion) {
  return Await<ListenerInfo>([&](Reply<ListenerInfo> reply) {
    control().DeleteListener(deletion, std::move(reply));
  });
}

absl::StatusOr<ListenerInfo> TestServer::Update(const ListenerUpdate& update) {
  return Await<ListenerInfo>([&](Reply<ListenerInfo> reply) {
    control().UpdateListener(update, std::move(reply));
  });
}

absl::StatusOr<ConnectionPage> TestServer::List(const ConnectionQuery& query) {
  absl::StatusOr<ConnectionParts> parts =
      Await<ConnectionParts>([&](Reply<ConnectionParts> reply) {
        control().ListConnections(query, std::move(reply));
      });
  if (!parts.ok()) return std::move(parts).status();
  return MergeParts(*std::move(parts));
}

absl::StatusOr<ConnectionInfo> TestServer::Get(std::uint64_t number) {
  return Await<ConnectionInfo>([&](Reply<ConnectionInfo> reply) {
    control().GetConnection(number, std::move(reply));
  });
}

absl::StatusOr<ConnectionInfo> TestServer::Close(std::uint64_t number,
                                                 CloseMode mode) {
  return Await<ConnectionInfo>([&](Reply<ConnectionInfo> reply) {
    control().CloseConnection(number, mode, std::move(reply));
  });
}

void TestServer::DrainAndWait(const DrainOptions& options) {
  const absl::StatusOr<ServerInfo> drain =
      Await<ServerInfo>([&](Reply<ServerInfo> reply) {
        control().Drain(options, std::move(reply));
      });
  ECHOD_CHECK(drain.ok());
  WaitUntilStopped();
}

void TestServer::WaitUntilStopped() { when_stopped_.wait(); }

EchoServerOptions Workers(int count) {
  EchoServerOptions options;
  options.worker_count = count;
  return options;
}

EchoServerOptions With(const ListenerSettings& settings) {
  EchoServerOptions options;
  options.listeners = {Creation("default")};
  options.listeners[0].settings = settings;
  return options;
}

EchoServerOptions Raw() { return With({.mode = EchoMode::kRaw}); }

std::int64_t Closed(TestServer& server, CloseReason reason) {
  return server.control()
      .GetStats()
      .total.closed[static_cast<std::size_t>(reason)];
}

bool WaitUntilReceived(TestServer& server, std::uint64_t number,
                       std::int64_t bytes) {
  return Eventually([&] {
    const absl::StatusOr<ConnectionInfo> info = server.Get(number);
    return info.ok() && info->bytes_received == bytes;
  });
}

std::size_t SendUntilStuck(TestServer& server, testing::TcpClient& client,
                           const std::string& bytes, std::uint64_t number) {
  std::size_t sent = 0;
  for (;;) {
    const std::size_t more =
        client.SendSome(absl::string_view(bytes).substr(sent));
    sent += more;
    const absl::StatusOr<ConnectionInfo> info = server.Get(number);
    ECHOD_CHECK(info.ok());
    ECHOD_CHECK(sent < bytes.size());  // it has to get stuck before
    if (more == 0 && info->reading_paused) return sent;
  }
}

ListenerCreation Creation(const std::string& id) {
  ListenerCreation creation;
  creation.id = id;
  creation.address = "127.0.0.1";
  return creation;
}

ListenerUpdate Update() {
  ListenerUpdate update;
  update.id = "default";
  return update;
}

ListenerUpdate MoveTo(int port) {
  ListenerUpdate update = Update();
  update.port = port;
  return update;
}

int HeldPort(UniqueFd& holder) {
  ListenSocket held =
      *OpenListenSocket(*SocketAddress::Parse("127.0.0.1:0"), 1);
  holder = std::move(held.fd);
  return held.address.port();
}

}  // namespace echod

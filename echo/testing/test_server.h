// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_TESTING_TEST_SERVER_H_
#define ECHO_TESTING_TEST_SERVER_H_

#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echo/control/connection_control.h"
#include "echo/control/connection_info.h"
#include "echo/control/listener_control.h"
#include "echo/control/listener_settings.h"
#include "echo/control/reply.h"
#include "echo/control/server_control.h"
#include "echo/event/event_loop.h"
#include "echo/server/echo_server.h"
#include "echo/testing/fake_clock.h"
#include "tests/support/tcp_client.h"

namespace echod {

// A complete data plane for tests. Its main loop runs on its own thread, its
// clock is a FakeClock, and unless the options say otherwise it has a listener
// "default" on a loopback port that the kernel chooses.
class TestServer {
 public:
  explicit TestServer(EchoServerOptions options = {});
  ~TestServer();

  FakeClock& clock() { return clock_; }
  // Tests may call the methods of the control interfaces, from any thread.
  EchoServer& control() { return *server_; }

  SocketAddress address(const std::string& listener = "default") const;
  testing::TcpClient Connect(const testing::TcpClient::Options& options = {});
  testing::TcpClient ConnectTo(const std::string& listener,
                               const testing::TcpClient::Options& options = {});

  // Advances the clock, and returns when the connections have checked the
  // deadlines that have come, at most a turn's worth. For servers with one
  // worker on which a connection has a deadline and nothing else happens.
  void AdvanceAndTick(absl::Duration by);

  // Runs `task` on the main loop, and waits for it.
  void OnMainLoop(const std::function<void(EchoServer&)>& task);

  // Blocks until `call`, given a Reply, is answered.
  template <typename T>
  static absl::StatusOr<T> Await(const std::function<void(Reply<T>)>& call) {
    std::promise<absl::StatusOr<T>> promise;
    call(Reply<T>([&promise](absl::StatusOr<T> answer) {
      promise.set_value(std::move(answer));
    }));
    return promise.get_future().get();
  }

  absl::StatusOr<ListenerInfo> Create(const ListenerCreation& creation);
  absl::StatusOr<ListenerInfo> Pause(const ListenerPause& pause);
  absl::StatusOr<ListenerInfo> Delete(const ListenerDeletion& deletion);
  absl::StatusOr<ListenerInfo> Update(const ListenerUpdate& update);
  absl::StatusOr<ConnectionPage> List(const ConnectionQuery& query);
  absl::StatusOr<ConnectionInfo> Get(std::uint64_t number);
  absl::StatusOr<ConnectionInfo> Close(std::uint64_t number, CloseMode mode);

  // Begins a drain, and returns when the data plane has ended.
  void DrainAndWait(const DrainOptions& options);
  // Returns when the data plane has ended.
  void WaitUntilStopped();

 private:
  FakeClock clock_;
  std::promise<void> stopped_;
  std::shared_future<void> when_stopped_ = stopped_.get_future().share();
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<EchoServer> server_;
  std::thread thread_;
};

// Options of a server with `count` workers.
EchoServerOptions Workers(int count);

// Options of a server whose listener has these settings; and in RAW mode.
EchoServerOptions With(const ListenerSettings& settings);
EchoServerOptions Raw();

// The number of connections that have been closed for `reason`.
std::int64_t Closed(TestServer& server, CloseReason reason);

// Waits until the server's connection `number` exists and has received `bytes`.
// False on timeout.
bool WaitUntilReceived(TestServer& server, std::uint64_t number,
                       std::int64_t bytes);

// Sends on the server's connection `number`, while the client does not read,
// until both sides are full. Returns the number of bytes sent.
std::size_t SendUntilStuck(TestServer& server, testing::TcpClient& client,
                           const std::string& bytes, std::uint64_t number);

// A listener on a loopback port that the kernel chooses.
ListenerCreation Creation(const std::string& id);

// An empty update of the test server's listener; and one of its port.
ListenerUpdate Update();
ListenerUpdate MoveTo(int port);

// A loopback port that `holder` keeps bound until it is destroyed.
int HeldPort(UniqueFd& holder);

}  // namespace echod

#endif  // ECHO_TESTING_TEST_SERVER_H_

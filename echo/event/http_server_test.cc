// SPDX-License-Identifier: Apache-2.0

#include "echo/event/http_server.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "echo/base/logging.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echo/event/event_loop.h"
#include "echo/event/libevent.h"
#include "gtest/gtest.h"
#include "tests/support/eventually.h"
#include "tests/support/refused_system_call.h"
#include "tests/support/tcp_client.h"

namespace echod {
namespace {

using testing::Eventually;
using testing::TcpClient;

constexpr absl::Duration kNever = absl::Hours(1);
constexpr char kGet[] = "GET /it HTTP/1.1\r\nHost: a\r\n\r\n";

// No time passes unless a test says so.
HttpLimits Patient() {
  return {.patience = kNever,
          .request_timeout = kNever,
          .send_timeout = kNever,
          .idle_timeout = kNever};
}

UniqueFd Listen(SocketAddress* bound) {
  UniqueFd listening(
      socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(bind(listening.get(), reinterpret_cast<sockaddr*>(&address),
                 sizeof address),
            0);
  EXPECT_EQ(listen(listening.get(), 128), 0);
  *bound = LocalAddress(listening.get());
  return listening;
}

class HttpServerTest : public ::testing::Test {
 protected:
  // Runs a server on a thread of its own. The handler answers with the path.
  void Start(const HttpLimits& limits) {
    UniqueFd listening = Listen(&address_);
    loop_ = *EventLoop::Create();
    http_ = std::make_unique<HttpServer>(
        *loop_, std::move(listening), address_.ToString(), limits,
        [this](const HttpRequest& request) {
          ++handled_;
          return HttpAnswer{
              .status = request.path == "/no" ? 503 : 200,
              .body = absl::StrCat("path ", request.path, " accept ",
                                   request.accept, padding_)};
        });
    thread_ = std::thread([this] {
      EXPECT_TRUE(loop_->Run().ok());
      http_.reset();
    });
  }
  ~HttpServerTest() override {
    loop_->Stop();
    thread_.join();
  }

  TcpClient Connect(const TcpClient::Options& options = {}) {
    std::optional<TcpClient> client = TcpClient::Connect(address_, options);
    EXPECT_TRUE(client.has_value());
    return *std::move(client);
  }

  // One answer, by its Content-Length.
  static std::string ReadAnswer(TcpClient& client) {
    std::string text;
    while (!absl::EndsWith(text, "\r\n\r\n")) {
      const std::string byte = client.Read(1);
      if (byte.empty()) return text;
      text += byte;
    }
    const std::string length_header = "Content-Length: ";
    const std::size_t at = text.find(length_header);
    if (at == std::string::npos) return text;
    const int length = std::stoi(text.substr(at + length_header.size()));
    return text + client.Read(static_cast<std::size_t>(length));
  }

  std::string Ask(absl::string_view request) {
    TcpClient client = Connect();
    client.Send(request);
    return ReadAnswer(client);
  }

  // Runs `closure` on the loop, and waits for it.
  template <typename F>
  auto OnLoop(F closure) {
    std::promise<decltype(closure())> result;
    loop_->Post([&] { result.set_value(closure()); });
    return result.get_future().get();
  }
  HttpFigures Figures() {
    return OnLoop([this] { return http_->figures(); });
  }

  std::string padding_;  // of answers
  std::atomic<int> handled_{0};
  SocketAddress address_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<HttpServer> http_;
  std::thread thread_;
};

TEST_F(HttpServerTest, AnswersOneRequestAfterAnother) {
  Start(Patient());
  TcpClient client = Connect();
  for (int i = 0; i < 3; ++i) {
    client.Send(
        "GET /a?b=c HTTP/1.1\r\nAccept: x\r\nHost: a\r\naccept: y\r\n\r\n");
    const std::string answer = ReadAnswer(client);
    EXPECT_TRUE(absl::StartsWith(answer, "HTTP/1.1 200 OK\r\n")) << answer;
    EXPECT_TRUE(absl::EndsWith(answer, "path /a accept x,y")) << answer;
  }
  const HttpFigures figures = Figures();
  EXPECT_EQ(figures.accepted, 1);
  EXPECT_EQ(figures.active, 1);
  EXPECT_EQ(figures.answers.at(200), 3);
}

TEST_F(HttpServerTest, HeadHasTheLengthAndNoBody) {
  Start(Patient());
  TcpClient client = Connect();
  client.Send("HEAD /it HTTP/1.1\r\nConnection: close\r\n\r\n");
  const std::string answer = client.ReadToEnd();
  EXPECT_NE(answer.find("Content-Length: 16\r\n"), std::string::npos) << answer;
  EXPECT_TRUE(absl::EndsWith(answer, "\r\n\r\n")) << answer;
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
  Start(Patient());
  TcpClient client = Connect();
  std::string requests;
  for (int i = 0; i < 200; ++i) {
    absl::StrAppend(&requests, "GET /", i, " HTTP/1.1\r\n\r\n");
  }
  ASSERT_TRUE(client.Send(requests));
  for (int i = 0; i < 200; ++i) {
    EXPECT_TRUE(absl::EndsWith(ReadAnswer(client),
                               absl::StrCat("path /", i, " accept ")));
  }
}

TEST_F(HttpServerTest, OtherMethodsAreRefusedWithThosePermitted) {
  Start(Patient());
  for (const char* method :
       {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"}) {
    const std::string answer =
        Ask(absl::StrCat(method, " /it HTTP/1.1\r\nHost: a\r\n\r\n"));
    EXPECT_TRUE(absl::StartsWith(answer, "HTTP/1.1 405 ")) << answer;
    EXPECT_NE(answer.find("Allow: GET, HEAD\r\n"), std::string::npos) << answer;
  }
  EXPECT_TRUE(
      absl::StartsWith(Ask("BREW / HTTP/1.1\r\n\r\n"), "HTTP/1.1 501 "));
  EXPECT_EQ(handled_, 0);
}

TEST_F(HttpServerTest, GarbageIsAnsweredWithAnErrorOrNothingAndCutOff) {
  Start(Patient());
  for (const absl::string_view garbage : {
           absl::string_view("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n"),
           absl::string_view("\r\n\r\n"),
           absl::string_view("GET\r\n\r\n"),
           absl::string_view("GET /it\r\n\r\n"),
           absl::string_view("GET /it HTTP/9.9\r\n\r\n"),
           absl::string_view("GET /it FTP/1.1\r\n\r\n"),
           absl::string_view("GET /it HTTP/1.1\r\nno colon\r\n\r\n"),
           absl::string_view("GET /it HTTP/1.1\r\nContent-Length: -1\r\n\r\n"),
           absl::string_view("GET /it HTTP/1.1\r\nContent-Length: x\r\n\r\n"),
           absl::string_view("GET \0/it HTTP/1.1\r\n\r\n", 22),
           absl::string_view("GET http://[::/it HTTP/1.1\r\n\r\n"),
           absl::string_view("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
       }) {
    TcpClient client = Connect();
    client.Send(garbage);
    client.FinishSending();
    TcpClient::End end = TcpClient::End::kTimeout;
    const std::string answer = client.ReadToEnd(&end);
    EXPECT_NE(end, TcpClient::End::kTimeout) << garbage;
    EXPECT_FALSE(absl::StrContains(answer, " 200 ")) << garbage << answer;
  }
  EXPECT_TRUE(absl::StrContains(Ask(kGet), " 200 "));
  EXPECT_TRUE(Eventually([&] { return Figures().active == 0; }));
}

TEST_F(HttpServerTest, HeadersAreLimited) {
  Start(Patient());
  for (const char* start : {"GET /", "GET / HTTP/1.1\r\nX: "}) {
    TcpClient client = Connect();
    client.Send(start);
    client.Send(std::string(100'000, 'a'));
    // The end may be a reset, which can destroy the answer.
    EXPECT_NE(client.WaitForEnd(), TcpClient::End::kTimeout);
  }
  TcpClient client = Connect();
  client.Send("GET / HTTP/1.1\r\n");
  for (int i = 0; i < 1000; ++i) client.Send("X: 0123456789\r\n");
  EXPECT_NE(client.WaitForEnd(), TcpClient::End::kTimeout);
  EXPECT_EQ(handled_, 0);
}

TEST_F(HttpServerTest, BodiesAreLimited) {
  Start(Patient());
  const std::string answer =
      Ask("POST /it HTTP/1.1\r\nContent-Length: 4097\r\n\r\n");
  EXPECT_TRUE(absl::StartsWith(answer, "HTTP/1.1 413 ")) << answer;
}

TEST_F(HttpServerTest, NothingThatFollowsABodyIsARequest) {
  Start(Patient());
  for (const char* body :
       {"Content-Length: 4\r\n\r\nbody", "Content-Length: 0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"}) {
    handled_ = 0;
    TcpClient client = Connect();
    client.Send(absl::StrCat("GET /it HTTP/1.1\r\n", body,
                             "GET /smuggled HTTP/1.1\r\n\r\n"));
    const std::string answer = client.ReadToEnd();
    EXPECT_LE(handled_, 1) << body;
    EXPECT_FALSE(absl::StrContains(answer, "smuggled")) << body;
  }
}

TEST_F(HttpServerTest, BytesNowAndThenDoNotExtendTheTimeForARequest) {
  HttpLimits limits = Patient();
  limits.request_timeout = absl::Milliseconds(100);
  Start(limits);
  TcpClient client = Connect({.timeout = absl::Milliseconds(10)});
  client.Send("GET / HTTP/1.1\r\nX: ");
  // A byte every 10 ms, until the server ends it.
  const absl::Time start = absl::Now();
  TcpClient::End end = TcpClient::End::kTimeout;
  ASSERT_TRUE(Eventually([&] {
    client.Send("a");
    end = client.WaitForEnd();
    return end != TcpClient::End::kTimeout;
  }));
  // Much less than the bytes would take to fill the limit of headers.
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
  EXPECT_EQ(Figures().timed_out, 1);
  EXPECT_EQ(handled_, 0);
}

TEST_F(HttpServerTest, ALaterRequestHasTheSameTimeFromItsFirstByte) {
  HttpLimits limits = Patient();
  limits.request_timeout = absl::Milliseconds(50);
  Start(limits);
  TcpClient client = Connect();
  client.Send(kGet);
  ReadAnswer(client);
  client.Send("G");
  EXPECT_EQ(client.WaitForEnd(), TcpClient::End::kEof);
  // Or with the request before.
  TcpClient other = Connect();
  other.Send(absl::StrCat(kGet, "G"));
  ReadAnswer(other);
  EXPECT_EQ(other.WaitForEnd(), TcpClient::End::kEof);
  EXPECT_EQ(Figures().timed_out, 2);
}

TEST_F(HttpServerTest, IdleConnectionsAreClosed) {
  HttpLimits limits = Patient();
  limits.idle_timeout = absl::Milliseconds(50);
  Start(limits);
  TcpClient client = Connect();
  client.Send(kGet);
  ReadAnswer(client);
  EXPECT_EQ(client.WaitForEnd(), TcpClient::End::kEof);
  EXPECT_EQ(Figures().timed_out, 1);
}

TEST_F(HttpServerTest, ClientsThatDoNotReadAreClosed) {
  padding_ = std::string(32 << 20, 'x');
  HttpLimits limits = Patient();
  limits.send_timeout = absl::Milliseconds(50);
  Start(limits);
  TcpClient client = Connect({.receive_buffer = 4096});
  client.Send(kGet);
  EXPECT_TRUE(Eventually([&] { return Figures().timed_out == 1; }));
  EXPECT_TRUE(Eventually([&] { return Figures().active == 0; }));
}

TEST_F(HttpServerTest, AtTheMaximumOthersWaitInTheBacklog) {
  HttpLimits limits = Patient();
  limits.max_connections = 2;
  Start(limits);
  TcpClient first = Connect();
  TcpClient second = Connect();
  for (TcpClient* client : {&first, &second}) {
    client->Send(kGet);
    ReadAnswer(*client);
  }
  TcpClient third = Connect();
  third.Send(kGet);
  for (int i = 0; i < 10; ++i) {
    first.Send(kGet);
    ReadAnswer(first);
  }
  EXPECT_EQ(Figures().accepted, 2);
  second.Reset();
  EXPECT_TRUE(absl::StrContains(ReadAnswer(third), " 200 "));
  EXPECT_EQ(Figures().replaced, 0);
}

TEST_F(HttpServerTest, AtTheMaximumTheOneThatWaitedLongestIsReplaced) {
  HttpLimits limits = Patient();
  limits.max_connections = 2;
  limits.patience = absl::Milliseconds(1);
  Start(limits);
  TcpClient silent = Connect();
  ASSERT_TRUE(Eventually([&] { return Figures().active == 1; }));
  TcpClient idle = Connect();
  idle.Send(kGet);
  ReadAnswer(idle);
  EXPECT_TRUE(absl::StrContains(Ask(kGet), " 200 "));
  EXPECT_EQ(silent.WaitForEnd(), TcpClient::End::kEof);
  EXPECT_EQ(Figures().replaced, 1);
  idle.Send(kGet);
  EXPECT_TRUE(absl::StrContains(ReadAnswer(idle), " 200 "));
}

TEST_F(HttpServerTest, WaitsForDescriptorsWithoutSpinning) {
  Start(Patient());
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  // One descriptor is left, for the client.
  rlimit one = before;
  {
    const UniqueFd lowest(fcntl(0, F_DUPFD_CLOEXEC, 0));
    one.rlim_cur = static_cast<rlim_t>(lowest.get()) + 1;
  }
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &one), 0);
  const absl::Time start = absl::Now();
  TcpClient client = Connect();
  client.Send(kGet);
  EXPECT_TRUE(Eventually([&] { return Figures().accept_errors == 4; }));
  // Three back-offs: 10, 20 and 40 ms, less what libevent's cached time lags.
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(50));
  EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(absl::StrContains(ReadAnswer(client), " 200 "));
}

// evhttp closes the socket twice, and the second time it may be another's.
TEST(HttpServerShortageTest, AConnectionWithoutAWatchIsClosedOnce) {
  bool refused = false;
  std::thread([&] {
    SocketAddress address;
    UniqueFd listening = Listen(&address);
    const auto loop = *EventLoop::Create();
    HttpServer http(
        *loop, std::move(listening), "here", Patient(),
        [](const HttpRequest& /*request*/) -> HttpAnswer { return {}; });
    // Comes in the same turn, after evhttp has given the connection up.
    UniqueFd mine;
    const UniqueFd next(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    const EventPtr take(event_new(
        loop->base(), next.get(), EV_READ,
        [](evutil_socket_t /*fd*/, short /*what*/, void* fd) {
          static_cast<UniqueFd*>(fd)->Reset(fcntl(0, F_DUPFD_CLOEXEC, 0));
        },
        &mine));
    event_add(take.get(), nullptr);
    LogInfo("here");  // opens what the log needs
    const auto turn = [&] { event_base_loop(loop->base(), EVLOOP_NONBLOCK); };
    turn();
    refused = testing::RefuseSystemCall(SYS_epoll_ctl, ENOSPC);
    if (!refused) return;
    const std::optional<TcpClient> client = TcpClient::Connect(address);
    ASSERT_TRUE(client.has_value());
    ASSERT_EQ(eventfd_write(next.get(), 1), 0);
    for (int i = 0; i < 5; ++i) turn();
    ASSERT_TRUE(mine.valid());  // with the number of the connection's
    EXPECT_NE(fcntl(mine.get(), F_GETFD), -1);
    EXPECT_GE(http.figures().accept_errors, 1);
    EXPECT_EQ(http.figures().active, 0);
  }).join();
  if (!refused) GTEST_SKIP() << "system calls cannot be refused here";
}

TEST_F(HttpServerTest, StopLetsAnswersFinish) {
  padding_ = std::string(32 << 20, 'x');
  Start(Patient());
  TcpClient idle = Connect();
  ASSERT_TRUE(Eventually([&] { return Figures().active == 1; }));
  TcpClient reading = Connect({.receive_buffer = 4096});
  reading.Send(kGet);
  ASSERT_TRUE(Eventually([&] { return handled_ == 1; }));
  std::promise<void> stopped;
  loop_->Post([&] { http_->Stop([&] { stopped.set_value(); }); });
  EXPECT_EQ(idle.WaitForEnd(), TcpClient::End::kEof);
  EXPECT_FALSE(TcpClient::Connect(address_).has_value());
  EXPECT_GT(ReadAnswer(reading).size(), padding_.size());
  EXPECT_EQ(reading.WaitForEnd(), TcpClient::End::kEof);
  stopped.get_future().get();
}

}  // namespace
}  // namespace echod

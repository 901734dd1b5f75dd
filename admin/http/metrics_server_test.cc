// SPDX-License-Identifier: Apache-2.0

#include "admin/http/metrics_server.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "admin/testing/fake_server_control.h"
#include "admin/transport/admin_counters.h"
#include "admin/transport/health_state.h"
#include "echo/base/socket_address.h"
#include "echo/control/close_reason.h"
#include "gtest/gtest.h"
#include "tests/support/http_get.h"
#include "tests/support/tcp_client.h"

namespace echod {
namespace {

using testing::TcpClient;

class MetricsServerTest : public ::testing::Test {
 protected:
  void Start() {
    auto started =
        MetricsServer::Start({.address = "127.0.0.1:0", .version = "1.2.3"},
                             control_, counters_, health_);
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
  }

  std::string Get(absl::string_view path, absl::string_view headers = "") {
    return testing::HttpGet(server_->bound_address(), path, headers);
  }

  // The value of a sample, named as in the text; empty: there is none.
  std::string Sample(absl::string_view name) {
    for (const absl::string_view line : absl::StrSplit(Get("/metrics"), '\n')) {
      if (absl::StartsWith(line, absl::StrCat(name, " "))) {
        return std::string(line.substr(name.size() + 1));
      }
    }
    return "";
  }

  FakeServerControl control_;
  AdminCounters counters_;
  HealthState health_;
  std::unique_ptr<MetricsServer> server_;
};

TEST_F(MetricsServerTest, HealthSaysInWordsWhatIsWrong) {
  Start();
  EXPECT_TRUE(absl::StartsWith(Get("/livez"), "HTTP/1.1 200 "));
  EXPECT_TRUE(absl::StartsWith(Get("/healthz"), "HTTP/1.1 503 "));
  EXPECT_TRUE(absl::StartsWith(Get("/readyz"), "HTTP/1.1 503 "));

  health_.SetServing();
  EXPECT_TRUE(absl::EndsWith(Get("/livez"), "\r\n\r\nok\n"));
  EXPECT_TRUE(absl::EndsWith(Get("/healthz"), "\r\n\r\nok\n"));
  EXPECT_TRUE(absl::EndsWith(Get("/readyz"), "\r\n\r\nok\n"));
  EXPECT_EQ(Sample("echod_ready"), "1");

  health_.SetListeners({.listeners = {}, .configured = {{"a", {}}}});
  EXPECT_TRUE(absl::EndsWith(Get("/healthz"), "\r\n\r\nok\n"));
  std::string answer = Get("/readyz");
  EXPECT_TRUE(absl::StartsWith(answer, "HTTP/1.1 503 ")) << answer;
  EXPECT_TRUE(absl::EndsWith(answer, "\r\n\r\nlistener a has been deleted\n"))
      << answer;
  EXPECT_EQ(Sample("echod_ready"), "0");
  health_.SetListeners({});

  health_.SetDraining(/*ready=*/true);
  EXPECT_TRUE(absl::EndsWith(Get("/livez"), "\r\n\r\nok\n"));
  EXPECT_TRUE(absl::EndsWith(Get("/readyz"), "\r\n\r\nok\n"));
  EXPECT_EQ(Sample("echod_ready"), "1");
  answer = Get("/healthz");
  EXPECT_TRUE(absl::StartsWith(answer, "HTTP/1.1 503 ")) << answer;
  EXPECT_TRUE(absl::EndsWith(answer, "\r\n\r\nechod is draining\n")) << answer;

  health_.SetFailed("worker 3 failed");
  health_.SetFailed("something that follows from it");
  answer = Get("/livez");
  EXPECT_TRUE(absl::StartsWith(answer, "HTTP/1.1 503 ")) << answer;
  EXPECT_TRUE(absl::EndsWith(answer, "\r\n\r\nworker 3 failed\n")) << answer;
}

TEST_F(MetricsServerTest, OtherPathsNameThosePresent) {
  Start();
  for (const char* path : {"/", "/metrics/", "/health", "*"}) {
    const std::string answer = Get(path);
    EXPECT_TRUE(absl::StartsWith(answer, "HTTP/1.1 404 ")) << answer;
    EXPECT_TRUE(
        absl::StrContains(answer, "/healthz\n/livez\n/metrics\n/readyz\n"));
  }
}

TEST_F(MetricsServerTest, FiguresHaveListenersWorkersAndReasons) {
  Counters& listener = control_.stats.listeners["a"];
  listener.accepted = 5;
  listener.closed[static_cast<std::size_t>(CloseReason::kDrained)] = 2;
  listener.rejected_max_total_connections = 4;
  control_.stats.workers.resize(2);
  control_.stats.workers[1].bytes_received = 7;
  control_.stats.total = listener;
  control_.stats.uptime = absl::Milliseconds(1500);
  counters_.rejected[static_cast<std::size_t>(AdminRejection::kNotHttp2)] = 3;
  Start();
  for (const auto& [name, value] : {
           std::pair(R"(echod_connections_accepted_total{listener="a"})", "5"),
           {R"(echod_connections_closed_total{listener="a",reason="drained"})",
            "2"},
           {R"(echod_connections_rejected_total{listener="a",)"
            R"(reason="max_total_connections"})",
            "4"},
           {R"(echod_worker_bytes_received_total{worker="0"})", "0"},
           {R"(echod_worker_bytes_received_total{worker="1"})", "7"},
           {"echod_uptime_seconds", "1.5"},
           {R"(echod_admin_connections_rejected_total{reason="not_http2"})",
            "3"},
           {R"(echod_build_info{version="1.2.3"})", "1"},
           {"echod_http_connections_active", "1"},
       }) {
    EXPECT_EQ(Sample(name), value) << name;
  }
  EXPECT_NE(Sample(R"(echod_http_answers_total{code="200"})"), "");
}

TEST_F(MetricsServerTest, TheSumOverListenersIsTheTotal) {
  Counters& listener = control_.stats.listeners["a"];
  listener.accepted = 5;
  listener.active = 1;
  control_.stats.listeners["b"].accepted = 2;
  control_.stats.total.accepted = 17;
  control_.stats.total.active = 1;
  control_.stats.total.closed[0] = 9;
  Start();
  constexpr char kDeleted[] =
      "echod_connections_accepted_total{listener=\"(deleted)\"}";
  EXPECT_EQ(Sample(kDeleted), "10");
  EXPECT_EQ(Sample("echod_connections_closed_total{listener=\"(deleted)\","
                   "reason=\"peer_closed\"}"),
            "9");
  EXPECT_EQ(Sample("echod_connections_active{listener=\"(deleted)\"}"), "");
  server_.reset();
  control_.stats.total.accepted = 7;
  Start();
  EXPECT_EQ(Sample(kDeleted), "");
}

TEST_F(MetricsServerTest, TheAcceptHeaderChoosesTheFormat) {
  Start();
  const std::string text = Get("/metrics");
  EXPECT_TRUE(absl::StrContains(
      text, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  EXPECT_FALSE(absl::StrContains(text, "# EOF"));
  const std::string open_metrics =
      Get("/metrics", "Accept: application/openmetrics-text\r\n");
  EXPECT_TRUE(absl::StrContains(open_metrics,
                                "Content-Type: application/openmetrics-text; "
                                "version=1.0.0; charset=utf-8\r\n"));
  EXPECT_TRUE(absl::EndsWith(open_metrics, "\n# EOF\n"));
}

TEST_F(MetricsServerTest, ATakenPortIsAnErrorThatSaysSo) {
  Start();
  const absl::Status status =
      MetricsServer::Start({.address = server_->bound_address()}, control_,
                           counters_, health_)
          .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(absl::StrContains(status.message(), "already in use"));
}

TEST_F(MetricsServerTest, StopClosesThePort) {
  Start();
  const SocketAddress address = *SocketAddress::Parse(server_->bound_address());
  std::optional<TcpClient> idle = TcpClient::Connect(address);
  EXPECT_NE(Sample("echod_ready"), "");
  server_->Stop(absl::Seconds(10));
  EXPECT_NE(idle->WaitForEnd(), TcpClient::End::kTimeout);
  EXPECT_FALSE(TcpClient::Connect(address).has_value());
  server_->Stop(absl::ZeroDuration());  // again: no effect
}

}  // namespace
}  // namespace echod

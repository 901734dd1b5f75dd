// SPDX-License-Identifier: Apache-2.0

// Figures and health over HTTP are those of the admin API.

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "echo/base/socket_address.h"
#include "echod/admin/v1/admin.pb.h"
#include "gtest/gtest.h"
#include "src/proto/grpc/health/v1/health.grpc.pb.h"
#include "tests/e2e/admin_client.h"
#include "tests/e2e/health_client.h"
#include "tests/support/http_get.h"
#include "tests/support/server_process.h"
#include "tests/support/tcp_client.h"

namespace echod {
namespace {

using e2e::AdminClient;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using testing::ServerProcess;
using testing::TcpClient;

std::string Get(const ServerProcess& server, absl::string_view path) {
  return testing::HttpGet(server.http_address(), path);
}

// Sample, with its labels, to value.
std::map<std::string, double> Scrape(const ServerProcess& server) {
  std::map<std::string, double> samples;
  const std::vector<std::string> lines =
      absl::StrSplit(Get(server, "/metrics"), '\n');
  for (const std::string& line : lines) {
    const std::size_t space = line.rfind(' ');
    double value = 0;
    if (absl::StartsWith(line, "#") || space == std::string::npos ||
        !absl::SimpleAtod(line.substr(space + 1), &value)) {
      continue;
    }
    samples[line.substr(0, space)] = value;
  }
  return samples;
}

using Labels = std::vector<std::string>;

std::string Name(absl::string_view name, const Labels& labels) {
  if (labels.empty()) return std::string(name);
  return absl::StrCat(name, "{", absl::StrJoin(labels, ","), "}");
}

std::map<std::string, double> HistogramSamples(
    const admin::v1::Histogram& histogram, absl::string_view name,
    const Labels& labels) {
  Labels all = labels;
  all.push_back("le=\"+Inf\"");
  const auto count = static_cast<double>(histogram.count());
  return {{Name(absl::StrCat(name, "_seconds_bucket"), all), count},
          {Name(absl::StrCat(name, "_seconds_count"), labels), count},
          {Name(absl::StrCat(name, "_seconds_sum"), labels),
           histogram.sum_seconds()}};
}

// The samples of a field of counters, without a prefix, and their values. A map
// is by reason.
std::map<std::string, double> SamplesOf(const Message& message,
                                        const FieldDescriptor& field,
                                        const Labels& labels) {
  const Reflection& reflection = *message.GetReflection();
  if (field.message_type() == admin::v1::Histogram::descriptor()) {
    admin::v1::Histogram histogram;
    histogram.CopyFrom(reflection.GetMessage(message, &field));
    return HistogramSamples(histogram, field.name(), labels);
  }
  if (!field.is_map()) {
    EXPECT_EQ(field.cpp_type(), FieldDescriptor::CPPTYPE_INT64)
        << field.full_name() << ": say here which metric it is";
    return {{Name(field.name(), labels),
             static_cast<double>(reflection.GetInt64(message, &field))}};
  }
  std::map<std::string, double> samples;
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    const Message& entry = reflection.GetRepeatedMessage(message, &field, i);
    Labels more = labels;
    more.push_back(absl::StrCat("reason=\"",
                                entry.GetReflection()->GetString(
                                    entry, field.message_type()->map_key()),
                                "\""));
    samples[Name(field.name(), more)] =
        static_cast<double>(entry.GetReflection()->GetInt64(
            entry, field.message_type()->map_value()));
  }
  // Reasons that have not occurred are there as well.
  EXPECT_FALSE(samples.empty()) << field.full_name();
  return samples;
}

// Expects a sample for each field of `message`, and its value. Those in `never`
// are never counted here, and have none.
void ExpectSamples(const Message& message, absl::string_view prefix,
                   const Labels& labels,
                   const std::map<std::string, double>& samples,
                   const std::set<std::string>& never = {}) {
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *message.GetDescriptor()->field(i);
    for (const auto& [name, value] : SamplesOf(message, field, labels)) {
      if (never.count(field.name()) != 0) {
        EXPECT_EQ(value, 0) << name;
        continue;
      }
      const auto found = samples.find(absl::StrCat(prefix, name));
      ASSERT_NE(found, samples.end()) << "no metric " << prefix << name;
      EXPECT_DOUBLE_EQ(found->second, value) << name;
    }
  }
}

TEST(MetricsTest, EveryFieldOfGetStatsIsAMetric) {
  const ServerProcess server(
      {"--http_address=127.0.0.1:0", "--workers=2", "--max_connections=4"});
  AdminClient admin(server);
  std::vector<TcpClient> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(server.Connect());
    clients.back().Send("hello\n");
    clients.back().Read(15);
  }
  EXPECT_EQ(server.Connect().WaitForEnd(), TcpClient::End::kReset);
  clients.pop_back();
  admin::v1::Stats stats;
  while ((stats = admin.Stats()).total().connections_active() != 3) {
  }

  const std::map<std::string, double> samples = Scrape(server);
  const google::protobuf::Descriptor& all = *admin::v1::Stats::descriptor();
  for (int i = 0; i < all.field_count(); ++i) {
    const FieldDescriptor& field = *all.field(i);
    // Prometheus records its own time, and its counters are never reset. The
    // total is the sum over the listeners; see below.
    if (field.name() == "time" || field.name() == "reset_time" ||
        field.name() == "total") {
      continue;
    }
    if (field.name() == "uptime") {
      EXPECT_GT(samples.at("echod_uptime_seconds"), 0);
    } else if (field.name() == "listeners") {
      ASSERT_EQ(stats.listeners_size(), 1);
      ExpectSamples(stats.listeners().at("listeners/default"), "echod_",
                    {"listener=\"default\""}, samples);
    } else if (field.name() == "workers") {
      for (const admin::v1::WorkerStats& worker : stats.workers()) {
        ASSERT_EQ(worker.GetDescriptor()->field_count(), 3);
        // It goes on while there are connections.
        EXPECT_GE(samples.at(absl::StrCat(
                      "echod_worker_loop_lag_seconds_count{worker=\"",
                      worker.worker(), "\"}")),
                  static_cast<double>(worker.loop_lag().count()));
        ExpectSamples(worker.counters(), "echod_worker_",
                      {absl::StrCat("worker=\"", worker.worker(), "\"")},
                      samples,
                      {"accept_errors_total", "connections_rejected_total"});
      }
    } else if (field.name() == "log_lines_dropped_total") {
      EXPECT_EQ(samples.at("echod_log_lines_dropped_total"),
                static_cast<double>(stats.log_lines_dropped_total()));
    } else if (field.name() == "access_log_records_dropped_total") {
      EXPECT_EQ(samples.at("echod_access_log_records_dropped_total"), 0);
    } else if (field.name() == "config_reloads_total") {
      for (const auto& [outcome, count] : stats.config_reloads_total()) {
        EXPECT_EQ(samples.at(absl::StrCat(
                      "echod_config_reloads_total{outcome=\"", outcome, "\"}")),
                  static_cast<double>(count));
      }
    } else if (field.name() == "config_last_reload_success_time") {
      EXPECT_EQ(
          samples.at("echod_config_last_reload_success_timestamp_seconds"), 0);
    } else if (field.name() == "admin") {
      ExpectSamples(stats.admin(), "echod_admin_", {}, samples);
    } else {
      ADD_FAILURE() << field.full_name() << ": say here which metric it is";
    }
  }
  EXPECT_EQ(samples.at("echod_connections_active{listener=\"default\"}"), 3);
  EXPECT_EQ(samples.at("echod_bytes_received_total{listener=\"default\"}"),
            4 * 6);
  EXPECT_EQ(
      samples.at("echod_echo_latency_seconds_count{listener=\"default\"}"), 4);
  EXPECT_EQ(samples.at("echod_workers"), 2);
  EXPECT_GT(samples.at("process_open_fds"), 10);
}

TEST(MetricsTest, HealthChangesWithThatOverGrpc) {
  using grpc::health::v1::HealthCheckResponse;
  const ServerProcess server(
      {"--http_address=127.0.0.1:0", "--drain_grace_period=1h"});
  AdminClient admin(server);
  e2e::HealthWatch watch(admin, "");
  ASSERT_EQ(watch.Next(), HealthCheckResponse::SERVING);
  EXPECT_TRUE(absl::StartsWith(Get(server, "/healthz"), "HTTP/1.1 200 "));
  EXPECT_EQ(Scrape(server).at("echod_ready"), 1);

  admin::v1::Server drained;
  ASSERT_TRUE(admin
                  .Call(&AdminClient::Stub::DrainServer,
                        admin::v1::DrainServerRequest(), &drained)
                  .ok());
  ASSERT_EQ(watch.Next(), HealthCheckResponse::NOT_SERVING);
  for (const char* path : {"/healthz", "/readyz"}) {
    const std::string answer = Get(server, path);
    EXPECT_TRUE(absl::StartsWith(answer, "HTTP/1.1 503 ")) << answer;
    EXPECT_TRUE(absl::EndsWith(answer, "\r\n\r\nechod is draining\n"))
        << answer;
  }
  EXPECT_TRUE(absl::StartsWith(Get(server, "/livez"), "HTTP/1.1 200 "));
  EXPECT_EQ(Scrape(server).at("echod_ready"), 0);
}

TEST(MetricsTest, ADrainCanBeScrapedAndEndsDespiteHttpClients) {
  ServerProcess server({"--http_address=127.0.0.1:0", "--drain_timeout=1h"});
  const SocketAddress address = *SocketAddress::Parse(server.http_address());
  std::optional<TcpClient> silent = TcpClient::Connect(address);
  std::optional<TcpClient> unread =
      TcpClient::Connect(address, {.receive_buffer = 1});
  for (int i = 0; i < 2000; ++i) {
    unread->SendSome("GET /metrics HTTP/1.1\r\n\r\n");
  }
  TcpClient client = server.Connect();
  client.Send("half a li");
  while (Scrape(server).at("echod_bytes_received_total{listener=\"default\"}") <
         9) {
  }
  server.Signal(SIGTERM);
  while (Scrape(server).at("echod_ready") != 0) {
  }
  client.Send("ne\n");
  client.Read(100);
  EXPECT_EQ(server.WaitForExit(), 0);
  EXPECT_NE(silent->WaitForEnd(), TcpClient::End::kTimeout);
}

}  // namespace
}  // namespace echod

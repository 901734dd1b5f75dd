// SPDX-License-Identifier: Apache-2.0

// WatchConnections, with the real program.

#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/sync_stream.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/e2e/admin_client.h"
#include "tests/support/conversation.h"
#include "tests/support/eventually.h"
#include "tests/support/server_process.h"
#include "tests/support/tcp_client.h"

namespace echod::e2e {
namespace {

using admin::v1::ConnectionEvent;
using admin::v1::WatchConnectionsRequest;
using testing::Echoes;
using testing::Eventually;
using testing::ServerProcess;
using testing::TcpClient;
using End = TcpClient::End;

// An open stream.
class Watch {
 public:
  explicit Watch(AdminClient& admin,
                 const WatchConnectionsRequest& request = {})
      : Watch(admin.stub(), request) {}
  explicit Watch(AdminClient::Stub& stub,
                 const WatchConnectionsRequest& request = {}) {
    context_.set_deadline(std::chrono::system_clock::now() +
                          std::chrono::seconds(60));
    reader_ = stub.WatchConnections(&context_, request);
    // Returns when the watch has begun, or failed.
    reader_->WaitForInitialMetadata();
  }

  ~Watch() { Cancel(); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // The next event; nullopt at the end.
  std::optional<ConnectionEvent> Next() {
    ConnectionEvent event;
    if (!reader_->Read(&event)) return std::nullopt;
    return event;
  }

  void Cancel() { context_.TryCancel(); }
  grpc::Status Finish() { return reader_->Finish(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<ConnectionEvent>> reader_;
};

// A client whose library reads ahead no more than it must.
std::unique_ptr<AdminClient::Stub> SlowStub(const ServerProcess& server) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 65536);
  return admin::v1::AdminService::NewStub(grpc::CreateCustomChannel(
      server.admin_address(), grpc::InsecureChannelCredentials(), arguments));
}

// A client with a connection of its own.
std::unique_ptr<AdminClient::Stub> OwnStub(const ServerProcess& server) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return admin::v1::AdminService::NewStub(grpc::CreateCustomChannel(
      server.admin_address(), grpc::InsecureChannelCredentials(), arguments));
}

WatchConnectionsRequest Filter(const std::string& filter) {
  WatchConnectionsRequest request;
  request.set_filter(filter);
  return request;
}

TEST(WatchConnectionsTest, SendsWhatBecomesOfAConnection) {
  const ServerProcess server({"--workers=2"});
  AdminClient admin(server);
  Watch watch(admin);
  TcpClient client = server.Connect();
  auto event = watch.Next();
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->kind(), ConnectionEvent::KIND_OPENED);
  EXPECT_EQ(event->connection().name(), "connections/1");
  EXPECT_EQ(event->connection().listener(), "listeners/default");
  EXPECT_EQ(event->connection().remote_address(), client.local().ToString());
  EXPECT_GT(event->time().seconds(), 0);
  ASSERT_TRUE(Echoes(client, "one"));
  client.FinishSending();
  ASSERT_EQ(client.WaitForEnd(), End::kEof);
  event = watch.Next();
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->kind(), ConnectionEvent::KIND_CLOSED);
  EXPECT_EQ(event->close_reason(), "peer_closed");
  EXPECT_EQ(event->connection().name(), "connections/1");
  EXPECT_EQ(event->connection().bytes_received(), 4);
  EXPECT_EQ(event->connection().bytes_sent(), 13);
  watch.Cancel();
  EXPECT_EQ(watch.Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST(WatchConnectionsTest, AFilterSelectsByTheStateAfterTheEvent) {
  const ServerProcess server;
  AdminClient admin(server);
  Watch watch(admin, Filter("bytes_received >= 5"));
  for (const char* const line : {"one", "longer", "two", "longest"}) {
    TcpClient client = server.Connect();
    ASSERT_TRUE(Echoes(client, line));
    client.FinishSending();
    ASSERT_EQ(client.WaitForEnd(), End::kEof);
  }
  for (const char* const name : {"connections/2", "connections/4"}) {
    const auto event = watch.Next();
    ASSERT_TRUE(event.has_value());
    EXPECT_EQ(event->kind(), ConnectionEvent::KIND_CLOSED);
    EXPECT_EQ(event->connection().name(), name);
  }
}

TEST(WatchConnectionsTest, AWrongFilterIsAnError) {
  const ServerProcess server;
  AdminClient admin(server);
  Watch watch(admin, Filter("bytes >"));
  EXPECT_FALSE(watch.Next().has_value());
  const grpc::Status status = watch.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Field(status), "filter");
}

// The fifth stream of a client is one too many, until one has ended.
TEST(WatchConnectionsTest, ThereAreOnlySoMany) {
  const ServerProcess server;
  AdminClient admin(server);
  std::vector<std::unique_ptr<Watch>> watches;
  for (int i = 0; i < 4; ++i) {
    watches.push_back(std::make_unique<Watch>(admin));
  }
  {
    Watch refused(admin);
    EXPECT_FALSE(refused.Next().has_value());
    const grpc::Status status = refused.Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_EQ(Reason(status), "TOO_MANY_WATCHES");
  }
  watches.front()->Cancel();
  EXPECT_EQ(watches.front()->Finish().error_code(),
            grpc::StatusCode::CANCELLED);
  std::unique_ptr<Watch> next;
  EXPECT_TRUE(Eventually([&] {
    next = std::make_unique<Watch>(admin);
    TcpClient client = server.Connect();
    if (next->Next().has_value()) return true;
    next->Finish();
    return false;
  }));
}

// OK if the watch sends an event of a connection that receives some bytes.
grpc::Status Outcome(const ServerProcess& server, Watch& watch) {
  TcpClient client = server.Connect();
  EXPECT_TRUE(Echoes(client, "one"));
  client.FinishSending();
  return watch.Next().has_value() ? grpc::Status::OK : watch.Finish();
}
grpc::Status Outcome(const ServerProcess& server, AdminClient::Stub& stub,
                     const std::string& filter) {
  Watch watch(stub, Filter(filter));
  return Outcome(server, watch);
}

TEST(WatchConnectionsTest, TheirFiltersAreBoundedTogether) {
  const ServerProcess server;
  const auto comparisons = [](int count) {
    std::string filter = "bytes_received > 1";
    for (int i = 1; i < count; ++i) filter += " OR bytes_sent > 1";
    return Filter(filter);
  };
  const auto first = OwnStub(server);
  const auto second = OwnStub(server);
  const auto third = OwnStub(server);
  std::vector<std::unique_ptr<Watch>> watches;
  for (AdminClient::Stub* const client : {first.get(), second.get()}) {
    for (int i = 0; i < 2; ++i) {
      watches.push_back(std::make_unique<Watch>(*client, comparisons(64)));
      EXPECT_TRUE(Outcome(server, *watches.back()).ok());
    }
    // A client has its share, and without a filter there is nothing to share.
    const grpc::Status refused = Outcome(server, *client, "bytes_sent > 1");
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_EQ(Reason(refused), "WATCH_FILTERS_TOO_LONG");
    EXPECT_TRUE(Outcome(server, *client, "").ok());
  }
  EXPECT_EQ(Reason(Outcome(server, *third, "bytes_sent > 1")),
            "WATCH_FILTERS_TOO_LONG");
  watches.pop_back();
  EXPECT_TRUE(Eventually(
      [&] { return Outcome(server, *third, "bytes_sent > 1").ok(); }));
}

TEST(WatchConnectionsTest, EndsWithTheDrainAfterTheLastEvent) {
  constexpr int kConnections = 500;
  ServerProcess server({"--workers=2"});
  AdminClient admin(server);
  std::vector<TcpClient> clients;
  for (int i = 0; i < kConnections; ++i) clients.push_back(server.Connect());
  for (TcpClient& client : clients) ASSERT_TRUE(Echoes(client, "one"));
  Watch watch(admin);
  server.Signal(SIGTERM);
  for (TcpClient& client : clients) {
    EXPECT_EQ(client.WaitForEnd(), End::kEof);
    client.FinishSending();
  }
  int closed = 0;
  while (const auto event = watch.Next()) {
    EXPECT_EQ(event->kind(), ConnectionEvent::KIND_CLOSED);
    EXPECT_EQ(event->close_reason(), "drained");
    ++closed;
  }
  EXPECT_EQ(closed, kConnections);
  EXPECT_TRUE(watch.Finish().ok());
  EXPECT_EQ(server.WaitForExit(), 0);
}

// A client that does not read leaves the server alone; then it gets what fit,
// and how many more there were.
TEST(WatchConnectionsTest, ASlowWatcherGetsAGapOfTheRightSize) {
  constexpr std::int64_t kConnections = 8000;
  ServerProcess server({"--workers=2"});
  AdminClient admin(server);
  const auto slow = SlowStub(server);
  Watch watch(*slow);
  for (std::int64_t i = 0; i < kConnections; ++i) server.Connect().Reset();
  ASSERT_TRUE(Eventually([&] {
    const admin::v1::Stats stats = admin.Stats();
    return stats.total().connections_accepted_total() == kConnections &&
           stats.total().connections_active() == 0;
  }));
  std::int64_t events = 0;
  std::int64_t missed = 0;
  while (events + missed < 2 * kConnections) {
    const auto event = watch.Next();
    ASSERT_TRUE(event.has_value());
    if (event->kind() == ConnectionEvent::KIND_GAP) {
      EXPECT_GT(event->missed_count(), 0);
      EXPECT_FALSE(event->has_connection());
      missed += event->missed_count();
    } else {
      ++events;
    }
  }
  EXPECT_GT(missed, 0);
  EXPECT_GT(events, 4096);
  EXPECT_EQ(events + missed, 2 * kConnections);

  // And then nothing more is missing.
  TcpClient client = server.Connect();
  const auto event = watch.Next();
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->connection().name(),
            absl::StrCat("connections/", kConnections + 1));
  server.Signal(SIGTERM);
  client.FinishSending();
  EXPECT_EQ(client.WaitForEnd(), End::kEof);
  EXPECT_EQ(server.WaitForExit(), 0);
}

// Its stream cannot end in time, and the process does not wait for it.
TEST(WatchConnectionsTest, AWatcherThatNeverReadsDoesNotHoldTheEndUp) {
  ServerProcess server;
  const auto slow = SlowStub(server);
  Watch watch(*slow);
  for (int i = 0; i < 6000; ++i) server.Connect().Reset();
  server.Signal(SIGTERM);
  EXPECT_EQ(server.WaitForExit(), 0);
}

TEST(WatchConnectionsTest, AWatcherThatIsGoneLeavesNothing) {
  const ServerProcess server;
  AdminClient admin(server);
  for (int i = 0; i < 40; ++i) {
    AdminClient passing(server);
    const Watch watch(passing);
    server.Connect().Reset();
  }
  // There are places again.
  EXPECT_TRUE(Eventually([&] {
    Watch watch(admin);
    TcpClient client = server.Connect();
    if (watch.Next().has_value()) return true;
    watch.Finish();
    return false;
  }));
}

}  // namespace
}  // namespace echod::e2e

// SPDX-License-Identifier: Apache-2.0

// What a client sees of the server, its listeners and its connections.

#include "admin/server/admin_server.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "admin/testing/admin_server_fixture.h"
#include "admin/testing/fake_data_plane.h"
#include "echo/base/histogram.h"
#include "echo/control/control_error.h"
#include "echo/control/stats.h"
#include "echod/admin/v1/admin.grpc.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "src/proto/grpc/health/v1/health.grpc.pb.h"

namespace echod {
namespace {

using Stub = admin::v1::AdminService::Stub;

TEST_F(AdminServerTest, DescribesTheServer) {
  admin::v1::Server server;
  ASSERT_TRUE(
      Call(&Stub::GetServer, admin::v1::GetServerRequest(), &server).ok());
  EXPECT_EQ(server.version(), "1.2.3");
  EXPECT_EQ(server.hostname(), "here");
  EXPECT_EQ(server.config().at("mode"), "line");
  EXPECT_EQ(server.running_config(), "mode: line\n");
  EXPECT_EQ(server.start_time().seconds(), 1000);
  EXPECT_EQ(server.worker_count(), 3);
  EXPECT_EQ(server.state(), admin::v1::Server::STATE_SERVING);
}

TEST_F(AdminServerTest, PagesThroughListeners) {
  admin::v1::ListListenersRequest request;
  request.set_page_size(2);
  admin::v1::ListListenersResponse page;
  ASSERT_TRUE(Call(&Stub::ListListeners, request, &page).ok());
  ASSERT_EQ(page.listeners_size(), 2);
  EXPECT_EQ(page.listeners(1).name(), "listeners/b");
  EXPECT_EQ(page.total_size(), 3);
  request.set_page_token(page.next_page_token());
  ASSERT_TRUE(Call(&Stub::ListListeners, request, &page).ok());
  ASSERT_EQ(page.listeners_size(), 1);
  EXPECT_EQ(page.listeners(0).name(), "listeners/c");
  EXPECT_EQ(page.next_page_token(), "");
}

TEST_F(AdminServerTest, APageTokenIsBoundToItsView) {
  admin::v1::ListConnectionsRequest request;
  request.set_page_size(2);
  request.set_view(admin::v1::CONNECTION_VIEW_FULL);
  admin::v1::ListConnectionsResponse page;
  ASSERT_TRUE(Call(&Stub::ListConnections, request, &page).ok());
  ASSERT_EQ(page.connections_size(), 2);
  EXPECT_TRUE(page.connections(0).has_tcp_info());
  EXPECT_EQ(page.total_size(), 5);
  request.set_page_token(page.next_page_token());
  ASSERT_TRUE(Call(&Stub::ListConnections, request, &page).ok());
  EXPECT_EQ(page.connections(0).name(), "connections/3");
  request.set_view(admin::v1::CONNECTION_VIEW_BASIC);
  const grpc::Status changed = Call(&Stub::ListConnections, request, &page);
  EXPECT_EQ(Field(changed), "page_token");
  request.clear_page_token();
  request.set_page_size(-1);
  EXPECT_EQ(Field(Call(&Stub::ListConnections, request, &page)), "page_size");
  request.set_view(static_cast<admin::v1::ConnectionView>(9));
  EXPECT_EQ(Field(Call(&Stub::ListConnections, request, &page)), "view");
}

TEST_F(AdminServerTest, NotFoundSaysWhatIsNotThere) {
  admin::v1::GetListenerRequest get;
  get.set_name("listeners/z");
  admin::v1::Listener listener;
  const grpc::Status status = Call(&Stub::GetListener, get, &listener);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Info(status).reason(), "LISTENER_NOT_FOUND");
}

TEST_F(AdminServerTest, AFailedUpdateKeepsItsCodeReasonAndErrno) {
  data_plane_.listeners.update_error =
      ControlError(absl::StatusCode::kFailedPrecondition, "taken",
                   {.reason = "ADDRESS_IN_USE", .errno_name = "EADDRINUSE"});
  admin::v1::UpdateListenerRequest request;
  request.mutable_listener()->set_name("listeners/a");
  request.set_validate_only(true);
  admin::v1::Listener listener;
  const grpc::Status status = Call(&Stub::UpdateListener, request, &listener);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(status.error_message(), "taken");
  EXPECT_EQ(Info(status).reason(), "ADDRESS_IN_USE");
  EXPECT_EQ(Info(status).metadata().at("errno"), "EADDRINUSE");
  EXPECT_TRUE(data_plane_.listeners.last_update()->validate_only);

  data_plane_.listeners.update_error = InvalidFieldError("port", "no port");
  EXPECT_EQ(Field(Call(&Stub::UpdateListener, request, &listener)),
            "listener.port");
}

TEST_F(AdminServerTest, AnErrorFitsIntoTrailersHoweverLongTheRequest) {
  std::string name;
  for (int i = 0; i < 30'000; ++i) name += "\u00e4";
  admin::v1::GetListenerRequest get;
  get.set_name(name);
  admin::v1::Listener listener;
  const grpc::Status status = Call(&Stub::GetListener, get, &listener);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_LT(status.error_message().size(), 1010u);
  EXPECT_EQ(Field(status), "name");
}

TEST_F(AdminServerTest, ClosesByTheModeAskedFor) {
  admin::v1::CloseConnectionRequest request;
  request.set_name("connections/2");
  admin::v1::Connection connection;
  ASSERT_TRUE(Call(&Stub::CloseConnection, request, &connection).ok());
  EXPECT_EQ(data_plane_.connections.last_close(), CloseMode::kGraceful);
  request.set_mode(admin::v1::CloseConnectionRequest::MODE_RESET);
  ASSERT_TRUE(Call(&Stub::CloseConnection, request, &connection).ok());
  EXPECT_EQ(data_plane_.connections.last_close(), CloseMode::kReset);
  request.set_mode(static_cast<admin::v1::CloseConnectionRequest::Mode>(9));
  EXPECT_EQ(Field(Call(&Stub::CloseConnection, request, &connection)), "mode");
}

TEST_F(AdminServerTest, DrainsWithTheTimesAskedFor) {
  admin::v1::DrainServerRequest request;
  request.mutable_deadline()->set_seconds(-1);
  admin::v1::Server server;
  EXPECT_EQ(Field(Call(&Stub::DrainServer, request, &server)), "deadline");
  request.mutable_deadline()->set_seconds(366 * 24 * 3600);
  EXPECT_EQ(Field(Call(&Stub::DrainServer, request, &server)), "deadline");
  request.mutable_deadline()->set_seconds(7);
  ASSERT_TRUE(Call(&Stub::DrainServer, request, &server).ok());
  EXPECT_EQ(server.state(), admin::v1::Server::STATE_DRAINING);
  EXPECT_EQ(data_plane_.server.last_drain()->deadline, absl::Seconds(7));
  EXPECT_FALSE(data_plane_.server.last_drain()->grace_period.has_value());
  const grpc::Status again = Call(&Stub::DrainServer, request, &server);
  EXPECT_EQ(again.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Info(again).reason(), "SERVER_DRAINING");
}

TEST_F(AdminServerTest, AReplyThatIsDroppedAnswersUnavailable) {
  data_plane_.connections.hold_replies = true;
  std::thread dropper([&] {
    while (!data_plane_.connections.has_held_replies())
      std::this_thread::yield();
    data_plane_.connections.TakeHeldReplies().clear();
  });
  admin::v1::GetConnectionRequest request;
  request.set_name("connections/1");
  admin::v1::Connection connection;
  const grpc::Status status = Call(&Stub::GetConnection, request, &connection);
  dropper.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Info(status).reason(), "SERVER_STOPPED");
}

TEST_F(AdminServerTest, AReplyMayComeAfterItsCallerHasGivenUp) {
  data_plane_.connections.hold_replies = true;
  grpc::ClientContext context;
  std::thread caller([&] {
    admin::v1::GetConnectionRequest request;
    request.set_name("connections/1");
    admin::v1::Connection connection;
    EXPECT_EQ(stub_->GetConnection(&context, request, &connection).error_code(),
              grpc::StatusCode::CANCELLED);
  });
  while (!data_plane_.connections.has_held_replies()) std::this_thread::yield();
  context.TryCancel();
  caller.join();
  for (Reply<ConnectionInfo>& reply :
       data_plane_.connections.TakeHeldReplies()) {
    reply(ConnectionInfo());
  }
}

TEST_F(AdminServerTest, HealthFollowsTheStartAndADrain) {
  using grpc::health::v1::HealthCheckResponse;
  const char* const services[] = {"", "echod.admin.v1.AdminService"};
  for (const char* service : services) {
    EXPECT_EQ(Health(service), HealthCheckResponse::NOT_SERVING);
  }
  server_->StartServing();
  for (const char* service : services) {
    EXPECT_EQ(Health(service), HealthCheckResponse::SERVING);
  }
  EXPECT_EQ(server_->health().Read().serving, "");
  server_->SetDraining(/*ready=*/true);
  for (const char* service : services) {
    EXPECT_EQ(Health(service), HealthCheckResponse::NOT_SERVING);
  }
  EXPECT_EQ(server_->health().Read().serving, "echod is draining");
}

TEST_F(AdminServerTest, ATakenPortIsAnErrorThatSaysSo) {
  const absl::Status status =
      AdminServer::Start({.address = server_->bound_address()},
                         data_plane_.AsDataPlane())
          .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find("already in use"), std::string::npos);
}

TEST_F(AdminServerTest, ShutdownMayBeCalledFromSeveralThreads) {
  for (int round = 0; round < 5; ++round) {
    auto started = AdminServer::Start({.address = "127.0.0.1:0"},
                                      data_plane_.AsDataPlane());
    ASSERT_TRUE(started.ok()) << started.status();
    AdminServer& server = **started;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&server] {
        server.Shutdown(absl::Seconds(1));
        server.OnListenersChanged();
        server.SetDraining(/*ready=*/false);
        EXPECT_NE(server.bound_address(), "");
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
}

}  // namespace
}  // namespace echod

// SPDX-License-Identifier: Apache-2.0

#include "admin/transport/admin_peer.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "admin/testing/http2_test_client.h"
#include "admin/transport/admin_counters.h"
#include "admin/transport/admin_listener.h"
#include "echo/base/clock.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echod/admin/v1/admin.grpc.pb.h"
#include "gtest/gtest.h"
#include "tests/support/eventually.h"
#include "tests/support/tcp_client.h"

namespace echod {
namespace {

using testing::Eventually;
using testing::Http2Hello;
using testing::OpenCall;
using testing::TcpClient;

// Records the peer that gRPC reports.
class PeerService final : public admin::v1::AdminService::CallbackService {
 public:
  grpc::ServerUnaryReactor* GetServer(
      grpc::CallbackServerContext* context,
      const admin::v1::GetServerRequest* /*request*/,
      admin::v1::Server* /*response*/) override {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      peer_ = context->peer();
    }
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  std::optional<std::string> peer() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return peer_;
  }

 private:
  mutable std::mutex mutex_;
  std::optional<std::string> peer_;
};

TEST(AdminPeerTest, GrpcKnowsTheClientBehindTheRelay) {
  for (const char* address : {"127.0.0.1:0", "[::1]:0"}) {
    PeerService service;
    grpc::ServerBuilder builder;
    auto acceptor = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
        grpc::InsecureServerCredentials());
    builder.RegisterService(&service);
    const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    AdminCounters counters;
    auto listener = AdminListener::Start(
        address, {}, counters, SystemClock(), [&](UniqueFd socket) {
          grpc::experimental::ExternalConnectionAcceptor::
              NewConnectionParameters connection;
          connection.fd = socket.Release();
          acceptor->HandleNewConnection(&connection);
        });
    ASSERT_TRUE(listener.ok()) << listener.status();
    auto client =
        TcpClient::Connect(*SocketAddress::Parse((*listener)->bound_address()));
    ASSERT_TRUE(client.has_value());
    ASSERT_TRUE(
        client->Send(absl::StrCat(Http2Hello(), OpenCall(1, "GetServer"))));
    ASSERT_TRUE(Eventually([&] { return service.peer().has_value(); }));
    EXPECT_EQ(ClientOfPeer(*service.peer()), client->local().ToString())
        << *service.peer();
    *listener = nullptr;
    server->Shutdown();
  }
}

TEST(AdminPeerTest, WhatIsNoRelaysStaysAsItIs) {
  for (const char* peer :
       {"ipv4:127.0.0.1:5", "unix:", "", "unix-abstract:x"}) {
    EXPECT_EQ(ClientOfPeer(peer), peer);
  }
}

}  // namespace
}  // namespace echod

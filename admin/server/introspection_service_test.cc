// SPDX-License-Identifier: Apache-2.0

// Reflection and channelz from a client's view, on a real server.

#include "admin/server/introspection_service.h"

#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "admin/server/admin_server.h"
#include "admin/testing/fake_data_plane.h"
#include "google/protobuf/descriptor.pb.h"
#include "gtest/gtest.h"
#include "src/proto/grpc/reflection/v1/reflection.pb.h"

namespace echod {
namespace {

using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;

class IntrospectionServiceTest : public ::testing::Test {
 protected:
  IntrospectionServiceTest() {
    auto started = AdminServer::Start({.address = "127.0.0.1:0"},
                                      data_plane_.AsDataPlane());
    EXPECT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
    stub_ = std::make_unique<grpc::GenericStub>(grpc::CreateChannel(
        server_->bound_address(), grpc::InsecureChannelCredentials()));
  }

  // Sends one message and half-closes; returns the answer.
  grpc::Status Call(const std::string& method, const std::string& request,
                    std::string* response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(30));
    grpc::CompletionQueue queue;
    const auto wait = [&queue] {
      void* tag = nullptr;
      bool ok = false;
      return queue.Next(&tag, &ok) && ok;
    };
    auto call = stub_->PrepareCall(&context, method, &queue);
    call->StartCall(nullptr);
    EXPECT_TRUE(wait());
    const grpc::Slice slice(request);
    call->WriteLast(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(), nullptr);
    wait();
    grpc::ByteBuffer answer;
    call->Read(&answer, nullptr);
    if (wait()) {
      grpc::Slice bytes;
      EXPECT_TRUE(answer.DumpToSingleSlice(&bytes).ok());
      response->assign(reinterpret_cast<const char*>(bytes.begin()),
                       bytes.size());
    }
    grpc::Status status;
    call->Finish(&status, nullptr);
    wait();
    return status;
  }

  ServerReflectionResponse Reflect(const std::string& version,
                                   const ServerReflectionRequest& request) {
    std::string bytes;
    const grpc::Status status =
        Call(absl::StrCat("/grpc.reflection.", version,
                          ".ServerReflection/ServerReflectionInfo"),
             request.SerializeAsString(), &bytes);
    EXPECT_TRUE(status.ok()) << status.error_message();
    ServerReflectionResponse response;
    EXPECT_TRUE(response.ParseFromString(bytes));
    return response;
  }

  FakeDataPlane data_plane_;
  std::unique_ptr<AdminServer> server_;
  std::unique_ptr<grpc::GenericStub> stub_;
};

TEST_F(IntrospectionServiceTest, ListsAndDescribesWhatItServes) {
  for (const char* version : {"v1", "v1alpha"}) {
    ServerReflectionRequest list;
    list.set_list_services("");
    std::set<std::string> names;
    const ServerReflectionResponse listed = Reflect(version, list);
    for (const auto& service : listed.list_services_response().service()) {
      names.insert(service.name());
      ServerReflectionRequest describe;
      describe.set_file_containing_symbol(service.name());
      const ServerReflectionResponse described = Reflect(version, describe);
      const auto& files =
          described.file_descriptor_response().file_descriptor_proto();
      ASSERT_FALSE(files.empty()) << service.name();
      google::protobuf::FileDescriptorProto file;
      ASSERT_TRUE(file.ParseFromString(files[0]));
      EXPECT_EQ(absl::StrCat(file.package(), ".", file.service(0).name()),
                service.name());
      // With its imports.
      EXPECT_GE(files.size(), file.dependency_size() + 1);
    }
    EXPECT_EQ(names, std::set<std::string>(
                         {"echod.admin.v1.AdminService",
                          "grpc.channelz.v1.Channelz", "grpc.health.v1.Health",
                          "grpc.reflection.v1.ServerReflection",
                          "grpc.reflection.v1alpha.ServerReflection"}));
  }
}

TEST_F(IntrospectionServiceTest, WhatIsNotThereIsAnAnswer) {
  ServerReflectionRequest request;
  request.set_file_containing_symbol("no.such.Thing");
  EXPECT_EQ(Reflect("v1", request).error_response().error_code(),
            static_cast<int>(grpc::StatusCode::NOT_FOUND));
  request.set_file_by_filename("no/such.proto");
  EXPECT_EQ(Reflect("v1", request).error_response().error_code(),
            static_cast<int>(grpc::StatusCode::NOT_FOUND));
  request.set_all_extension_numbers_of_type("google.protobuf.FileOptions");
  EXPECT_EQ(
      Reflect("v1", request).all_extension_numbers_response().base_type_name(),
      "google.protobuf.FileOptions");
  std::string ignored;
  EXPECT_EQ(Call("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                 "\xff", &ignored)
                .error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(IntrospectionServiceTest, RequestsThatAnAnswerWouldRepeatAreShort) {
  ServerReflectionRequest request;
  request.set_host(std::string(2000, 'x'));
  std::string ignored;
  EXPECT_EQ(Call("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                 request.SerializeAsString(), &ignored)
                .error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(IntrospectionServiceTest, ShowsTheServerInChannelz) {
  std::string response;
  const std::string channelz = "/grpc.channelz.v1.Channelz/";
  const grpc::Status servers =
      Call(absl::StrCat(channelz, "GetServers"), "", &response);
  ASSERT_TRUE(servers.ok()) << servers.error_message();
  EXPECT_FALSE(response.empty());
  // Field 1, a varint: server number 99,999,999.
  EXPECT_EQ(Call(absl::StrCat(channelz, "GetServer"), "\x08\xff\xc1\xd7\x2f",
                 &response)
                .error_code(),
            grpc::StatusCode::NOT_FOUND);
  for (const char* method :
       {"/grpc.channelz.v1.Channelz/Nothing", "/grpc.Nothing/Nothing",
        "/grpc.reflection.v1.ServerReflection/Nothing", "/", "x"}) {
    EXPECT_EQ(Call(method, "", &response).error_code(),
              grpc::StatusCode::UNIMPLEMENTED)
        << method;
  }
}

}  // namespace
}  // namespace echod

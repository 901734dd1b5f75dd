// SPDX-License-Identifier: Apache-2.0

#include "admin/server/introspection_service.h"

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <functional>
#include <optional>
#include <utility>

#include "absl/strings/strip.h"
#include "admin/server/channelz_method.h"
#include "admin/server/server_reflection.h"

namespace echod {
namespace {

using grpc::ByteBuffer;
using grpc::Status;

constexpr absl::string_view kChannelz = "grpc.channelz.v1.Channelz";
constexpr absl::string_view kReflections[] = {
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection"};

// Turns a serialized request into a serialized response, or an error.
using Answer = std::function<Status(const std::string&, std::string*)>;

// Answers each message of an RPC with one message. Exactly one operation is
// pending at any time, so the client's speed limits the server's.
class Conversation final : public grpc::ServerGenericBidiReactor {
 public:
  explicit Conversation(Answer answer) : answer_(std::move(answer)) {
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return Finish(Status::OK);
    std::string answer;
    std::vector<grpc::Slice> slices;
    Status status = request_.Dump(&slices);
    std::string request;
    for (const grpc::Slice& slice : slices) {
      request.append(reinterpret_cast<const char*>(slice.begin()),
                     slice.size());
    }
    if (status.ok()) status = answer_(request, &answer);
    if (!status.ok()) return Finish(status);
    const grpc::Slice slice(answer);
    response_ = ByteBuffer(&slice, 1);
    StartWrite(&response_);
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(Status::CANCELLED);
    StartRead(&request_);
  }

  void OnDone() override { delete this; }

 private:
  const Answer answer_;
  ByteBuffer request_;
  ByteBuffer response_;
};

}  // namespace

IntrospectionService::IntrospectionService(std::vector<std::string> services)
    : services_(std::move(services)) {
  services_.emplace_back(kChannelz);
  for (const absl::string_view name : kReflections) {
    services_.emplace_back(name);
  }
}

grpc::ServerGenericBidiReactor* IntrospectionService::CreateReactor(
    grpc::GenericCallbackServerContext* context) {
  absl::string_view method = context->method();
  absl::ConsumePrefix(&method, "/");
  for (const absl::string_view name : kReflections) {
    absl::string_view rest = method;
    if (absl::ConsumePrefix(&rest, name) && rest == "/ServerReflectionInfo") {
      return new Conversation(
          [this](const std::string& request, std::string* response) {
            return AnswerReflection(request, services_, response);
          });
    }
  }
  absl::string_view rest = method;
  if (absl::ConsumePrefix(&rest, kChannelz) &&
      absl::ConsumePrefix(&rest, "/")) {
    return new Conversation(
        [name = std::string(rest)](const std::string& request,
                                   std::string* response) {
          return AnswerChannelz(name, request, response);
        });
  }
  return CallbackGenericService::CreateReactor(context);
}

}  // namespace echod

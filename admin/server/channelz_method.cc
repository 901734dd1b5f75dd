// SPDX-License-Identifier: Apache-2.0

#include "admin/server/channelz_method.h"

#include <grpc/grpc.h>
#include <grpc/support/alloc.h>
#include <grpcpp/ext/channelz_service_plugin.h>

#include <cstdint>
#include <memory>

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "google/protobuf/util/json_util.h"

namespace echod {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MessageFactory;
using google::protobuf::MethodDescriptor;
using grpc::Status;
using grpc::StatusCode;

// gRPC ships the messages of channelz in a library without a header. A
// reference to any symbol of that library links in its descriptors.
void (*const volatile link_channelz)() =
    &grpc::channelz::experimental::InitChannelzService;

struct GprDeleter {
  void operator()(char* text) const { gpr_free(text); }
};

std::unique_ptr<Message> NewMessage(const Descriptor* type) {
  return std::unique_ptr<Message>(
      MessageFactory::generated_factory()->GetPrototype(type)->New());
}

// A 64-bit field; all requests of channelz consist of such fields.
std::intptr_t Number(const Message& message, const std::string& field) {
  const FieldDescriptor* const found =
      message.GetDescriptor()->FindFieldByName(field);
  if (found == nullptr || found->cpp_type() != FieldDescriptor::CPPTYPE_INT64) {
    return 0;
  }
  return message.GetReflection()->GetInt64(message, found);
}

// gRPC's answer as JSON; null for an unknown entity or method.
char* Ask(const std::string& name, const Message& request) {
  const auto id = [&request](const char* field) {
    return Number(request, field);
  };
  if (name == "GetTopChannels") {
    return grpc_channelz_get_top_channels(id("start_channel_id"));
  }
  if (name == "GetServers")
    return grpc_channelz_get_servers(id("start_server_id"));
  if (name == "GetServer") return grpc_channelz_get_server(id("server_id"));
  if (name == "GetServerSockets") {
    return grpc_channelz_get_server_sockets(
        id("server_id"), id("start_socket_id"), id("max_results"));
  }
  if (name == "GetChannel") return grpc_channelz_get_channel(id("channel_id"));
  if (name == "GetSubchannel") {
    return grpc_channelz_get_subchannel(id("subchannel_id"));
  }
  if (name == "GetSocket") return grpc_channelz_get_socket(id("socket_id"));
  return nullptr;
}

}  // namespace

Status AnswerChannelz(const std::string& name, const std::string& request,
                      std::string* response) {
  static_cast<void>(link_channelz);
  const MethodDescriptor* const method =
      DescriptorPool::generated_pool()->FindMethodByName(
          absl::StrCat("grpc.channelz.v1.Channelz.", name));
  if (method == nullptr) return {StatusCode::UNIMPLEMENTED, ""};
  const std::unique_ptr<Message> question = NewMessage(method->input_type());
  if (!question->ParseFromString(request)) {
    return {StatusCode::INVALID_ARGUMENT, "the request cannot be parsed"};
  }
  const std::unique_ptr<char, GprDeleter> json(Ask(name, *question));
  if (json == nullptr)
    return {StatusCode::NOT_FOUND, "there is none of this id"};
  const std::unique_ptr<Message> answer = NewMessage(method->output_type());
  if (!google::protobuf::util::JsonStringToMessage(json.get(), answer.get())
           .ok()) {
    return {StatusCode::INTERNAL, "gRPC's own answer cannot be parsed"};
  }
  *response = answer->SerializeAsString();
  return Status::OK;
}

}  // namespace echod

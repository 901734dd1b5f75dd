// SPDX-License-Identifier: Apache-2.0

#include "admin/server/server_reflection.h"

#include <cstddef>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "src/proto/grpc/reflection/v1/reflection.pb.h"
#include "src/proto/grpc/reflection/v1alpha/reflection.pb.h"

namespace echod {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;

constexpr std::size_t kMostRequestBytes = 1024;

void SetNotFound(const std::string& what, ServerReflectionResponse& response) {
  auto& error = *response.mutable_error_response();
  error.set_error_code(static_cast<int>(grpc::StatusCode::NOT_FOUND));
  error.set_error_message(absl::StrCat(what, " is not known here"));
}

void AddWithImports(const FileDescriptor& file,
                    std::set<const FileDescriptor*>& added,
                    ServerReflectionResponse& response) {
  if (!added.insert(&file).second) return;
  google::protobuf::FileDescriptorProto proto;
  file.CopyTo(&proto);
  response.mutable_file_descriptor_response()->add_file_descriptor_proto(
      proto.SerializeAsString());
  for (int i = 0; i < file.dependency_count(); ++i) {
    AddWithImports(*file.dependency(i), added, response);
  }
}

void SetFile(const FileDescriptor* file, const std::string& what,
             ServerReflectionResponse& response) {
  if (file == nullptr) return SetNotFound(what, response);
  std::set<const FileDescriptor*> added;
  AddWithImports(*file, added, response);
}

void SetExtension(const DescriptorPool& pool,
                  const grpc::reflection::v1::ExtensionRequest& request,
                  ServerReflectionResponse& response) {
  const Descriptor* const type =
      pool.FindMessageTypeByName(request.containing_type());
  const FieldDescriptor* const extension =
      type == nullptr
          ? nullptr
          : pool.FindExtensionByNumber(type, request.extension_number());
  SetFile(extension == nullptr ? nullptr : extension->file(),
          absl::StrCat("extension ", request.extension_number(), " of ",
                       request.containing_type()),
          response);
}

void SetExtensionNumbers(const DescriptorPool& pool, const std::string& name,
                         ServerReflectionResponse& response) {
  const Descriptor* const type = pool.FindMessageTypeByName(name);
  if (type == nullptr) return SetNotFound(name, response);
  std::vector<const FieldDescriptor*> extensions;
  pool.FindAllExtensions(type, &extensions);
  auto& numbers = *response.mutable_all_extension_numbers_response();
  numbers.set_base_type_name(name);
  for (const FieldDescriptor* extension : extensions) {
    numbers.add_extension_number(extension->number());
  }
}

}  // namespace

grpc::Status AnswerReflection(const std::string& request,
                              const std::vector<std::string>& services,
                              std::string* response) {
  // Links in the descriptor of the older version, which nothing else refers to.
  grpc::reflection::v1alpha::ServerReflectionRequest::descriptor();
  // The response repeats the request.
  if (request.size() > kMostRequestBytes) {
    return {
        grpc::StatusCode::INVALID_ARGUMENT,
        absl::StrCat("a request has at most ", kMostRequestBytes, " bytes")};
  }
  ServerReflectionRequest parsed;
  if (!parsed.ParseFromString(request)) {
    return {grpc::StatusCode::INVALID_ARGUMENT,
            "this is no ServerReflectionRequest"};
  }
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  ServerReflectionResponse answer;
  answer.set_valid_host(parsed.host());
  switch (parsed.message_request_case()) {
    case ServerReflectionRequest::kFileByFilename:
      SetFile(pool.FindFileByName(parsed.file_by_filename()),
              parsed.file_by_filename(), answer);
      break;
    case ServerReflectionRequest::kFileContainingSymbol:
      SetFile(pool.FindFileContainingSymbol(parsed.file_containing_symbol()),
              parsed.file_containing_symbol(), answer);
      break;
    case ServerReflectionRequest::kFileContainingExtension:
      SetExtension(pool, parsed.file_containing_extension(), answer);
      break;
    case ServerReflectionRequest::kAllExtensionNumbersOfType:
      SetExtensionNumbers(pool, parsed.all_extension_numbers_of_type(), answer);
      break;
    case ServerReflectionRequest::kListServices:
      for (const std::string& name : services) {
        answer.mutable_list_services_response()->add_service()->set_name(name);
      }
      break;
    default:
      return {grpc::StatusCode::INVALID_ARGUMENT, "the request asks nothing"};
  }
  *answer.mutable_original_request() = std::move(parsed);
  *response = answer.SerializeAsString();
  return grpc::Status::OK;
}

}  // namespace echod

// SPDX-License-Identifier: Apache-2.0

#include "admin/server/library_log.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include <atomic>
#include <string>

#include "absl/strings/str_cat.h"

namespace echod {
namespace {

std::atomic<LibraryLogSink> log_sink{nullptr};

std::string Where(absl::string_view file, int line) {
  return absl::StrCat(file.substr(file.rfind('/') + 1), ":", line, ": ");
}

void OnGrpcMessage(gpr_log_func_args* args) {
  // gRPC's INFO messages are for debugging gRPC.
  const LibraryLogLevel level = args->severity == GPR_LOG_SEVERITY_ERROR
                                    ? LibraryLogLevel::kError
                                    : LibraryLogLevel::kDebug;
  log_sink.load()(level, "gRPC",
                  absl::StrCat(Where(args->file, args->line), args->message));
}

void OnProtobufMessage(google::protobuf::LogLevel severity, const char* file,
                       int line, const std::string& message) {
  const LibraryLogLevel level = severity >= google::protobuf::LOGLEVEL_ERROR
                                    ? LibraryLogLevel::kError
                                : severity == google::protobuf::LOGLEVEL_WARNING
                                    ? LibraryLogLevel::kWarning
                                    : LibraryLogLevel::kDebug;
  log_sink.load()(level, "protobuf", absl::StrCat(Where(file, line), message));
}

}  // namespace

void SendLibraryLogsTo(LibraryLogSink sink) {
  log_sink.store(sink);
  gpr_set_log_function(&OnGrpcMessage);
  google::protobuf::SetLogHandler(&OnProtobufMessage);
}

}  // namespace echod

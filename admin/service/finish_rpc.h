// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVICE_FINISH_RPC_H_
#define ADMIN_SERVICE_FINISH_RPC_H_

#include <grpcpp/support/server_callback.h>

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "admin/service/answer_thread.h"
#include "admin/service/audit.h"
#include "admin/service/status_conversion.h"
#include "echo/control/reply.h"

// What the methods of AdminService share.
namespace echod {

// For a method whose answer, or error, is there already.
inline grpc::ServerUnaryReactor* FinishNow(grpc::CallbackServerContext* context,
                                           const absl::Status& status) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(ToGrpcStatus(status));
  return reactor;
}

// The same for a method that changes something.
inline grpc::ServerUnaryReactor* FinishNow(grpc::CallbackServerContext* context,
                                           const Audit& audit,
                                           const absl::Status& status) {
  audit.Write(status);
  return FinishNow(context, status);
}

// Ends a stream before its first message.
template <typename Message>
class FailedStream final : public grpc::ServerWriteReactor<Message> {
 public:
  explicit FailedStream(const absl::Status& status) {
    this->Finish(ToGrpcStatus(status));
  }
  void OnDone() override { delete this; }
};

// A Reply that may be given on a loop: it moves the answer to the answer
// thread, which fills `response` by `fill` and finishes the RPC. `error`
// converts the status. gRPC keeps the reactor and the response until then,
// whatever the caller does meanwhile. `answers` outlives the Reply.
template <typename T, typename Response, typename Fill>
Reply<T> FinishLater(AnswerThread& answers, grpc::ServerUnaryReactor* reactor,
                     Response* response, Fill fill,
                     absl::Status (*error)(const absl::Status&) = nullptr,
                     std::unique_ptr<const Audit> audit = nullptr) {
  return Reply<T>([&answers, reactor, response, fill = std::move(fill), error,
                   audit = std::move(audit)](absl::StatusOr<T> answer) mutable {
    answers.Post([reactor, response, fill = std::move(fill), error,
                  audit = std::move(audit),
                  answer = std::move(answer)]() mutable {
      if (answer.ok()) *response = fill(*answer);
      const absl::Status status =
          error == nullptr ? answer.status() : error(answer.status());
      if (audit != nullptr) audit->Write(status);
      reactor->Finish(ToGrpcStatus(status));
    });
  });
}

// The same for a method that changes something.
template <typename T, typename Response, typename Fill>
Reply<T> FinishLater(AnswerThread& answers, grpc::ServerUnaryReactor* reactor,
                     Response* response, std::unique_ptr<const Audit> audit,
                     Fill fill,
                     absl::Status (*error)(const absl::Status&) = nullptr) {
  return FinishLater<T>(answers, reactor, response, std::move(fill), error,
                        std::move(audit));
}

}  // namespace echod

#endif  // ADMIN_SERVICE_FINISH_RPC_H_

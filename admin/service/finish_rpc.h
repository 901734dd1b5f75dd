// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVICE_FINISH_RPC_H_
#define ADMIN_SERVICE_FINISH_RPC_H_

#include <grpcpp/support/server_callback.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "admin/service/answer_thread.h"
#include "admin/service/status_conversion.h"
#include "admin/transport/admin_peer.h"
#include "echo/base/logging.h"
#include "echo/control/reply.h"

// What the methods of AdminService share.
namespace echod {

// Logs what an operator changes.
inline void LogRequest(const grpc::CallbackServerContext& context,
                       absl::string_view what) {
  LogInfo(absl::StrCat(ClientOfPeer(context.peer()), " ", what));
}

// For a method whose answer, or error, is there already.
inline grpc::ServerUnaryReactor* FinishNow(grpc::CallbackServerContext* context,
                                           const absl::Status& status) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(ToGrpcStatus(status));
  return reactor;
}

// A Reply that may be given on a loop: it moves the answer to the answer
// thread, which fills `response` by `fill` and finishes the RPC. `error`
// converts the status. gRPC keeps the reactor and the response until then,
// whatever the caller does meanwhile. `answers` outlives the Reply.
template <typename T, typename Response, typename Fill>
Reply<T> FinishLater(AnswerThread& answers, grpc::ServerUnaryReactor* reactor,
                     Response* response, Fill fill,
                     absl::Status (*error)(const absl::Status&) = nullptr) {
  return Reply<T>([&answers, reactor, response, fill = std::move(fill),
                   error](absl::StatusOr<T> answer) mutable {
    answers.Post([reactor, response, fill = std::move(fill), error,
                  answer = std::move(answer)]() mutable {
      if (answer.ok()) *response = fill(*answer);
      reactor->Finish(ToGrpcStatus(error == nullptr ? answer.status()
                                                    : error(answer.status())));
    });
  });
}

}  // namespace echod

#endif  // ADMIN_SERVICE_FINISH_RPC_H_

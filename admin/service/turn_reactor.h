// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVICE_TURN_REACTOR_H_
#define ADMIN_SERVICE_TURN_REACTOR_H_

#include <grpcpp/alarm.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "admin/service/answer_turns.h"
#include "echo/base/mutex.h"

namespace echod {

// An RPC whose large answer is made when it is its turn, and cancelled when the
// client has not taken it for too long, so that nobody keeps the others' turns.
// Destroys itself when gRPC is done with it.
class TurnReactor final : public grpc::ServerUnaryReactor {
 public:
  // `turns` outlives it. `timeout` counts from the beginning of its turn.
  TurnReactor(AnswerTurns& turns, absl::Duration timeout,
              grpc::CallbackServerContext& context);

  // Once, within the RPC's handler. `start` makes the answer, and finishes the
  // RPC.
  void Begin(AnswerTurns::Start start);

  // For gRPC.
  void OnCancel() override;
  void OnDone() override;

 private:
  void CancelUnlessDone();
  void Release();

  AnswerTurns& turns_;
  const absl::Duration timeout_;
  grpc::CallbackServerContext& context_;
  const std::string client_;
  AnswerTurns::Ticket ticket_ = 0;
  bool started_ = false;
  // The RPC and the alarm each hold it, once it has started.
  std::atomic<int> holders_{2};
  grpc::Alarm alarm_;

  Mutex mutex_;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace echod

#endif  // ADMIN_SERVICE_TURN_REACTOR_H_

// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVICE_TURN_REACTOR_H_
#define ADMIN_SERVICE_TURN_REACTOR_H_

#include <grpcpp/alarm.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "admin/service/answer_turns.h"
#include "echo/base/mutex.h"
#include "echo/control/connection_control.h"

namespace echod {

// An RPC with a large answer: it starts when AnswerTurns lets it, and is
// cancelled when the client takes too long to read the answer, so that a slow
// reader cannot block the others. Destroys itself when gRPC is done with it.
//
// Its methods run on gRPC's threads. `start` posts the question to the loops;
// the answer thread finishes the RPC.
class TurnReactor final : public grpc::ServerUnaryReactor {
 public:
  // `turns` outlives the reactor. `timeout` counts from OnAnswer.
  TurnReactor(AnswerTurns& turns, absl::Duration timeout,
              grpc::CallbackServerContext& context);

  // Called once, in the RPC's handler. `start` has the answer made and the RPC
  // finished.
  void Begin(AnswerTurns::Start start);

  // At most once, before the RPC is finished: the answer has been made, and the
  // client's time to read it begins.
  void OnAnswer();

  // Of the RPC: the client has gone, or has taken too long.
  Abandonment abandonment() const { return abandoned_; }

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
  const std::shared_ptr<std::atomic<bool>> abandoned_ =
      std::make_shared<std::atomic<bool>>(false);
  // The RPC and, once set, the alarm hold one reference each.
  std::atomic<int> holders_{1};
  grpc::Alarm alarm_;

  Mutex mutex_;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace echod

#endif  // ADMIN_SERVICE_TURN_REACTOR_H_

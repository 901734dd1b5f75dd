// SPDX-License-Identifier: Apache-2.0

#include "admin/service/turn_reactor.h"

#include <grpc/support/time.h>

#include <utility>

namespace echod {

TurnReactor::TurnReactor(AnswerTurns& turns, absl::Duration timeout,
                         grpc::CallbackServerContext& context)
    : turns_(turns),
      timeout_(timeout),
      context_(context),
      client_(context.peer()) {}

void TurnReactor::Begin(AnswerTurns::Start start) {
  ticket_ = turns_.Begin(client_, [this, start = std::move(start)]() mutable {
    started_ = true;
    start();
  });
}

void TurnReactor::OnAnswer() {
  holders_.fetch_add(1);
  alarm_.Set(
      gpr_time_from_millis(absl::ToInt64Milliseconds(timeout_), GPR_TIMESPAN),
      [this](bool expired) {
        if (expired) CancelUnlessDone();
        Release();
      });
}

void TurnReactor::OnCancel() {
  *abandoned_ = true;
  if (turns_.Cancel(ticket_)) Finish(grpc::Status::CANCELLED);
}

void TurnReactor::OnDone() {
  if (!started_) {
    delete this;
    return;
  }
  turns_.End(client_);
  {
    MutexLock lock(mutex_);
    done_ = true;
  }
  alarm_.Cancel();
  Release();
}

void TurnReactor::CancelUnlessDone() {
  // gRPC destroys the context after OnDone.
  MutexLock lock(mutex_);
  if (!done_) context_.TryCancel();
}

void TurnReactor::Release() {
  if (holders_.fetch_sub(1) == 1) delete this;
}

}  // namespace echod

// SPDX-License-Identifier: Apache-2.0

#include "echo/server/retiring_socket.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "echo/base/logging.h"

namespace echod {
namespace {

// How long a socket retires where descriptors have run out and connections in
// its queue have to wait.
constexpr std::chrono::seconds kLongestRetirement{10};

// A queue that moves is emptied even after that. But where the system lets no
// handshake be stopped, it may fill as fast: so many turns empty any queue that
// does not.
constexpr int kMostLateTurns = 65536;

}  // namespace

RetiringSocket::RetiringSocket(EventLoop& loop, Clock& clock,
                               std::unique_ptr<Acceptor> acceptor,
                               ClosedCallback on_closed)
    : clock_(clock),
      give_up_(clock.MonotonicNow() + kLongestRetirement),
      acceptor_(std::move(acceptor)),
      on_closed_(std::move(on_closed)),
      timer_(loop, [this] { Advance(); }) {
  acceptor_->StopHandshakes();
  timer_.Arm(kHandshakeGrace);
}

void RetiringSocket::Advance() {
  const Acceptor::Queue queue = acceptor_->CheckQueue();
  if (queue == Acceptor::Queue::kEmpty) return Close(/*lost=*/false);
  const bool late = clock_.MonotonicNow() >= give_up_;
  if (queue == Acceptor::Queue::kStuck) {
    if (late) return Close(/*lost=*/true);
    timer_.Arm(kHandshakeGrace);
    return;
  }
  if (late && ++late_turns_ > kMostLateTurns) return Close(/*lost=*/true);
  timer_.Arm(absl::ZeroDuration());
}

void RetiringSocket::Close(bool lost) {
  if (lost) {
    LogWarning(absl::StrCat("closing the socket on ",
                            acceptor_->address().ToString(),
                            " resets connections that could not be accepted"));
  }
  acceptor_.reset();
  on_closed_(*this, lost);
}

}  // namespace echod

// SPDX-License-Identifier: Apache-2.0

#include "echo/net/acceptor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "echo/base/check.h"
#include "echo/base/logging.h"
#include "echo/base/resource_error.h"
#include "echo/net/listen_socket.h"

namespace echod {
namespace {

// What one acceptor takes of a turn, what all of a group take together, and
// what each of them takes even where they are many.
constexpr int kAcceptsPerTurn = 64;
constexpr int kAcceptsOfGroupPerTurn = 256;
constexpr int kLeastAcceptsPerTurn = 4;
// A connection that died in the queue says nothing of the next one; several in
// a row say that none can be accepted.
constexpr int kFailuresBeforeBackOff = 8;
constexpr absl::Duration kFirstBackOff = absl::Milliseconds(10);
constexpr absl::Duration kLongestBackOff = absl::Seconds(1);

// Descriptors are given out from the lowest, so a number tells how many are
// used.
int DescriptorCeiling() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT_MAX) {
    return INT_MAX;
  }
  const int most = static_cast<int>(limit.rlim_cur);
  return most - std::clamp(most / 8, 8, 64);
}

}  // namespace

int AcceptorGroup::MostPerTurn() const {
  return std::clamp(kAcceptsOfGroupPerTurn / std::max(acceptors_, 1),
                    kLeastAcceptsPerTurn, kAcceptsPerTurn);
}

Acceptor::Acceptor(EventLoop& loop, ListenSocket listening, Callbacks callbacks,
                   Descriptors descriptors, AcceptorGroup* group)
    : listening_(std::move(listening.fd)),
      address_(std::move(listening.address)),
      file_(std::move(listening.file)),
      inherited_(listening.inherited),
      callbacks_(std::move(callbacks)),
      readable_(event_new(loop.base(), listening_.get(), EV_READ | EV_PERSIST,
                          &Acceptor::OnReadable, this)),
      retry_(loop, [this] { Retry(); }),
      descriptor_ceiling_(
          descriptors == Descriptors::kAll ? INT_MAX : DescriptorCeiling()),
      group_(group) {
  ECHOD_CHECK(readable_ != nullptr);
  if (group_ != nullptr) group_->Join();
  Watch();
}

Acceptor::~Acceptor() {
  if (group_ != nullptr) group_->Leave();
}

void Acceptor::Watch() {
  if (event_add(readable_.get(), nullptr) != 0) BackOff(errno);
}

void Acceptor::Pause() {
  paused_ = true;
  retry_.Disarm();
  event_del(readable_.get());
}

void Acceptor::Resume() {
  if (!std::exchange(paused_, false)) return;
  back_off_ = absl::ZeroDuration();
  Watch();
}

void Acceptor::StopHandshakes() {
  if (address_.is_unix()) {
    file_.Remove();
  } else {
    handshakes_ = echod::StopHandshakes(listening_.get());
  }
}

absl::StatusOr<ListenSocket> Acceptor::Duplicate() const {
  ListenSocket duplicate;
  duplicate.fd = UniqueFd(fcntl(listening_.get(), F_DUPFD_CLOEXEC, 0));
  if (!duplicate.fd.valid()) {
    return ResourceError(
        absl::StrCat("take over the socket on ", address_.ToString()), errno);
  }
  duplicate.address = address_;
  return duplicate;
}

SocketFile Acceptor::PassOn() {
  passed_on_ = true;
  return std::move(file_);
}

Acceptor::Queue Acceptor::CheckQueue() {
  if (!HasWaiting()) return Queue::kEmpty;
  if (retry_.armed() && HasRoom()) {
    retry_.Disarm();
    Retry();
    if (!HasWaiting()) return Queue::kEmpty;
  }
  return retry_.armed() ? Queue::kStuck : Queue::kMoving;
}

bool Acceptor::HasWaiting() const {
  pollfd waiting = {.fd = listening_.get(), .events = POLLIN, .revents = 0};
  return poll(&waiting, 1, 0) > 0;
}

void Acceptor::OnReadable(evutil_socket_t /*fd*/, short /*what*/, void* self) {
  static_cast<Acceptor*>(self)->AcceptBatch();
}

void Acceptor::AcceptBatch() {
  int left = group_ != nullptr ? group_->MostPerTurn() : kAcceptsPerTurn;
  Outcome outcome = Outcome::kAccepted;
  while (left > 0 &&
         (outcome == Outcome::kAccepted || outcome == Outcome::kTryAgain)) {
    outcome = AcceptOne();
    --left;
  }
  callbacks_.on_accepted_all();
}

Acceptor::Outcome Acceptor::AcceptOne() {
  sockaddr_storage storage;
  socklen_t length = sizeof storage;
  UniqueFd socket(accept4(listening_.get(),
                          reinterpret_cast<sockaddr*>(&storage), &length,
                          SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket.valid()) return OnAcceptFailed(errno);
  if (handshakes_ == HandshakeStop::kHopLimit) LiftHopLimit(socket.get());
  const bool last = socket.get() >= descriptor_ceiling_;
  back_off_ = absl::ZeroDuration();
  failures_in_a_row_ = 0;
  const SocketAddress remote = address_.is_unix()
                                   ? UnixPeerOf(socket.get())
                                   : SocketAddress::FromKernel(storage);
  callbacks_.on_accept(std::move(socket), remote);
  if (!last) return Outcome::kAccepted;
  callbacks_.on_error();
  BackOff(EMFILE);
  return Outcome::kBackedOff;
}

Acceptor::Outcome Acceptor::OnAcceptFailed(int error) {
  if (error == EAGAIN) {
    failures_in_a_row_ = 0;
    if (in_episode_ && !retry_.armed()) {
      LogInfo(absl::StrCat("accepting on ", address_.ToString(), " again"));
      in_episode_ = false;
    }
    return Outcome::kNothingWaits;
  }
  callbacks_.on_error();
  ++failures_in_a_row_;
  switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      break;
    default:
      // This one died while it waited, or a policy forbids it.
      if (failures_in_a_row_ < kFailuresBeforeBackOff) {
        return Outcome::kTryAgain;
      }
  }
  BackOff(error);
  return Outcome::kBackedOff;
}

bool Acceptor::HasRoom() const {
  const UniqueFd probe(fcntl(listening_.get(), F_DUPFD_CLOEXEC, 0));
  return probe.valid() && probe.get() < descriptor_ceiling_;
}

void Acceptor::Retry() {
  if (!HasRoom()) {
    callbacks_.on_error();
    BackOff(EMFILE);
    return;
  }
  Watch();
  AcceptBatch();
}

void Acceptor::BackOff(int error) {
  if (!in_episode_) {
    LogWarning(absl::StrCat("cannot accept on ", address_.ToString(), ": ",
                            std::strerror(error),
                            "; new connections wait in the backlog, and "
                            "echod will retry"));
    in_episode_ = true;
  }
  back_off_ = back_off_ == absl::ZeroDuration()
                  ? kFirstBackOff
                  : std::min(2 * back_off_, kLongestBackOff);
  event_del(readable_.get());
  retry_.Arm(back_off_);
}

}  // namespace echod

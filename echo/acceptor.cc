#include "echo/acceptor.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "echo/base/check.h"
#include "echo/base/logging.h"
#include "echo/listen_socket.h"

namespace echod {
namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr absl::Duration kFirstBackOff = absl::Milliseconds(10);
constexpr absl::Duration kLongestBackOff = absl::Seconds(1);

}  // namespace

Acceptor::Acceptor(EventLoop& loop, UniqueFd listening, Callbacks callbacks)
    : listening_(std::move(listening)),
      address_(LocalAddress(listening_.get())),
      callbacks_(std::move(callbacks)),
      readable_(event_new(loop.base(), listening_.get(), EV_READ | EV_PERSIST,
                          &Acceptor::OnReadable, this)),
      retry_(loop, [this] {
        event_add(readable_.get(), nullptr);
        AcceptUpTo(kAcceptsPerTurn);
      }) {
  ECHOD_CHECK(readable_ != nullptr);
  ECHOD_CHECK(event_add(readable_.get(), nullptr) == 0);
}

void Acceptor::StopHandshakes() { echod::StopHandshakes(listening_.get()); }

void Acceptor::AcceptWaiting() { AcceptUpTo(std::numeric_limits<int>::max()); }

void Acceptor::OnReadable(evutil_socket_t /*fd*/, short /*what*/, void* self) {
  static_cast<Acceptor*>(self)->AcceptUpTo(kAcceptsPerTurn);
}

void Acceptor::AcceptUpTo(int most) {
  for (int i = 0; i < most; ++i) {
    if (AcceptOne() != Outcome::kAccepted) return;
  }
}

Acceptor::Outcome Acceptor::AcceptOne() {
  for (;;) {
    sockaddr_storage storage;
    socklen_t length = sizeof storage;
    UniqueFd socket(accept4(listening_.get(),
                            reinterpret_cast<sockaddr*>(&storage), &length,
                            SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket.valid()) {
      if (back_off_ > absl::ZeroDuration()) {
        LogInfo(absl::StrCat("accepting on ", address_.ToString(), " again"));
        back_off_ = absl::ZeroDuration();
      }
      callbacks_.on_accept(std::move(socket),
                           SocketAddress::FromKernel(storage));
      return Outcome::kAccepted;
    }
    switch (errno) {
      case EAGAIN:
        return Outcome::kNothingWaits;
      case EINTR:
        break;
      case ECONNABORTED:
      case EPERM:
      case EPROTO:
        // This one died while it waited, or a firewall forbids it. The next one
        // may be well.
        callbacks_.on_error();
        break;
      default:
        // No descriptor or memory is left, above all.
        const int error = errno;
        callbacks_.on_error();
        BackOff(error);
        return Outcome::kExhausted;
    }
  }
}

void Acceptor::BackOff(int error) {
  if (back_off_ == absl::ZeroDuration()) {
    LogWarning(absl::StrCat("cannot accept on ", address_.ToString(), ": ",
                            std::strerror(error),
                            "; new connections wait until there is room"));
    back_off_ = kFirstBackOff;
  } else {
    back_off_ = std::min(2 * back_off_, kLongestBackOff);
  }
  event_del(readable_.get());
  retry_.Arm(back_off_);
}

}  // namespace echod

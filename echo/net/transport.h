// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_NET_TRANSPORT_H_
#define ECHO_NET_TRANSPORT_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "echo/base/socket_address.h"
#include "echo/control/connection_info.h"

namespace echod {

// What a connection's bytes go through: a socket as it is (PlainTransport), or
// one with a layer on it. Owns the socket, and closes it when it is destroyed.
// Loop thread only.
//
// A layer may buffer bytes, and may have to write before it can read, or read
// before it can write. It hides this from its observer: it calls OnReadable
// whenever Read may make progress, whichever event of the socket made that
// possible. While it holds unread bytes, it calls again in the next turn of the
// loop.
class Transport {
 public:
  enum class Failure : std::uint8_t {
    kShortage,  // the system has no memory for the call; it may succeed later
    kLost,      // the connection is gone, most likely reset by the peer
  };

  // Whom a transport tells of its events. Any method may destroy the transport,
  // except OnOutputTaken.
  class Observer {
   public:
    // Read may return something. Called in each turn of the loop while that
    // holds and reading is on.
    virtual void OnReadable() = 0;
    // The kernel has accepted `bytes` of the output that waited.
    virtual void OnOutputTaken(std::int64_t bytes) = 0;
    // The output that waits has fallen to the low watermark.
    virtual void OnOutputLow() = 0;
    // A write of waiting output has failed. After kShortage, the transport does
    // not try again until ResumeOutput.
    virtual void OnOutputFailed(Failure failure) = 0;

   protected:
    ~Observer() = default;
  };

  struct ReadResult {
    enum class Status : std::uint8_t {
      kBytes,
      kWouldBlock,
      kEnd,  // the peer has closed its side
      kShortage,
      kLost,
    };
    Status status = Status::kWouldBlock;
    std::size_t bytes = 0;
  };

  struct WriteResult {
    enum class Status : std::uint8_t {
      kAccepted,   // every byte has been sent or waits
      kLost,       // the connection is gone
      kExhausted,  // no memory or epoll watch to keep the rest
    };
    Status status = Status::kAccepted;
    std::int64_t sent = 0;  // accepted by the kernel at once
  };

  // Destroys a transport, wherever it lives.
  struct Deleter {
    void operator()(Transport* transport) const { transport->Release(); }
  };

  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  // Before anything else. `observer` outlives the transport.
  void SetObserver(Observer& observer) { observer_ = &observer; }

  // Calls OnReadable from now on. False, and nothing is watched, when the
  // system is out of memory or epoll watches.
  [[nodiscard]] virtual bool StartReading() = 0;
  virtual void StopReading() = 0;

  // Reads at most buffer.size() bytes; at least one where it says kBytes.
  virtual ReadResult Read(absl::Span<char> buffer) = 0;

  // Sends `bytes` after the output that waits. The transport keeps the part
  // that the kernel does not accept, and sends it as soon as it can. After any
  // status other than kAccepted, the transport can only be aborted.
  virtual WriteResult Write(absl::string_view bytes) = 0;

  // Bytes that wait to be sent.
  std::int64_t waiting_bytes() const { return waiting_bytes_; }

  // OnOutputLow is called when no more than `bytes` wait. Initially 0, and
  // again each time nothing waits any more.
  virtual void SetLowWatermark(std::size_t bytes) = 0;

  // After a shortage, tries again to send the waiting output; otherwise does
  // nothing. False if the system is out of epoll watches: see kExhausted.
  [[nodiscard]] virtual bool ResumeOutput() = 0;

  // Half-closes: sends a FIN. Once, when nothing waits.
  virtual void CloseOutput() = 0;

  // Destruction will reset the connection instead of closing it.
  virtual void Abort() = 0;

  // Bytes that the kernel has accepted and the peer's kernel has not
  // confirmed; a reset loses them.
  virtual std::int64_t UnconfirmedBytes() const = 0;

  // Time since the peer's kernel last confirmed anything; 0 if unknown.
  virtual std::chrono::milliseconds SinceLastConfirmation() const = 0;

  // Bytes that have arrived and have not been read.
  virtual std::int64_t UnreadBytes() const = 0;

  // Whether a Read would return anything: bytes, the end or a failure.
  virtual bool HasInput() const = 0;

  // Whether the connection no longer exists in the kernel: the peer has reset
  // it or has not answered for too long, or both sides have closed.
  virtual bool IsBroken() const = 0;

  virtual SocketAddress LocalAddress() const = 0;

  // The kernel's figures for the connection; nothing if it has none.
  virtual std::optional<TcpInfo> Info() const = 0;

 protected:
  Observer& observer() { return *observer_; }

  std::int64_t waiting_bytes_ = 0;

 private:
  // Overridden by a transport that lives in a TransportSpace.
  virtual void Release() { delete this; }

  Observer* observer_ = nullptr;
};

using TransportPtr = std::unique_ptr<Transport, Transport::Deleter>;

// Memory inside a connection for its transport, so that both are one
// allocation. A transport that does not fit ignores it.
struct alignas(64) TransportSpace {
  std::byte bytes[64];
};

// Makes a connection's transport, in `space` or elsewhere.
using TransportFactory = absl::FunctionRef<TransportPtr(TransportSpace& space)>;

}  // namespace echod

#endif  // ECHO_NET_TRANSPORT_H_

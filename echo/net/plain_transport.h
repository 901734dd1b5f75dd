// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_NET_PLAIN_TRANSPORT_H_
#define ECHO_NET_PLAIN_TRANSPORT_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echo/control/connection_info.h"
#include "echo/event/event_loop.h"
#include "echo/event/fd_watcher.h"
#include "echo/event/libevent.h"
#include "echo/net/transport.h"

namespace echod {

// A plain TCP or Unix socket, with direct calls of recv and send. A bufferevent
// exists only while there is output that the kernel has not accepted; it sends
// that when it can. Most connections never need one, and idle ones do not have
// one.
//
// An echo touches one cache line of it: with thousands of connections, each
// further line is a cache miss.
class alignas(64) PlainTransport final : private FdWatcher, public Transport {
 public:
  // What a Unix socket has sent is with its peer, and outlives a close: it has
  // no unconfirmed bytes.
  enum class Kind : std::uint8_t { kTcp, kUnix };

  // A transport that lives in `space`. `socket` is connected and non-blocking.
  // `loop` outlives the transport.
  static TransportPtr In(TransportSpace& space, EventLoop& loop,
                         UniqueFd socket, Kind kind = Kind::kTcp);
  ~PlainTransport() override;

  // Transport.
  [[nodiscard]] bool StartReading() override;
  void StopReading() override;
  ReadResult Read(absl::Span<char> buffer) override;
  WriteResult Write(absl::string_view bytes) override;
  void SetLowWatermark(std::size_t bytes) override;
  [[nodiscard]] bool ResumeOutput() override;
  void CloseOutput() override;
  void Abort() override;
  std::int64_t UnconfirmedBytes() const override;
  std::chrono::milliseconds SinceLastConfirmation() const override;
  std::int64_t UnreadBytes() const override;
  bool HasInput() const override;
  bool IsBroken() const override;
  SocketAddress LocalAddress() const override;
  std::optional<TcpInfo> Info() const override;

 private:
  static void OnWritten(bufferevent* bev, void* self);
  static void OnEvent(bufferevent* bev, short what, void* self);
  static void OnChanged(evbuffer* output, const evbuffer_cb_info* info,
                        void* self);

  PlainTransport(EventLoop& loop, UniqueFd socket, Kind kind);

  void Release() override { this->~PlainTransport(); }
  void OnReadable() override;
  // Queues `bytes` after the output that waits. False: see kExhausted.
  bool Append(absl::string_view bytes);

  EventLoop& loop_;
  BuffereventPtr output_;       // null: nothing waits
  bool output_failed_ = false;  // until ResumeOutput
  const Kind kind_;
};
static_assert(sizeof(PlainTransport) <= sizeof(TransportSpace));

}  // namespace echod

#endif  // ECHO_NET_PLAIN_TRANSPORT_H_

// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_TESTING_FAKE_TRANSPORT_H_
#define ECHO_TESTING_FAKE_TRANSPORT_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "echo/base/socket_address.h"
#include "echo/control/connection_info.h"
#include "echo/net/transport.h"

namespace echod {

// The other side of a FakeTransport: what the test's peer and kernel do, and
// what they have received. Outlives the transport.
struct FakePeer {
  using Read = Transport::ReadResult::Status;
  using Write = Transport::WriteResult::Status;

  // What the next reads return; when it is empty, they would block.
  std::deque<std::pair<Read, std::string>> input;

  // How many bytes the kernel accepts yet, and what the next write returns.
  std::size_t window = std::numeric_limits<std::size_t>::max();
  Write write_status = Write::kAccepted;
  // Called by each write; may be empty.
  std::function<void()> during_write;

  std::int64_t unconfirmed = 0;
  bool broken = false;
  // Whether the system lets sockets be watched.
  bool can_watch = true;

  // What has happened.
  std::string received;  // by the peer's kernel
  std::string waiting;   // output
  bool reading = false;
  bool fin = false;
  bool aborted = false;
  bool destroyed = false;
  int resumes = 0;
  std::size_t low_watermark = 0;

  Transport::Observer* observer = nullptr;

  // Lets the transport read what `input` has, as a loop would.
  void Deliver() {
    while (!destroyed && reading && !input.empty()) observer->OnReadable();
  }
  void Send(absl::string_view bytes) {
    input.emplace_back(Read::kBytes, std::string(bytes));
    Deliver();
  }
  void Close() {
    input.emplace_back(Read::kEnd, "");
    Deliver();
  }
  void Fail(Read status) {
    input.emplace_back(status, "");
    Deliver();
  }
  // The kernel accepts `bytes` more, of what waits and of what comes later.
  void Open(std::size_t bytes);

  // Null once it has been destroyed.
  class FakeTransport* transport = nullptr;
};

// A Transport without a socket. One thread.
class FakeTransport final : public Transport {
 public:
  explicit FakeTransport(FakePeer& peer) : peer_(peer) {
    peer_.transport = this;
  }
  ~FakeTransport() override {
    peer_.destroyed = true;
    peer_.transport = nullptr;
  }

  bool StartReading() override {
    peer_.observer = &observer();
    peer_.reading = peer_.can_watch;
    return peer_.can_watch;
  }
  void StopReading() override { peer_.reading = false; }

  ReadResult Read(absl::Span<char> buffer) override {
    if (peer_.input.empty()) return {};
    auto& [status, bytes] = peer_.input.front();
    const ReadResult::Status result = status;
    const std::size_t size = std::min(bytes.size(), buffer.size());
    std::memcpy(buffer.data(), bytes.data(), size);
    bytes.erase(0, size);
    if (bytes.empty()) peer_.input.pop_front();
    return {.status = result, .bytes = size};
  }

  WriteResult Write(absl::string_view bytes) override {
    if (peer_.during_write) peer_.during_write();
    if (peer_.write_status != WriteResult::Status::kAccepted) {
      return {.status = peer_.write_status};
    }
    WriteResult result;
    if (waiting_bytes_ == 0) {
      const std::size_t sent = std::min(bytes.size(), peer_.window);
      Accept(bytes.substr(0, sent));
      result.sent = static_cast<std::int64_t>(sent);
      bytes.remove_prefix(sent);
    }
    peer_.waiting.append(bytes.data(), bytes.size());
    waiting_bytes_ += static_cast<std::int64_t>(bytes.size());
    return result;
  }

  void SetLowWatermark(std::size_t bytes) override {
    if (waiting_bytes_ > 0) peer_.low_watermark = bytes;
  }
  bool ResumeOutput() override {
    ++peer_.resumes;
    return peer_.can_watch;
  }
  void CloseOutput() override { peer_.fin = true; }
  void Abort() override { peer_.aborted = true; }
  std::int64_t UnconfirmedBytes() const override { return peer_.unconfirmed; }
  std::chrono::milliseconds SinceLastConfirmation() const override {
    return std::chrono::milliseconds(0);
  }
  std::int64_t UnreadBytes() const override {
    std::size_t unread = 0;
    for (const auto& [status, bytes] : peer_.input) unread += bytes.size();
    return static_cast<std::int64_t>(unread);
  }
  bool HasInput() const override { return !peer_.input.empty(); }
  bool IsBroken() const override { return peer_.broken; }
  SocketAddress LocalAddress() const override { return {}; }
  std::optional<TcpInfo> Info() const override { return std::nullopt; }

  // Sends waiting output as far as the window allows.
  void Drain() {
    const std::size_t taken = std::min(peer_.waiting.size(), peer_.window);
    if (taken == 0) return;
    Accept(absl::string_view(peer_.waiting).substr(0, taken));
    peer_.waiting.erase(0, taken);
    waiting_bytes_ -= static_cast<std::int64_t>(taken);
    observer().OnOutputTaken(static_cast<std::int64_t>(taken));
    const std::size_t low = peer_.low_watermark;
    if (waiting_bytes_ == 0) peer_.low_watermark = 0;
    if (peer_.waiting.size() <= low) observer().OnOutputLow();
  }
  void FailOutput(Failure failure) { observer().OnOutputFailed(failure); }

 private:
  void Accept(absl::string_view bytes) {
    peer_.window -= bytes.size();
    peer_.received.append(bytes.data(), bytes.size());
  }

  FakePeer& peer_;
};

inline void FakePeer::Open(std::size_t bytes) {
  window += bytes;
  if (transport != nullptr) transport->Drain();
}

}  // namespace echod

#endif  // ECHO_TESTING_FAKE_TRANSPORT_H_

// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_TESTING_FAKE_FIELDS_H_
#define ECHO_TESTING_FAKE_FIELDS_H_

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "echo/base/clock.h"
#include "echo/base/socket_address.h"
#include "echo/control/connection_fields.h"
#include "echo/control/connection_info.h"

namespace echod {

// A connection that is only its fields. At Time(1000), it was created 100 s ago
// and has been idle for 40 s, unless a test changes that.
struct FakeFields final : ConnectionFields {
  static MonotonicTime Time(int seconds) {
    return MonotonicTime(std::chrono::seconds(seconds));
  }

  std::uint64_t number() const override { return number_; }
  const std::string& listener_id() const override { return listener_; }
  std::int64_t listener_generation() const override { return generation_; }
  int worker() const override { return worker_; }
  ConnectionInfo::State state() const override {
    return ConnectionInfo::State::kDraining;
  }
  const SocketAddress& remote_address() const override { return remote_; }
  SocketAddress local_address() const override {
    ++local_address_calls_;
    return *SocketAddress::Parse("[2001:db8::1]:8080");
  }
  MonotonicTime created() const override { return Time(created_); }
  MonotonicTime last_active() const override { return Time(last_active_); }
  absl::Time WallTime(MonotonicTime time) const override {
    return absl::FromUnixSeconds(1'700'000'000) +
           absl::FromChrono(time.time_since_epoch());
  }
  std::int64_t bytes_received() const override { return bytes_received_; }
  std::int64_t bytes_sent() const override { return bytes_sent_; }
  std::int64_t bytes_buffered() const override { return bytes_buffered_; }
  std::int64_t lines_echoed() const override { return lines_echoed_; }
  bool reading_paused() const override { return true; }

  std::uint64_t number_ = 7;
  std::string listener_ = "default";
  std::int64_t generation_ = 3;
  int worker_ = 2;
  SocketAddress remote_ = *SocketAddress::Parse("10.1.2.3:4567");
  int created_ = 900;
  int last_active_ = 960;
  std::int64_t bytes_received_ = 10;
  std::int64_t bytes_sent_ = 1 << 20;
  std::int64_t bytes_buffered_ = 0;
  std::int64_t lines_echoed_ = 5;
  mutable int local_address_calls_ = 0;
};

}  // namespace echod

#endif  // ECHO_TESTING_FAKE_FIELDS_H_

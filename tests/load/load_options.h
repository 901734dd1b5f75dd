// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_LOAD_LOAD_OPTIONS_H_
#define TESTS_LOAD_LOAD_OPTIONS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "echo/base/socket_address.h"
#include "tests/load/latency_histogram.h"
#include "tests/load/script.h"

namespace echod::load {

// What load to put on a server. Plain values.
struct LoadOptions {
  SocketAddress server;
  Mode mode = Mode::kLine;
  int connections = 100;
  std::size_t request_bytes = 64;
  // The most requests that one connection has under way.
  int pipeline = 1;
  // Closed loop: the most requests that all connections together have under
  // way, which take turns. 0: as many as their pipelines hold.
  int in_flight = 0;
  int threads = 1;
  // Requests per second, of all connections together, at moments that are fixed
  // beforehand. 0: a closed loop, in which each answer brings the next request.
  double rate = 0;
  // Of the part that is measured, which begins once all have connected.
  absl::Duration duration = absl::Seconds(10);
  // Connections are opened evenly over this time.
  absl::Duration ramp = absl::ZeroDuration();
  // For a connection to come about, or for a byte to come that is owed.
  absl::Duration timeout = absl::Seconds(10);
  // After so many a connection is closed, and another opened. 0: never.
  std::int64_t requests_per_connection = 0;
  // So many connections per second, taken in turns, are closed once they have
  // their answers, and others opened. 0: none.
  double reconnect_rate = 0;
};

enum class ErrorKind : std::uint8_t {
  kConnect,      // a connection did not come about
  kReset,        // a connection broke
  kClosedEarly,  // a FIN came that nobody had asked for
  kWrongBytes,   // what came back is not what was sent
  kTimeout,      // nothing came back for too long
};
inline constexpr std::size_t kErrorKindCount = 5;

// As it is called in reports.
constexpr absl::string_view ErrorKindName(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kConnect:
      return "connect";
    case ErrorKind::kReset:
      return "reset";
    case ErrorKind::kClosedEarly:
      return "closed_early";
    case ErrorKind::kWrongBytes:
      return "wrong_bytes";
    case ErrorKind::kTimeout:
      return "timeout";
  }
  return "";
}

// What has been counted. Plain values.
struct LoadCounts {
  std::int64_t requests = 0;  // answered, every byte of them verified
  std::int64_t bytes_sent = 0;
  std::int64_t bytes_received = 0;  // and verified
  std::int64_t connections_opened = 0;
  std::array<std::int64_t, kErrorKindCount> errors = {};  // by ErrorKind

  std::int64_t Errors(ErrorKind kind) const {
    return errors[static_cast<std::size_t>(kind)];
  }
  std::int64_t Errors() const {
    std::int64_t sum = 0;
    for (const std::int64_t each : errors) sum += each;
    return sum;
  }
  friend LoadCounts operator+(const LoadCounts& a, const LoadCounts& b) {
    return Combine(a, b, 1);
  }
  friend LoadCounts operator-(const LoadCounts& a, const LoadCounts& b) {
    return Combine(a, b, -1);
  }

 private:
  static LoadCounts Combine(const LoadCounts& a, const LoadCounts& b,
                            std::int64_t sign) {
    LoadCounts sum = a;
    sum.requests += sign * b.requests;
    sum.bytes_sent += sign * b.bytes_sent;
    sum.bytes_received += sign * b.bytes_received;
    sum.connections_opened += sign * b.connections_opened;
    for (std::size_t i = 0; i < kErrorKindCount; ++i) {
      sum.errors[i] += sign * b.errors[i];
    }
    return sum;
  }
};

struct LoadResult {
  // How long it was measured; 0 when it was ended before.
  absl::Duration measured;
  LoadCounts counts;  // of that time
  // Of the requests that were due in it, answered or not: one that was never
  // answered, or not even sent, has waited for as long as it was waited for.
  LatencyHistogram latencies;
  absl::Duration cpu_time;      // of the load's own threads, in it
  LoadCounts whole;             // from the first connection to the last
  std::int64_t unanswered = 0;  // requests sent that got no whole answer
  // Open loop: due in the measured part, and never sent, since each connection
  // had as many under way as it may.
  std::int64_t unsent = 0;
  // The beginning of the first wrong bytes; empty: there were none.
  std::string unexpected;

  // Every request that was sent has been answered with the right bytes, and no
  // connection failed.
  bool EverythingCameBack() const {
    return unanswered == 0 && whole.Errors() == 0 && whole.requests > 0;
  }
};

}  // namespace echod::load

#endif  // TESTS_LOAD_LOAD_OPTIONS_H_

// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_LOAD_LOAD_OPTIONS_H_
#define TESTS_LOAD_LOAD_OPTIONS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "echo/base/histogram.h"
#include "echo/base/socket_address.h"
#include "tests/load/hgrm.h"
#include "tests/load/script.h"

namespace echod::load {

// The load to generate. Plain values.
struct LoadOptions {
  SocketAddress server;
  Mode mode = Mode::kLine;
  int connections = 100;
  std::size_t request_bytes = 64;
  // Maximum outstanding requests per connection.
  int pipeline = 1;
  // Closed loop: maximum outstanding requests of all connections together,
  // which take turns. 0: limited only by `pipeline`.
  int in_flight = 0;
  int threads = 1;
  // Requests per second of all connections together, scheduled in advance. 0: a
  // closed loop, in which each answer triggers the next request.
  double rate = 0;
  // Of the measured part, which starts after all connections are established.
  absl::Duration duration = absl::Seconds(10);
  // Connections are opened evenly over this time.
  absl::Duration ramp = absl::ZeroDuration();
  // Maximum time to establish a connection, or to wait for an expected byte.
  absl::Duration timeout = absl::Seconds(10);
  // Requests after which a connection is closed and a new one opened. 0: never.
  std::int64_t requests_per_connection = 0;
  // Connections per second, taken in turns, that are closed once they have
  // received their answers, and replaced by new ones. 0: none.
  double reconnect_rate = 0;
  // To compare parts of the measured part, latencies are recorded in series,
  // too: each in the one whose number `current_series` holds when the answer
  // arrives. Below 0: in none. The atomic outlives the run.
  int series = 0;
  const std::atomic<int>* current_series = nullptr;
};

enum class ErrorKind : std::uint8_t {
  kConnect,      // a connection was not established
  kReset,        // a connection broke
  kClosedEarly,  // an unexpected FIN
  kWrongBytes,   // the echo differs from what was sent
  kTimeout,      // no answer within the timeout
};
inline constexpr std::size_t kErrorKindCount = 5;

// The name in reports.
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

// Counters of a load. Plain values.
struct LoadCounts {
  std::int64_t requests = 0;  // answered and verified
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
  // Length of the measured part; 0 if the run ended before it.
  absl::Duration measured;
  LoadCounts counts;  // of the measured part
  // Of all requests that were due in the measured part. A request that was not
  // answered, or not even sent, counts with the time until the run ended.
  Histogram latencies{kLatencyBuckets};
  // LoadOptions::series of them: of the requests answered in each.
  std::vector<Histogram> series;
  absl::Duration cpu_time;      // of the load's threads, in that part
  LoadCounts whole;             // from the first connection to the last
  std::int64_t unanswered = 0;  // requests sent without a complete answer
  // Open loop: requests due in the measured part and never sent, because their
  // connections had the maximum outstanding.
  std::int64_t unsent = 0;
  // The beginning of the first wrong bytes; empty if there were none.
  std::string unexpected;

  // Whether every request was answered with the right bytes, and no connection
  // failed.
  bool EverythingCameBack() const {
    return unanswered == 0 && whole.Errors() == 0 && whole.requests > 0;
  }
};

}  // namespace echod::load

#endif  // TESTS_LOAD_LOAD_OPTIONS_H_

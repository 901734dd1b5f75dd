// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_BENCH_OPERATORS_H_
#define TESTS_BENCH_OPERATORS_H_

#include <grpcpp/client_context.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "echod/admin/v1/admin.grpc.pb.h"
#include "tests/bench/measure.h"

namespace echod::bench {

// Which clients of the admin API there are.
enum class OperatorKind {
  kNone,
  // One that lists all connections in a loop, with a filter and an order; ten
  // that watch the statistics every 100 ms; and two that watch connections.
  kBusy,
  // The same clients, of another server: they take CPU time from the load, but
  // do not concern the server that is measured.
  kBusyElsewhere,
  // One that lists a page of the connections per second, in the same way.
  kOccasional,
};

// These clients, until destroyed. Each has a thread and a gRPC channel of its
// own.
class Operators {
 public:
  Operators(const std::string& admin_address, OperatorKind kind);
  ~Operators();
  Operators(const Operators&) = delete;
  Operators& operator=(const Operators&) = delete;

  // Seconds that each page of the list took. After Stop.
  const std::vector<double>& page_times() const { return page_times_; }

  // Ends all of them.
  void Stop();

 private:
  using Stub = echod::admin::v1::AdminService::Stub;

  // Runs `work` on a thread until it returns.
  void Start(std::function<void(Stub&, grpc::ClientContext&)> work);
  void List(Stub& stub, std::chrono::seconds pause);

  const std::string address_;
  const OperatorKind kind_;
  absl::Notification stop_;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts_;  // of streams
  std::vector<double> page_times_;  // of the thread that lists, until Stop
  std::vector<std::thread> threads_;
};

// A part of a run beside operators of one kind.
struct BesideOperators {
  double cpu_per_request = 0;  // seconds, of the data plane's thread
  double p99 = 0;              // of the latency, in seconds
  std::vector<double> page_times;
};

// What operators cost clients: 10,000 connections that send 20,000 requests per
// second in total, while 200 connections per second are replaced. The result
// has one element for each of `kinds`, parts of a second of the same run, each
// beside the operators that it names. The load takes precedence over the
// operators, if the process may arrange that (CAP_SYS_NICE).
std::vector<BesideOperators> MeasureBesideOperators(
    const Subject& subject, const std::vector<OperatorKind>& kinds);

}  // namespace echod::bench

#endif  // TESTS_BENCH_OPERATORS_H_

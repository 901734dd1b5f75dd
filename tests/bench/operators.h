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
  // One that lists a page of the connections per second, with a filter and an
  // order.
  kOccasional,
  // One that lists all connections in a loop, in the same way; ten that watch
  // the statistics every 100 ms; and two that watch connections.
  kBusy,
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

// What operators cost clients: 10,000 connections that send 20,000 requests per
// second in total, while 200 connections per second are replaced.
struct BesideOperators {
  double cpu_per_request = 0;  // seconds, of the data plane's thread
  double p99 = 0;              // of the latency, in seconds
  std::vector<double> page_times;
};
BesideOperators MeasureBesideOperators(const Subject& subject,
                                       OperatorKind operators);

}  // namespace echod::bench

#endif  // TESTS_BENCH_OPERATORS_H_

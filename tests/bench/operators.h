// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_BENCH_OPERATORS_H_
#define TESTS_BENCH_OPERATORS_H_

#include <grpcpp/client_context.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "echod/admin/v1/admin.grpc.pb.h"
#include "tests/bench/measure.h"

namespace echod::bench {

// Busy clients of the admin API, until destroyed: one that lists all
// connections in a loop, with a filter and an order; ten that watch the
// statistics every 100 ms; and two that watch connections. Each has a thread
// and a gRPC channel of its own.
class Operators {
 public:
  explicit Operators(const std::string& admin_address);
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
  void List(Stub& stub);

  const std::string address_;
  std::atomic<bool> stop_{false};
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
BesideOperators MeasureBesideOperators(const Subject& subject, bool operators);

}  // namespace echod::bench

#endif  // TESTS_BENCH_OPERATORS_H_

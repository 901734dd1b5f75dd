// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_FAULT_FAULT_INJECTOR_H_
#define TESTS_FAULT_FAULT_INJECTOR_H_

#include <cstdint>
#include <functional>
#include <limits>
#include <string>

#include "absl/strings/string_view.h"
#include "tests/fault/fault_control.h"

namespace echod::testing {

// Makes system calls of a program fail while it runs: see FaultControl. For one
// process at a time.
class FaultInjector {
 public:
  static constexpr std::int64_t kForGood =
      std::numeric_limits<std::int64_t>::max();

  struct Fault {
    FaultCall call;
    int error;                      // an errno
    std::int64_t passes = 0;        // so many calls succeed before
    std::int64_t fails = kForGood;  // then so many fail
    absl::string_view thread;       // only on threads whose names begin so
  };

  FaultInjector();
  ~FaultInjector();
  FaultInjector(const FaultInjector&) = delete;
  FaultInjector& operator=(const FaultInjector&) = delete;

  // In a new process, before its program is executed: puts that under this
  // injector. Borrows the injector.
  std::function<void()> Enter() const;

  // From now on this fault, in place of any before.
  void Arm(const Fault& fault);
  void Disarm();

  // Calls that have been made to fail since the last Arm.
  std::int64_t failed() const { return control_->failed.load(); }
  // Calls that the process has made since it started.
  std::int64_t seen(FaultCall call) const {
    return control_->seen[call].load();
  }

 private:
  const std::string path_;
  FaultControl* const control_;
};

}  // namespace echod::testing

#endif  // TESTS_FAULT_FAULT_INJECTOR_H_

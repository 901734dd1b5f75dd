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

// Makes system calls of a running program fail; see FaultControl. For one
// process at a time.
class FaultInjector {
 public:
  static constexpr std::int64_t kForGood =
      std::numeric_limits<std::int64_t>::max();

  struct Fault {
    FaultCall call;
    int error;                      // an errno
    std::int64_t passes = 0;        // this many calls succeed first
    std::int64_t fails = kForGood;  // then this many fail
    absl::string_view thread;       // prefix of the thread's name
  };

  FaultInjector();
  ~FaultInjector();
  FaultInjector(const FaultInjector&) = delete;
  FaultInjector& operator=(const FaultInjector&) = delete;

  // Call in a new process before exec: puts the program under this injector.
  // Borrows the injector.
  std::function<void()> Enter() const;

  // Activates this fault, and replaces the previous one.
  void Arm(const Fault& fault);
  void Disarm();

  // Calls that have failed since the last Arm.
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

// SPDX-License-Identifier: Apache-2.0

#include "tests/fault/fault_injector.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "echo/base/check.h"
#include "echo/base/unique_fd.h"

namespace echod::testing {
namespace {

std::string NewFile() {
  std::string path = absl::StrCat(std::getenv("TEST_TMPDIR"), "/fault-XXXXXX");
  const UniqueFd fd(mkstemp(path.data()));
  ECHOD_CHECK(fd.valid());
  ECHOD_CHECK(ftruncate(fd.get(), sizeof(FaultControl)) == 0);
  return path;
}

FaultControl* Map(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
  void* const mapped = mmap(nullptr, sizeof(FaultControl),
                            PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  ECHOD_CHECK(mapped != MAP_FAILED);
  return static_cast<FaultControl*>(mapped);
}

}  // namespace

FaultInjector::FaultInjector() : path_(NewFile()), control_(Map(path_)) {}

FaultInjector::~FaultInjector() {
  munmap(control_, sizeof(FaultControl));
  unlink(path_.c_str());
}

std::function<void()> FaultInjector::Enter() const {
  return [this] {
    const std::string shim =
        absl::StrCat(std::getenv("TEST_SRCDIR"), "/",
                     std::getenv("TEST_WORKSPACE"), "/tests/fault/libfault.so");
    setenv("LD_PRELOAD", shim.c_str(), /*replace=*/1);
    setenv(kFaultControlVariable, path_.c_str(), /*replace=*/1);
  };
}

void FaultInjector::Arm(const Fault& fault) {
  Disarm();
  control_->call.store(fault.call);
  control_->error.store(fault.error);
  control_->passes.store(fault.passes);
  control_->fails.store(fault.fails);
  std::memset(control_->thread, 0, sizeof control_->thread);
  fault.thread.copy(control_->thread, sizeof control_->thread - 1);
  control_->failed.store(0);
  control_->armed.store(true);
}

void FaultInjector::Disarm() { control_->armed.store(false); }

}  // namespace echod::testing

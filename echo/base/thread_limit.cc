// SPDX-License-Identifier: Apache-2.0

#include "echo/base/thread_limit.h"

#include <cstddef>
#include <cstdlib>
#include <latch>
#include <semaphore>
#include <system_error>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "echo/base/resource_error.h"

namespace echod {

namespace {

// The allocator reserves tens of megabytes of address space for each of the
// first threads that allocate, and keeps them for later threads. With limited
// address space, such a reservation can prevent the next thread from starting.
void Allocate() {
  void* volatile memory = std::malloc(1);
  std::free(memory);
}

}  // namespace

absl::Status CheckThreads(int count) {
  // No thread exits before all have started.
  std::latch all(1);
  std::counting_semaphore<> allocated(0);
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(count));
  absl::Status status;
  try {
    for (int i = 0; i < count; ++i) {
      threads.emplace_back([&all, &allocated] {
        Allocate();
        allocated.release();
        all.wait();
      });
      allocated.acquire();
    }
  } catch (const std::system_error& error) {
    status = ResourceError(absl::StrCat("start ", count, " more threads"),
                           error.code().value());
  }
  all.count_down();
  for (std::thread& thread : threads) thread.join();
  return status;
}

}  // namespace echod

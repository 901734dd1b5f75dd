#include "echo/base/thread_limit.h"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <latch>
#include <system_error>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "echo/base/resource_error.h"

namespace echod {

absl::Status CheckThreads(int count) {
  // No thread ends before all have been started. Each takes memory first, since
  // the allocator reserves address space for it then, as it will for the real
  // ones.
  std::latch all(1);
  std::atomic<int> with_memory{0};
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(count));
  absl::Status status;
  try {
    for (int i = 0; i < count; ++i) {
      threads.emplace_back([&all, &with_memory] {
        void* volatile const memory = std::malloc(1);
        std::free(memory);
        with_memory.fetch_add(1);
        with_memory.notify_one();
        all.wait();
      });
      with_memory.wait(i);
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

#include "echo/base/thread_limit.h"

#include <cstddef>
#include <latch>
#include <system_error>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "echo/base/resource_error.h"

namespace echod {

absl::Status CheckThreads(int count) {
  // No thread ends before all have been started.
  std::latch all(1);
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(count));
  absl::Status status;
  try {
    for (int i = 0; i < count; ++i)
      threads.emplace_back([&all] { all.wait(); });
  } catch (const std::system_error& error) {
    status = ResourceError(absl::StrCat("start ", count, " more threads"),
                           error.code().value());
  }
  all.count_down();
  for (std::thread& thread : threads) thread.join();
  return status;
}

}  // namespace echod

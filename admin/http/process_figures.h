// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_HTTP_PROCESS_FIGURES_H_
#define ADMIN_HTTP_PROCESS_FIGURES_H_

#include <dirent.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/time/time.h"
#include "echo/base/unique_fd.h"

namespace echod {

// What the kernel knows of this process. Unset: it does not say.
struct ProcessFigures {
  absl::Duration cpu_time;
  std::optional<absl::Time> start_time;
  std::optional<std::int64_t> virtual_memory_bytes;
  std::optional<std::int64_t> resident_memory_bytes;
  std::optional<std::int64_t> threads;
  std::optional<std::int64_t> open_descriptors;
  std::optional<std::int64_t> max_descriptors;  // the soft limit
};

// Reads ProcessFigures. Keeps the files of /proc open, so that it also works
// when no descriptor is left. Not thread-safe.
class ProcessFigureReader {
 public:
  ProcessFigureReader();

  ProcessFigures Read();

 private:
  struct CloseFolder {
    void operator()(DIR* folder) const { closedir(folder); }
  };

  const UniqueFd stat_;
  // Once, since it would follow changes of the wall clock.
  const std::optional<absl::Time> start_time_;
  const std::unique_ptr<DIR, CloseFolder> descriptors_;
};

}  // namespace echod

#endif  // ADMIN_HTTP_PROCESS_FIGURES_H_

// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_CONFIG_RELOADS_H_
#define ECHO_CONTROL_CONFIG_RELOADS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "echo/base/mutex.h"

namespace echod {

// What became of the reloads of the configuration file. Thread-safe.
class ConfigReloads {
 public:
  struct Last {
    absl::Time time;
    bool succeeded = false;
    std::string error;  // empty if it succeeded
  };
  struct Counts {
    std::int64_t succeeded = 0;
    std::int64_t failed = 0;
    std::optional<Last> last;             // unset: none yet
    std::optional<absl::Time> last_good;  // of the last that succeeded
  };

  // Counts a reload that has ended at `now`, whose error may be long.
  void Count(absl::Time now, const absl::Status& outcome);

  Counts Read() const;

 private:
  mutable Mutex mutex_;
  Counts counts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace echod

#endif  // ECHO_CONTROL_CONFIG_RELOADS_H_

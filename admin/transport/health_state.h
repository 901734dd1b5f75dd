// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_TRANSPORT_HEALTH_STATE_H_
#define ADMIN_TRANSPORT_HEALTH_STATE_H_

#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "echo/base/mutex.h"

namespace echod {

// What health checks answer, over gRPC and over HTTP. Thread-safe.
class HealthState {
 public:
  // In words; empty: nothing is wrong.
  struct Problems {
    std::string live;   // why the process cannot go on
    std::string ready;  // why it takes no new clients
  };

  Problems Read() const {
    MutexLock lock(mutex_);
    return problems_;
  }

  // Empty: ready.
  void SetNotReady(std::string why) {
    MutexLock lock(mutex_);
    problems_.ready = std::move(why);
  }
  // For good. The first failure counts; others follow from it.
  void SetFailed(std::string why) {
    MutexLock lock(mutex_);
    if (problems_.live.empty()) problems_.live = std::move(why);
  }

 private:
  mutable Mutex mutex_;
  Problems problems_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace echod

#endif  // ADMIN_TRANSPORT_HEALTH_STATE_H_

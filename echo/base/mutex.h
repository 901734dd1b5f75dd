// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_MUTEX_H_
#define ECHO_BASE_MUTEX_H_

#include <mutex>

#include "absl/base/thread_annotations.h"

namespace echod {

// std::mutex with annotations for clang's thread-safety analysis. Used instead
// of absl::Mutex because the distribution's Abseil is not built with
// ThreadSanitizer, which would not see it.
class ABSL_LOCKABLE Mutex {
 public:
  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.lock(); }
  void Unlock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

// Holds a Mutex for the duration of a scope.
class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex)
      : mutex_(mutex) {
    mutex_.Lock();
  }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace echod

#endif  // ECHO_BASE_MUTEX_H_

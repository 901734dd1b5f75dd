// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_TRANSPORT_HEALTH_STATE_H_
#define ADMIN_TRANSPORT_HEALTH_STATE_H_

#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "echo/base/mutex.h"
#include "echo/control/listener_control.h"

namespace echod {

// What health checks answer, over gRPC and over HTTP. Thread-safe.
//
// It answers three questions, each for who asks it (see docs/adr/0025):
//
//   live     can the process go on? For who would restart it.
//   serving  should it get new clients? No from the start of a drain. For a
//            load balancer that learns of a shutdown only from here.
//   ready    do new clients reach it? After SIGTERM yes, until the listeners
//            close. For an orchestrator, which knows whom it has told to end.
class HealthState {
 public:
  // In words; empty: nothing is wrong.
  struct Problems {
    std::string live;
    std::string serving;
    std::string ready;
  };
  Problems Read() const;

  // What is wrong with a service that gRPC health checks can ask for; empty:
  // SERVING. Unset: there is no such service. There are
  //
  //   "", echod.admin.v1.AdminService  serving
  //   liveness                         live
  //   readiness                        ready: every listener of the
  //                                    configuration accepts where it says
  //   echod.listener/ID                ready, of this listener alone
  //   echod.listener/ID:PORT           the same, and it accepts on PORT
  std::optional<std::string> ProblemOf(absl::string_view service) const;

  // The server has started.
  void SetServing();
  // The server has begun to drain. `ready`: new clients reach it until its
  // listeners close. The first call counts.
  void SetDraining(bool ready);
  // No client is served any more.
  void SetStopped();
  // For good. The first failure counts; others follow from it.
  void SetFailed(std::string why);
  void SetListeners(ListenerSnapshot listeners);

 private:
  enum class Stage { kStarting, kServing, kLeaving, kDraining, kStopped };

  // What keeps clients from every listener.
  std::string Unready() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string Unserving() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string UnreadyForAny() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // `name` is ID or ID:PORT.
  std::optional<std::string> ProblemOfListener(absl::string_view name) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  Stage stage_ ABSL_GUARDED_BY(mutex_) = Stage::kStarting;
  std::string failed_ ABSL_GUARDED_BY(mutex_);
  ListenerSnapshot listeners_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace echod

#endif  // ADMIN_TRANSPORT_HEALTH_STATE_H_

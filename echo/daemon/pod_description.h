// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_DAEMON_POD_DESCRIPTION_H_
#define ECHO_DAEMON_POD_DESCRIPTION_H_

#include <functional>
#include <string>
#include <vector>

#include "admin/service/admin_service.h"

namespace echod {

// What Kubernetes' downward API has put into the environment.
struct PodEnvironment {
  PodDescription pod;
  // The variables that hold something else, a sentence for each. They are not
  // in `pod`.
  std::vector<std::string> problems;
};

// Reads POD_NAME, POD_NAMESPACE, NODE_NAME and POD_IP. `get` is std::getenv, or
// a test's.
PodEnvironment ReadPodEnvironment(
    const std::function<const char*(const char*)>& get);

}  // namespace echod

#endif  // ECHO_DAEMON_POD_DESCRIPTION_H_

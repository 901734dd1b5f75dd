// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_DAEMON_BUILD_VERSION_H_
#define ECHO_DAEMON_BUILD_VERSION_H_

#include <string>

#include "echo/daemon/build_stamp.h"

namespace echod {

// The version of a build (https://semver.org). Only a tree without changes at
// the tag v<kVersion> is kVersion itself. Everything else sorts before it:
// 0.1.0-dev.g0123456789ab, with -dirty if there were changes,
// 0.1.0-dev.unknown without git, and 0.1.0-dev if the build is not stamped.
std::string BuildVersion(const BuildStamp& stamp);

// What `echod --version` prints after the name: the version, and in a line each
// the commit, its time, and the libraries with the versions that are loaded.
std::string VersionText(const BuildStamp& stamp);

}  // namespace echod

#endif  // ECHO_DAEMON_BUILD_VERSION_H_

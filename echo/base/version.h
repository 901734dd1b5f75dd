// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_VERSION_H_
#define ECHO_BASE_VERSION_H_

namespace echod {

// The program's version (https://semver.org). See CHANGELOG.md.
inline constexpr char kVersion[] = "0.1.0";

}  // namespace echod

#endif  // ECHO_BASE_VERSION_H_

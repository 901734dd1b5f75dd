// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_VERSION_H_
#define ECHO_BASE_VERSION_H_

namespace echod {

// The program's version, by https://semver.org; CHANGELOG.md says what is in
// it.
inline constexpr char kVersion[] = "0.1.0";

}  // namespace echod

#endif  // ECHO_BASE_VERSION_H_

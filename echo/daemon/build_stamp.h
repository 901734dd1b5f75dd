// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_DAEMON_BUILD_STAMP_H_
#define ECHO_DAEMON_BUILD_STAMP_H_

namespace echod {

// Which commit a program was built from.
struct BuildStamp {
  // The full hash, with -dirty if the tree had other changes. `unknown` if the
  // tree was not git's, and empty if the build was not to be stamped.
  const char* commit;
  const char* time;  // of the commit, as in RFC 3339; or `unknown`, or empty
  const char* tags;  // those of the commit that look like versions, with spaces
};

// The program's. Link :stamped or :unstamped, which define it.
extern const BuildStamp kBuildStamp;

}  // namespace echod

#endif  // ECHO_DAEMON_BUILD_STAMP_H_

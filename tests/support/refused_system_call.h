// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_SUPPORT_REFUSED_SYSTEM_CALL_H_
#define TESTS_SUPPORT_REFUSED_SYSTEM_CALL_H_

namespace echod::testing {

// Lets the system call `number` (SYS_…) fail with `error` on the calling thread
// from now on, and on those that it starts: what a seccomp profile does, or a
// limit that is used up. It cannot be taken back, so tests do it on a thread of
// their own. False where the machine does not allow it.
bool RefuseSystemCall(int number, int error);

}  // namespace echod::testing

#endif  // TESTS_SUPPORT_REFUSED_SYSTEM_CALL_H_

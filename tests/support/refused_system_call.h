// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_SUPPORT_REFUSED_SYSTEM_CALL_H_
#define TESTS_SUPPORT_REFUSED_SYSTEM_CALL_H_

namespace echod::testing {

// Makes the system call `number` (SYS_…) fail with `error` on the calling
// thread and on threads that it starts, as a seccomp profile or an exhausted
// limit does. This cannot be undone, so call it on a separate thread. False if
// the machine does not permit it.
bool RefuseSystemCall(int number, int error);

}  // namespace echod::testing

#endif  // TESTS_SUPPORT_REFUSED_SYSTEM_CALL_H_

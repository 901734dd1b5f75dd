// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_FAULT_FAULT_CONTROL_H_
#define TESTS_FAULT_FAULT_CONTROL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace echod::testing {

// The C library functions that can be made to fail: all those with which echod
// and libevent request resources that the system may refuse.
#define ECHOD_FAULT_CALLS(CALL) \
  CALL(accept4)                 \
  CALL(bind)                    \
  CALL(connect)                 \
  CALL(dup2)                    \
  CALL(epoll_create1)           \
  CALL(epoll_ctl)               \
  CALL(epoll_wait)              \
  CALL(eventfd)                 \
  CALL(eventfd_read)            \
  CALL(eventfd_write)           \
  CALL(fchmod)                  \
  CALL(fcntl)                   \
  CALL(flock)                   \
  CALL(fstat)                   \
  CALL(fsync)                   \
  CALL(gethostname)             \
  CALL(getpeername)             \
  CALL(getrandom)               \
  CALL(getrlimit)               \
  CALL(getsockname)             \
  CALL(getsockopt)              \
  CALL(ioctl)                   \
  CALL(listen)                  \
  CALL(lstat)                   \
  CALL(open)                    \
  CALL(openat)                  \
  CALL(pipe2)                   \
  CALL(poll)                    \
  CALL(pthread_create)          \
  CALL(read)                    \
  CALL(readv)                   \
  CALL(recv)                    \
  CALL(rename)                  \
  CALL(sched_getaffinity)       \
  CALL(send)                    \
  CALL(setrlimit)               \
  CALL(setsockopt)              \
  CALL(shutdown)                \
  CALL(sigaction)               \
  CALL(socket)                  \
  CALL(socketpair)              \
  CALL(stat)                    \
  CALL(statfs)                  \
  CALL(unlink)                  \
  CALL(write)                   \
  CALL(writev)

enum FaultCall : int {
#define ECHOD_FAULT_ENUMERATOR(name) kFault_##name,
  ECHOD_FAULT_CALLS(ECHOD_FAULT_ENUMERATOR)
#undef ECHOD_FAULT_ENUMERATOR
      kFaultCallCount
};

constexpr const char* kFaultCallNames[kFaultCallCount] = {
#define ECHOD_FAULT_NAME(name) #name,
    ECHOD_FAULT_CALLS(ECHOD_FAULT_NAME)
#undef ECHOD_FAULT_NAME
};

// The environment variable with the path of the file that holds a FaultControl.
inline constexpr char kFaultControlVariable[] = "ECHOD_FAULT_CONTROL";

// Shared between a test and the process under test, in a mapped file. All zero:
// no fault. Only calls from the server and from libevent count and fail, not
// those from gRPC's libraries.
struct FaultControl {
  // Written by the test, the fields before `armed`.
  std::atomic<int> call;             // FaultCall
  std::atomic<int> error;            // an errno
  std::atomic<std::int64_t> passes;  // this many calls succeed first
  std::atomic<std::int64_t> fails;   // then this many fail
  char thread[16];  // prefix of the thread's name; "": any thread
  std::atomic<bool> armed;

  // Written by the process.
  std::atomic<std::int64_t> failed;                 // calls that failed
  std::atomic<std::int64_t> seen[kFaultCallCount];  // calls made
};

}  // namespace echod::testing

#endif  // TESTS_FAULT_FAULT_CONTROL_H_

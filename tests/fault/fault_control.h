// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_FAULT_FAULT_CONTROL_H_
#define TESTS_FAULT_FAULT_CONTROL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace echod::testing {

// The calls of the C library that can be made to fail: all by which echod and
// libevent ask the system for something that it may refuse.
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
  CALL(fcntl)                   \
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

// The file of this name, in the environment, is a FaultControl.
inline constexpr char kFaultControlVariable[] = "ECHOD_FAULT_CONTROL";

// What a test and the process under test share, in a mapped file. All zero is
// no fault. Only calls of the server's own and of libevent's count and fail,
// not those from inside gRPC's libraries.
struct FaultControl {
  // Written by the test, the fields before `armed`.
  std::atomic<int> call;             // FaultCall
  std::atomic<int> error;            // an errno
  std::atomic<std::int64_t> passes;  // so many calls succeed before
  std::atomic<std::int64_t> fails;   // then so many fail
  char thread[16];  // only on threads whose names begin so; "": on any
  std::atomic<bool> armed;

  // Written by the process.
  std::atomic<std::int64_t> failed;                 // calls made to fail
  std::atomic<std::int64_t> seen[kFaultCallCount];  // calls made
};

}  // namespace echod::testing

#endif  // TESTS_FAULT_FAULT_CONTROL_H_

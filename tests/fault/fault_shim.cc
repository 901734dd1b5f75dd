// SPDX-License-Identifier: Apache-2.0

// A library for LD_PRELOAD that intercepts C library functions, and makes the
// one that a FaultControl selects fail. Without a FaultControl it passes calls
// through.

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/fault/fault_control.h"

namespace echod::testing {
namespace {

// The address ranges of libraries whose calls pass through.
struct Range {
  std::uintptr_t begin;
  std::uintptr_t end;
};
constexpr int kMostRanges = 32;

struct Shim {
  FaultControl* control = nullptr;  // null: no faults
  Range grpc[kMostRanges];
  int grpc_count = 0;
};

int AddRange(dl_phdr_info* info, std::size_t /*size*/, void* shim_pointer) {
  auto* const shim = static_cast<Shim*>(shim_pointer);
  if (std::strstr(info->dlpi_name, "/libgrpc") == nullptr &&
      std::strstr(info->dlpi_name, "/libgpr") == nullptr) {
    return 0;
  }
  for (int i = 0; i < info->dlpi_phnum && shim->grpc_count < kMostRanges; ++i) {
    const auto& header = info->dlpi_phdr[i];
    if (header.p_type != PT_LOAD) continue;
    const std::uintptr_t begin = info->dlpi_addr + header.p_vaddr;
    shim->grpc[shim->grpc_count++] = {begin, begin + header.p_memsz};
  }
  return 0;
}

template <typename Function>
Function* Real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

Shim MakeShim() {
  Shim shim;
  const char* const path = std::getenv(kFaultControlVariable);
  if (path == nullptr) return shim;
  const int fd = Real<int(const char*, int, ...)>("open")(path, O_RDWR);
  void* const mapped = mmap(nullptr, sizeof(FaultControl),
                            PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (mapped == MAP_FAILED) std::abort();
  shim.control = static_cast<FaultControl*>(mapped);
  dl_iterate_phdr(AddRange, &shim);
  return shim;
}

const Shim& TheShim() {
  static const Shim shim = MakeShim();
  return shim;
}

bool OnNamedThread(const FaultControl& control) {
  if (control.thread[0] == '\0') return true;
  char name[16] = {};
  prctl(PR_GET_NAME, name);
  return std::strncmp(name, control.thread, std::strlen(control.thread)) == 0;
}

// Whether the call from `caller` must fail; sets errno if so.
bool Fails(FaultCall call, void* caller) {
  const Shim& shim = TheShim();
  FaultControl* const control = shim.control;
  if (control == nullptr) return false;
  const auto from = reinterpret_cast<std::uintptr_t>(caller);
  for (int i = 0; i < shim.grpc_count; ++i) {
    if (from >= shim.grpc[i].begin && from < shim.grpc[i].end) return false;
  }
  control->seen[call].fetch_add(1);
  if (!control->armed.load() || control->call.load() != call ||
      !OnNamedThread(*control) || control->passes.fetch_sub(1) > 0) {
    return false;
  }
  if (control->fails.fetch_sub(1) <= 0) return false;
  control->failed.fetch_add(1);
  errno = control->error.load();
  return true;
}

}  // namespace
}  // namespace echod::testing

// glibc declares some of these noexcept, and others with attributes.
#pragma GCC diagnostic ignored "-Wmissing-declarations"
#pragma GCC diagnostic ignored "-Wattributes"

#define ECHOD_FAULT(result, name, parameters, arguments)                      \
  extern "C" result name parameters {                                         \
    using echod::testing::Fails;                                              \
    if (Fails(echod::testing::kFault_##name, __builtin_return_address(0))) {  \
      return -1;                                                              \
    }                                                                         \
    static auto* const real = echod::testing::Real<result parameters>(#name); \
    return real arguments;                                                    \
  }

ECHOD_FAULT(int, accept4, (int fd, sockaddr* a, socklen_t* n, int flags),
            (fd, a, n, flags))
ECHOD_FAULT(int, bind, (int fd, const sockaddr* a, socklen_t n), (fd, a, n))
ECHOD_FAULT(int, connect, (int fd, const sockaddr* a, socklen_t n), (fd, a, n))
ECHOD_FAULT(int, dup2, (int from, int to), (from, to))
ECHOD_FAULT(int, epoll_create1, (int flags), (flags))
ECHOD_FAULT(int, epoll_ctl, (int fd, int op, int of, epoll_event* event),
            (fd, op, of, event))
ECHOD_FAULT(int, epoll_wait, (int fd, epoll_event* events, int most, int ms),
            (fd, events, most, ms))
ECHOD_FAULT(int, eventfd, (unsigned count, int flags), (count, flags))
ECHOD_FAULT(int, eventfd_read, (int fd, eventfd_t* value), (fd, value))
ECHOD_FAULT(int, eventfd_write, (int fd, eventfd_t value), (fd, value))
ECHOD_FAULT(int, fchmod, (int fd, mode_t mode), (fd, mode))
ECHOD_FAULT(int, flock, (int fd, int how), (fd, how))
ECHOD_FAULT(int, fstat, (int fd, struct stat* to), (fd, to))
ECHOD_FAULT(int, fsync, (int fd), (fd))
ECHOD_FAULT(int, gethostname, (char* name, std::size_t size), (name, size))
ECHOD_FAULT(int, getpeername, (int fd, sockaddr* a, socklen_t* n), (fd, a, n))
ECHOD_FAULT(ssize_t, getrandom, (void* to, std::size_t size, unsigned flags),
            (to, size, flags))
ECHOD_FAULT(int, getrlimit, (__rlimit_resource_t what, rlimit* to), (what, to))
ECHOD_FAULT(int, getsockname, (int fd, sockaddr* a, socklen_t* n), (fd, a, n))
ECHOD_FAULT(int, getsockopt,
            (int fd, int level, int name, void* value, socklen_t* size),
            (fd, level, name, value, size))
ECHOD_FAULT(int, listen, (int fd, int backlog), (fd, backlog))
ECHOD_FAULT(int, lstat, (const char* path, struct stat* to), (path, to))
ECHOD_FAULT(int, pipe2, (int* fds, int flags), (fds, flags))
ECHOD_FAULT(int, poll, (pollfd * fds, nfds_t count, int ms), (fds, count, ms))
ECHOD_FAULT(ssize_t, read, (int fd, void* to, std::size_t size), (fd, to, size))
ECHOD_FAULT(ssize_t, readv, (int fd, const iovec* to, int count),
            (fd, to, count))
ECHOD_FAULT(ssize_t, recv, (int fd, void* to, std::size_t size, int flags),
            (fd, to, size, flags))
ECHOD_FAULT(int, rename, (const char* from, const char* to), (from, to))
ECHOD_FAULT(int, sched_getaffinity,
            (pid_t pid, std::size_t size, cpu_set_t* set), (pid, size, set))
ECHOD_FAULT(ssize_t, send,
            (int fd, const void* from, std::size_t size, int flags),
            (fd, from, size, flags))
ECHOD_FAULT(int, setrlimit, (__rlimit_resource_t what, const rlimit* to),
            (what, to))
ECHOD_FAULT(int, setsockopt,
            (int fd, int level, int name, const void* value, socklen_t size),
            (fd, level, name, value, size))
ECHOD_FAULT(int, shutdown, (int fd, int how), (fd, how))
ECHOD_FAULT(int, sigaction,
            (int signal, const struct sigaction* to, struct sigaction* was),
            (signal, to, was))
ECHOD_FAULT(int, socket, (int domain, int type, int protocol),
            (domain, type, protocol))
ECHOD_FAULT(int, socketpair, (int domain, int type, int protocol, int* fds),
            (domain, type, protocol, fds))
ECHOD_FAULT(int, stat, (const char* path, struct stat* to), (path, to))
ECHOD_FAULT(int, statfs, (const char* path, struct statfs* to), (path, to))
ECHOD_FAULT(int, unlink, (const char* path), (path))
ECHOD_FAULT(ssize_t, write, (int fd, const void* from, std::size_t size),
            (fd, from, size))
ECHOD_FAULT(ssize_t, writev, (int fd, const iovec* from, int count),
            (fd, from, count))

// Variadic functions, with at most one optional argument.
#define ECHOD_FAULT_VARIADIC(name, parameters, last, ...)                  \
  extern "C" int name parameters {                                         \
    if (echod::testing::Fails(echod::testing::kFault_##name,               \
                              __builtin_return_address(0))) {              \
      return -1;                                                           \
    }                                                                      \
    va_list more;                                                          \
    va_start(more, last);                                                  \
    const long argument = va_arg(more, long);                              \
    va_end(more);                                                          \
    static auto* const real = echod::testing::Real<int parameters>(#name); \
    return real(__VA_ARGS__, argument);                                    \
  }

ECHOD_FAULT_VARIADIC(fcntl, (int fd, int command, ...), command, fd, command)
ECHOD_FAULT_VARIADIC(ioctl, (int fd, unsigned long request, ...), request, fd,
                     request)
ECHOD_FAULT_VARIADIC(open, (const char* path, int flags, ...), flags, path,
                     flags)
ECHOD_FAULT_VARIADIC(openat, (int at, const char* path, int flags, ...), flags,
                     at, path, flags)

// Returns the error instead of setting errno.
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* how,
                              void* (*run)(void*), void* argument) {
  if (echod::testing::Fails(echod::testing::kFault_pthread_create,
                            __builtin_return_address(0))) {
    return errno;
  }
  static auto* const real =
      echod::testing::Real<int(pthread_t*, const pthread_attr_t*,
                               void* (*)(void*), void*)>("pthread_create");
  return real(thread, how, run, argument);
}

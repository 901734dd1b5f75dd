// SPDX-License-Identifier: Apache-2.0

#include "echo/daemon/port_file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "echo/base/unique_fd.h"

namespace echod {
namespace {

namespace fs = std::filesystem;

std::string ToJson(const BoundAddresses& bound) {
  nlohmann::ordered_json json;
  json["listeners"] = bound.listeners;
  json["admin"] = bound.admin;
  if (!bound.http.empty()) json["http"] = bound.http;
  return json.dump() + "\n";
}

absl::Status PortFileError(absl::string_view path, absl::string_view why) {
  return absl::FailedPreconditionError(
      absl::StrCat("cannot write the port file ", path, ": ", why,
                   "; choose a writable path with --port_file"));
}

std::string ErrnoText() { return std::strerror(errno); }

// The target of `path` through symbolic links; it need not exist. Resolution
// stops at the kernel's links to open descriptors, whose text is not always a
// path.
struct Target {
  fs::path path;
  bool descriptor = false;
};

Target FollowLinks(fs::path path) {
  constexpr int kMostLinks = 40;  // the kernel's own limit
  for (int i = 0; i < kMostLinks; ++i) {
    std::error_code error;
    const fs::path link = fs::read_symlink(path, error);
    if (error) break;
    const fs::path folder = path.has_parent_path() ? path.parent_path() : ".";
    struct statfs holder = {};
    if (statfs(folder.c_str(), &holder) == 0 &&
        holder.f_type == PROC_SUPER_MAGIC && folder.filename() == "fd") {
      return {.path = path, .descriptor = true};
    }
    path = folder / link;  // an absolute link stays
  }
  return {.path = path};
}

// Returns an empty string, or why not everything was written.
std::string WriteAll(int fd, absl::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN)
      return "it is full, and nothing reads it";
    if (written < 0) return ErrnoText();
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return "";
}

absl::Status WriteInto(const Target& target, const std::string& path,
                       const std::string& text) {
  const UniqueFd fd(open(target.path.c_str(), O_WRONLY | O_APPEND | O_NONBLOCK |
                                                  O_NOCTTY | O_CLOEXEC));
  if (!fd.valid()) {
    return PortFileError(path,
                         errno == ENXIO ? "nothing reads it" : ErrnoText());
  }
  const std::string problem = WriteAll(fd.get(), text);
  return problem.empty() ? absl::OkStatus() : PortFileError(path, problem);
}

// Creates a file beside `path`. Its name may be taken by a run that was killed,
// or by a process with the same pid in another container.
UniqueFd CreateBeside(const fs::path& path, std::string& name) {
  constexpr int kTries = 100;
  for (int i = 0; i < kTries; ++i) {
    name = absl::StrCat(path.native(), ".", getpid(), ".", i, ".tmp");
    UniqueFd fd(
        open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
             S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH));
    if (fd.valid() || errno != EEXIST) return fd;
  }
  return UniqueFd();
}

absl::Status Replace(const fs::path& file, const std::string& path,
                     const std::string& text) {
  std::string beside;
  const UniqueFd fd = CreateBeside(file, beside);
  if (!fd.valid()) return PortFileError(path, ErrnoText());
  std::string problem = WriteAll(fd.get(), text);
  if (problem.empty() && std::rename(beside.c_str(), file.c_str()) != 0) {
    problem = ErrnoText();
  }
  if (problem.empty()) return absl::OkStatus();
  unlink(beside.c_str());
  return PortFileError(path, problem);
}

}  // namespace

absl::Status WritePortFile(const std::string& path,
                           const BoundAddresses& bound) {
  const std::string text = ToJson(bound);
  const Target target = FollowLinks(path);
  struct stat found = {};
  if (stat(path.c_str(), &found) != 0) {
    if (errno != ENOENT) return PortFileError(path, ErrnoText());
    return Replace(target.path, path, text);
  }
  if (S_ISREG(found.st_mode) && !target.descriptor) {
    return Replace(target.path, path, text);
  }
  if (S_ISREG(found.st_mode) || S_ISFIFO(found.st_mode) ||
      S_ISCHR(found.st_mode)) {
    return WriteInto(target, path, text);
  }
  return PortFileError(path, S_ISDIR(found.st_mode)   ? "it is a directory"
                             : S_ISBLK(found.st_mode) ? "it is a block device"
                                                      : "it is a socket");
}

}  // namespace echod

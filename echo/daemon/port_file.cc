#include "echo/daemon/port_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace echod {
namespace {

std::string ToJson(const BoundAddresses& bound) {
  nlohmann::ordered_json json;
  json["listeners"] = bound.listeners;
  json["admin"] = bound.admin;
  return json.dump();
}

absl::Status PortFileError(absl::string_view doing, const std::string& path) {
  return absl::FailedPreconditionError(absl::StrCat(
      "cannot ", doing, " the port file ", path, ": ", std::strerror(errno),
      "; choose a writable path with --port_file"));
}

}  // namespace

absl::Status WritePortFile(const std::string& path,
                           const BoundAddresses& bound) {
  const std::string beside = absl::StrCat(path, ".", getpid(), ".tmp");
  {
    std::ofstream file(beside, std::ios::trunc);
    file << ToJson(bound) << "\n";
    file.flush();
    if (!file) {
      absl::Status failed = PortFileError("write", path);
      std::remove(beside.c_str());
      return failed;
    }
  }
  if (std::rename(beside.c_str(), path.c_str()) != 0) {
    absl::Status failed = PortFileError("write", path);
    std::remove(beside.c_str());
    return failed;
  }
  return absl::OkStatus();
}

absl::Status RemovePortFile(const std::string& path) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return PortFileError("replace", path);
  }
  return absl::OkStatus();
}

}  // namespace echod

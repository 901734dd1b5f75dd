// SPDX-License-Identifier: Apache-2.0

#include "echo/daemon/build_version.h"

#include <cstddef>
#include <string>
#include <vector>

#include "absl/base/config.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "admin/server/library_versions.h"
#include "echo/base/logging.h"
#include "echo/base/version.h"
#include "echo/config/yaml_node.h"
#include "echo/event/libevent_version.h"

namespace echod {
namespace {

constexpr absl::string_view kDirty = "-dirty";
constexpr absl::string_view kUnknown = "unknown";
constexpr std::size_t kShortHash = 12;

bool IsRelease(const BuildStamp& stamp) {
  if (absl::EndsWith(stamp.commit, kDirty)) return false;
  const std::string tag = absl::StrCat("v", kVersion);
  for (const absl::string_view each : absl::StrSplit(stamp.tags, ' ')) {
    if (each == tag) return true;
  }
  return false;
}

std::string AbseilVersion() {
#ifdef ABSL_LTS_RELEASE_VERSION
  return absl::StrCat(ABSL_LTS_RELEASE_VERSION, ".",
                      ABSL_LTS_RELEASE_PATCH_LEVEL);
#else
  return "unreleased";
#endif
}

}  // namespace

std::string BuildVersion(const BuildStamp& stamp) {
  if (IsRelease(stamp)) return kVersion;
  const absl::string_view commit = stamp.commit;
  if (commit.empty()) return absl::StrCat(kVersion, "-dev");
  if (commit == kUnknown) return absl::StrCat(kVersion, "-dev.unknown");
  return absl::StrCat(kVersion, "-dev.g", commit.substr(0, kShortHash),
                      absl::EndsWith(commit, kDirty) ? kDirty : "");
}

std::string VersionText(const BuildStamp& stamp) {
  const absl::string_view commit = stamp.commit;
  std::vector<std::string> lines = {BuildVersion(stamp)};
  if (commit.empty()) {
    lines.emplace_back("commit: not recorded; build with --stamp");
  } else {
    lines.push_back(absl::StrCat("commit: ", commit));
    lines.push_back(absl::StrCat("date: ", stamp.time));
  }
  lines.push_back(absl::StrCat("libevent: ", LibeventVersion()));
  lines.push_back(absl::StrCat("gRPC: ", GrpcVersion()));
  lines.push_back(absl::StrCat("protobuf: ", ProtobufVersion()));
  lines.push_back(absl::StrCat("Abseil: ", AbseilVersion()));
  lines.push_back(absl::StrCat("libyaml: ", LibyamlVersion()));
  lines.push_back(absl::StrCat("spdlog: ", SpdlogVersion()));
  return absl::StrJoin(lines, "\n");
}

}  // namespace echod

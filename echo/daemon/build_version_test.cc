// SPDX-License-Identifier: Apache-2.0

#include "echo/daemon/build_version.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "echo/base/version.h"
#include "echo/daemon/build_stamp.h"

namespace echod {
namespace {

constexpr char kHash[] = "0123456789abcdef0123456789abcdef01234567";
constexpr char kDirtyHash[] = "0123456789abcdef0123456789abcdef01234567-dirty";
constexpr char kTime[] = "2026-11-26T04:44:02Z";

std::string Dev(absl::string_view rest) {
  return absl::StrCat(kVersion, "-dev", rest);
}

TEST(BuildVersionTest, ACommitIsBeforeTheRelease) {
  EXPECT_EQ(BuildVersion({.commit = kHash, .time = kTime, .tags = ""}),
            Dev(".g0123456789ab"));
}

TEST(BuildVersionTest, OnlyACleanTreeAtItsOwnTagIsTheRelease) {
  const std::string tag = absl::StrCat("v", kVersion);
  const std::string tags = absl::StrCat("v0.0.9 ", tag);
  EXPECT_EQ(
      BuildVersion({.commit = kHash, .time = kTime, .tags = tags.c_str()}),
      kVersion);
  EXPECT_EQ(
      BuildVersion({.commit = kDirtyHash, .time = kTime, .tags = tag.c_str()}),
      Dev(".g0123456789ab-dirty"));
  const std::string later = absl::StrCat(tag, "-rc1");
  for (const char* other : {"v0.0.9", later.c_str()}) {
    EXPECT_EQ(BuildVersion({.commit = kHash, .time = kTime, .tags = other}),
              Dev(".g0123456789ab"))
        << other;
  }
}

TEST(BuildVersionTest, SaysWhatItDoesNotKnow) {
  const BuildStamp tarball = {
      .commit = "unknown", .time = "unknown", .tags = ""};
  EXPECT_EQ(BuildVersion(tarball), Dev(".unknown"));
  EXPECT_NE(VersionText(tarball).find("\ncommit: unknown\ndate: unknown\n"),
            std::string::npos);
  const BuildStamp unstamped = {.commit = "", .time = "", .tags = ""};
  EXPECT_EQ(BuildVersion(unstamped), Dev(""));
  EXPECT_NE(VersionText(unstamped).find("\ncommit: not recorded; "),
            std::string::npos);
}

TEST(BuildVersionTest, TextNamesTheCommitAndEachLibrary) {
  const std::string text =
      VersionText({.commit = kHash, .time = kTime, .tags = ""});
  EXPECT_EQ(text.rfind(Dev(".g0123456789ab\n"), 0), 0u);
  EXPECT_NE(text.find(absl::StrCat("\ncommit: ", kHash, "\ndate: ", kTime)),
            std::string::npos)
      << text;
  for (const char* library :
       {"libevent", "gRPC", "protobuf", "Abseil", "libyaml", "spdlog"}) {
    const std::string start = absl::StrCat("\n", library, ": ");
    const std::string::size_type at = text.find(start);
    ASSERT_NE(at, std::string::npos) << library << " in " << text;
    // Each is a number with further ones.
    const std::string::size_type version = at + start.size();
    const std::string::size_type dot =
        text.find_first_not_of("0123456789", version);
    EXPECT_GT(dot, version) << text;
    EXPECT_EQ(text.substr(dot, 1), ".") << text;
  }
}

}  // namespace
}  // namespace echod

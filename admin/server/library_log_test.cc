// SPDX-License-Identifier: Apache-2.0

#include "admin/server/library_log.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

using Logged = std::tuple<LibraryLogLevel, std::string, std::string>;

std::vector<Logged>& AllLogged() {
  static std::vector<Logged> logged;
  return logged;
}

class LibraryLogTest : public ::testing::Test {
 protected:
  LibraryLogTest() {
    AllLogged().clear();
    gpr_log_verbosity_init();                       // as grpc_init does
    gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);  // the default
    SendLibraryLogsTo([](LibraryLogLevel level, absl::string_view library,
                         absl::string_view message) {
      AllLogged().emplace_back(level, library, message);
    });
    ::testing::internal::CaptureStderr();
  }

  void ExpectOnly(LibraryLogLevel level, absl::string_view library,
                  absl::string_view text) {
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
    ASSERT_EQ(AllLogged().size(), 1u);
    EXPECT_EQ(std::get<0>(AllLogged()[0]), level);
    EXPECT_EQ(std::get<1>(AllLogged()[0]), library);
    EXPECT_TRUE(absl::EndsWith(std::get<2>(AllLogged()[0]), text))
        << std::get<2>(AllLogged()[0]);
    EXPECT_TRUE(
        absl::StartsWith(std::get<2>(AllLogged()[0]), "library_log_test.cc:"));
  }
};

TEST_F(LibraryLogTest, TakesGrpcsErrors) {
  gpr_log(GPR_ERROR, "bad %s", "\x1b[31m");
  ExpectOnly(LibraryLogLevel::kError, "gRPC", ": bad \x1b[31m");
}

TEST_F(LibraryLogTest, GrpcsVerbosityStillHolds) {
  gpr_log(GPR_DEBUG, "detail");
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_DEBUG);
  gpr_log(GPR_INFO, "asked for");
  ExpectOnly(LibraryLogLevel::kDebug, "gRPC", ": asked for");
}

TEST_F(LibraryLogTest, TakesProtobufs) {
  GOOGLE_LOG(WARNING) << "odd";
  ExpectOnly(LibraryLogLevel::kWarning, "protobuf", ": odd");
}

}  // namespace
}  // namespace echod

// SPDX-License-Identifier: Apache-2.0

#include "echo/base/logging.h"

#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

void Start() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  if (!StartLog().ok()) std::_Exit(1);
}

TEST(LoggingDeathTest, WhatWasLoggedBeforeAnAbortIsWritten) {
  EXPECT_DEATH(
      {
        Start();
        for (int i = 0; i < 1000; ++i) LogInfo("before");
        LogError("and this is why");
        std::abort();
      },
      "error and this is why");
}

TEST(LoggingDeathTest, AnExceptionThatNobodyCatchesIsLogged) {
  EXPECT_DEATH(
      {
        Start();
        std::thread([] { throw std::runtime_error("odd\x1b"); }).join();
      },
      R"(echod: terminated by an exception: odd\\x1b)");
}

TEST(LoggingDeathTest, LibrariesHaveABudgetAboveDebugLevel) {
  EXPECT_EXIT(
      {
        Start();
        SetLogLevel(LogLevel::kWarning);
        for (int i = 0; i < 100; ++i) {
          LogFromLibrary(LogLevel::kInfo, "lib", "not at this level");
        }
        for (int i = 0; i < 10; ++i) {
          LogFromLibrary(LogLevel::kError, "lib", absl::StrCat("message ", i));
        }
        FlushLog(absl::Seconds(60));
        std::_Exit(0);
      },
      ::testing::ExitedWithCode(0), "error lib: message 9\n");
  EXPECT_EXIT(
      {
        Start();
        for (int i = 0; i < 2000; ++i) {
          LogFromLibrary(LogLevel::kError, "lib", "often");
        }
        SetLogLevel(LogLevel::kDebug);
        for (int i = 0; i < 100; ++i) {
          LogFromLibrary(LogLevel::kDebug, "lib", absl::StrCat("detail ", i));
        }
        FlushLog(absl::Seconds(60));
        std::_Exit(0);
      },
      ::testing::ExitedWithCode(0), "debug lib: detail 99\n");
}

}  // namespace
}  // namespace echod

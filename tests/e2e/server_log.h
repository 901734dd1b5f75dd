// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_E2E_SERVER_LOG_H_
#define TESTS_E2E_SERVER_LOG_H_

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "echo/base/unique_fd.h"
#include "gtest/gtest.h"

namespace echod::e2e {

// The standard error of a server, in memory.
class ServerLog {
 public:
  // For ServerProcess::Options::in_child.
  std::function<void()> AsStandardError() const {
    return [fd = fd_.get()] { dup2(fd, STDERR_FILENO); };
  }

  // The objects of the audit lines so far.
  std::vector<nlohmann::json> Audits() const {
    std::vector<nlohmann::json> audits;
    const std::string text = Text();
    for (const absl::string_view line : absl::StrSplit(text, '\n')) {
      constexpr absl::string_view kMark = " info audit ";
      const std::size_t mark = line.find(kMark);
      if (mark == absl::string_view::npos) continue;
      EXPECT_LT(line.size(), 4096u);
      audits.push_back(
          nlohmann::json::parse(std::string(line.substr(mark + kMark.size()))));
    }
    return audits;
  }

  // All of it so far.
  std::string Text() const {
    std::string text;
    char bytes[65536];
    for (;;) {
      const ssize_t count = pread(fd_.get(), bytes, sizeof bytes,
                                  static_cast<off_t>(text.size()));
      if (count <= 0) return text;
      text.append(bytes, static_cast<std::size_t>(count));
    }
  }

 private:
  const UniqueFd fd_{memfd_create("log", MFD_CLOEXEC)};
};

}  // namespace echod::e2e

#endif  // TESTS_E2E_SERVER_LOG_H_

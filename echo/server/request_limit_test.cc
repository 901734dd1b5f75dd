// SPDX-License-Identifier: Apache-2.0

#include "echo/server/request_limit.h"

#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "echo/control/control_error.h"
#include "echo/control/reply.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

TEST(RequestLimitTest, RefusesTheOneTooManyUntilAnAnswerIsGiven) {
  std::vector<absl::Status> answers;
  const auto reply = [&] {
    return Reply<int>([&](const absl::StatusOr<int>& answer) {
      answers.push_back(answer.status());
    });
  };
  std::optional<Reply<int>> last;
  {
    RequestLimit limit(2);
    std::optional<Reply<int>> first = limit.Admit(reply());
    std::optional<Reply<int>> second = limit.Admit(reply());
    ASSERT_TRUE(first.has_value() && second.has_value());
    EXPECT_FALSE(limit.Admit(reply()).has_value());
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_EQ(answers[0].code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(GetErrorDetail(answers[0]).reason, "TOO_MANY_REQUESTS");

    (*first)(7);
    EXPECT_TRUE(answers[1].ok());
    EXPECT_TRUE(limit.Admit(reply()).has_value());  // and dies unanswered
    EXPECT_EQ(answers[2].code(), absl::StatusCode::kUnavailable);
    last.emplace(*limit.Admit(reply()));
  }
  (*last)(8);  // after the limit
  EXPECT_EQ(answers.size(), 5u);
}

}  // namespace
}  // namespace echod

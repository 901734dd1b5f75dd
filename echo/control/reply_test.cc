// SPDX-License-Identifier: Apache-2.0

#include "echo/control/reply.h"

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "echo/control/control_error.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

TEST(ReplyTest, IsGivenOnce) {
  std::vector<absl::StatusOr<int>> answers;
  {
    Reply<int> reply([&](absl::StatusOr<int> answer) {
      answers.push_back(std::move(answer));
    });
    reply(7);
  }
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(*answers[0], 7);
}

TEST(ReplyTest, ThatDiesWithoutAnAnswerSaysThatTheServerHasStopped) {
  std::vector<absl::StatusOr<int>> answers;
  {
    Reply<int> reply([&](absl::StatusOr<int> answer) {
      answers.push_back(std::move(answer));
    });
    const Reply<int> moved = std::move(reply);
    EXPECT_TRUE(answers.empty());
  }
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(GetErrorDetail(answers[0].status()).reason, "SERVER_STOPPED");
}

}  // namespace
}  // namespace echod

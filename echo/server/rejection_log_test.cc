// SPDX-License-Identifier: Apache-2.0

#include "echo/server/rejection_log.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "echo/event/event_loop.h"
#include "echo/event/timer.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

class RejectionLogTest : public ::testing::Test {
 protected:
  RejectionLog Log(absl::Duration interval) {
    return {*loop_, "a",
            [this](const std::string& line) {
              lines_.push_back(line);
              if (lines_.size() == awaited_) loop_->Stop();
            },
            interval};
  }

  const std::unique_ptr<EventLoop> loop_ = *EventLoop::Create();
  std::vector<std::string> lines_;
  std::size_t awaited_ = 0;
};

TEST_F(RejectionLogTest, OnlyTheFirstIsLoggedAtOnce) {
  RejectionLog log = Log(absl::Hours(1));
  EXPECT_TRUE(lines_.empty());
  for (int i = 0; i < 1000; ++i) log.Note(RejectionLog::kMaxConnections);
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_TRUE(absl::StartsWith(
      lines_[0],
      "listener a has reset new connections: 1 over max_connections; "))
      << lines_[0];
}

TEST_F(RejectionLogTest, TheOthersAreCountedUntilTheNextLine) {
  RejectionLog log = Log(absl::Milliseconds(20));
  log.Note(RejectionLog::kMaxTotalConnections);
  for (int i = 0; i < 5; ++i) log.Note(RejectionLog::kMaxConnections);
  for (int i = 0; i < 3; ++i) {
    log.Note(RejectionLog::kMaxConnectionsPerAddress);
  }
  EXPECT_EQ(lines_.size(), 1u);
  awaited_ = 2;
  ASSERT_TRUE(loop_->Run().ok());
  EXPECT_TRUE(absl::StrContains(
      lines_[1],
      ": 5 over max_connections, 3 over max_connections_per_address; "))
      << lines_[1];
}

TEST_F(RejectionLogTest, WhenItIsOverNothingIsLoggedUntilTheNextTime) {
  RejectionLog log = Log(absl::Milliseconds(5));
  log.Note(RejectionLog::kMaxConnections);
  // Armed later and for longer, so it fires later.
  Timer later(*loop_, [this] { loop_->Stop(); });
  later.Arm(absl::Milliseconds(50));
  ASSERT_TRUE(loop_->Run().ok());
  EXPECT_EQ(lines_.size(), 1u);
  log.Note(RejectionLog::kMaxConnections);
  EXPECT_EQ(lines_.size(), 2u);
}

}  // namespace
}  // namespace echod

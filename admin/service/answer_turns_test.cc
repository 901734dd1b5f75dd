// SPDX-License-Identifier: Apache-2.0

#include "admin/service/answer_turns.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace echod {
namespace {

class AnswerTurnsTest : public ::testing::Test {
 protected:
  AnswerTurns::Ticket Begin(const std::string& client,
                            const std::string& name) {
    return turns_.Begin(client, [this, name] { started_.push_back(name); });
  }

  AnswerTurns turns_{/*most_of_client=*/2, /*most=*/3};
  std::vector<std::string> started_;
};

TEST_F(AnswerTurnsTest, AClientThatDoesNotReadWaitsForItself) {
  for (const char* name : {"a1", "a2", "a3", "a4"}) Begin("a", name);
  Begin("b", "b1");
  EXPECT_EQ(started_, std::vector<std::string>({"a1", "a2", "b1"}));
  turns_.End("b");
  // Room for one, but not of a's.
  EXPECT_EQ(started_.size(), 3);
  turns_.End("a");
  EXPECT_EQ(started_.back(), "a3");
}

TEST_F(AnswerTurnsTest, AllTogetherAreBounded) {
  for (const char* name : {"a", "b", "c", "d", "e"}) Begin(name, name);
  EXPECT_EQ(started_, std::vector<std::string>({"a", "b", "c"}));
  turns_.End("b");
  turns_.End("a");
  EXPECT_EQ(started_, std::vector<std::string>({"a", "b", "c", "d", "e"}));
}

TEST_F(AnswerTurnsTest, WhatIsTakenBackNeverStarts) {
  const AnswerTurns::Ticket first = Begin("a", "a1");
  Begin("a", "a2");
  const AnswerTurns::Ticket third = Begin("a", "a3");
  Begin("a", "a4");
  EXPECT_FALSE(turns_.Cancel(first));
  EXPECT_TRUE(turns_.Cancel(third));
  EXPECT_FALSE(turns_.Cancel(third));
  turns_.End("a");
  EXPECT_EQ(started_, std::vector<std::string>({"a1", "a2", "a4"}));
}

}  // namespace
}  // namespace echod

// SPDX-License-Identifier: Apache-2.0

#include "echo/base/log_budget.h"

#include <optional>

#include "absl/time/time.h"
#include "echo/testing/fake_clock.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

TEST(LogBudgetTest, AdmitsABurstThenOneInASecondAndTellsTheRest) {
  FakeClock clock;
  LogBudget budget(clock);
  for (int i = 0; i < LogBudget::kBurst; ++i) EXPECT_EQ(budget.Admit(), 0);
  EXPECT_EQ(budget.Admit(), std::nullopt);
  clock.Advance(absl::Milliseconds(999));
  EXPECT_EQ(budget.Admit(), std::nullopt);
  clock.Advance(absl::Milliseconds(1));
  EXPECT_EQ(budget.Admit(), 2);
  EXPECT_EQ(budget.Admit(), std::nullopt);
}

TEST(LogBudgetTest, SavesUpNoMoreThanABurst) {
  FakeClock clock;
  LogBudget budget(clock);
  clock.Advance(absl::Hours(24));
  for (int i = 0; i < LogBudget::kBurst; ++i) EXPECT_EQ(budget.Admit(), 0);
  EXPECT_EQ(budget.Admit(), std::nullopt);
}

}  // namespace
}  // namespace echod

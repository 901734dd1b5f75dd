// SPDX-License-Identifier: Apache-2.0

#include "echo/control/connection_order.h"

#include <vector>

#include "echo/control/connection_fields.h"
#include "echo/testing/fake_fields.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

using Field = ConnectionField;

// Whether `first` comes before `second`.
bool Before(const FakeFields& first, const FakeFields& second,
            const ConnectionOrder& order) {
  const bool before = PlaceOf(first, order) < PlaceOf(second, order);
  EXPECT_NE(before, PlaceOf(second, order) < PlaceOf(first, order));
  return before;
}

TEST(ConnectionOrderTest, EachSortableFieldOrders) {
  FakeFields low;
  FakeFields high;
  high.number_ = 8;
  high.generation_ = 4;
  high.worker_ = 3;
  high.created_ = 901;
  high.last_active_ = 961;
  high.bytes_received_ = 11;
  high.bytes_sent_ = low.bytes_sent_ + 1;
  high.bytes_buffered_ = 1;
  high.lines_echoed_ = 6;
  for (const Field field :
       {Field::kName, Field::kListenerGeneration, Field::kWorker,
        Field::kCreateTime, Field::kLastActiveTime, Field::kBytesReceived,
        Field::kBytesSent, Field::kBytesBuffered, Field::kLinesEchoed}) {
    EXPECT_TRUE(Before(low, high, {{.field = field}}))
        << static_cast<int>(field);
    EXPECT_TRUE(Before(high, low, {{.field = field, .descending = true}}))
        << static_cast<int>(field);
  }
  // The older ones have the higher age.
  for (const Field field : {Field::kAge, Field::kIdle}) {
    EXPECT_TRUE(Before(high, low, {{.field = field}}));
    EXPECT_TRUE(Before(low, high, {{.field = field, .descending = true}}));
  }
}

TEST(ConnectionOrderTest, LaterTermsAndTheNumberDecideBetweenEqualOnes) {
  FakeFields one;
  FakeFields other;
  other.number_ = 8;
  other.worker_ = 1;
  const ConnectionOrder order = {{.field = Field::kBytesSent},
                                 {.field = Field::kWorker}};
  EXPECT_TRUE(Before(other, one, order));
  other.worker_ = one.worker_;
  EXPECT_TRUE(Before(one, other, order));
  EXPECT_TRUE(Before(one, other, {}));
}

}  // namespace
}  // namespace echod

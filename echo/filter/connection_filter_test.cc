// SPDX-License-Identifier: Apache-2.0

#include "echo/filter/connection_filter.h"

#include <cstdint>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "echo/testing/fake_fields.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

bool Matches(absl::string_view text, const FakeFields& fields = FakeFields()) {
  const auto filter = ConnectionFilter::Compile(text);
  EXPECT_TRUE(filter.ok()) << text << ": " << filter.status();
  return filter.ok() && (*filter)->Matches(fields, FakeFields::Time(1000));
}

TEST(ConnectionFilterTest, ComparesEachFieldWithEachOperator) {
  struct Case {
    const char* field;
    const char* lower;  // empty: not ordered
    const char* equal;
    const char* higher;
  };
  for (const Case& each : {
           Case{"name", "connections/6", "connections/7", "8"},
           Case{"listener", "", "listeners/default", "other"},
           Case{"listener_generation", "2", "3", "4"},
           Case{"worker", "1", "2", "3"},
           Case{"state", "", "DRAINING", "OPEN"},
           Case{"remote_address", "", "10.1.2.3:4567", "10.1.2.3:4568"},
           Case{"local_address", "", "[2001:db8::1]:8080", "[::1]:8080"},
           Case{"create_time", "2023-11-14T22:28:19Z", "2023-11-14T22:28:20Z",
                "2023-11-14T22:28:20.5Z"},
           Case{"last_active_time", "2023-11-14T22:29:19Z",
                "2023-11-14T22:29:20Z", "2023-11-14T23:29:20.001+01:00"},
           Case{"bytes_received", "9", "10B", "11"},
           Case{"bytes_sent", "1MB", "1MiB", "1025KiB"},
           Case{"bytes_buffered", "-1", "0", "1"},
           Case{"lines_echoed", "4", "5", "6"},
           Case{"reading_paused", "", "true", "false"},
           Case{"age", "99s", "1m40s", "101s"},
           Case{"idle", "39.9s", "40s", "1h"},
       }) {
    const std::string field = each.field;
    EXPECT_TRUE(Matches(absl::StrCat(field, " = ", each.equal)));
    EXPECT_FALSE(Matches(absl::StrCat(field, " != ", each.equal)));
    EXPECT_FALSE(Matches(absl::StrCat(field, " = ", each.higher)));
    EXPECT_TRUE(Matches(absl::StrCat(field, " != ", each.higher)));
    if (*each.lower == '\0') continue;
    EXPECT_TRUE(Matches(absl::StrCat(field, " > ", each.lower)));
    EXPECT_FALSE(Matches(absl::StrCat(field, " > ", each.equal)));
    EXPECT_TRUE(Matches(absl::StrCat(field, " >= ", each.equal)));
    EXPECT_FALSE(Matches(absl::StrCat(field, " >= ", each.higher)));
    EXPECT_TRUE(Matches(absl::StrCat(field, " < ", each.higher)));
    EXPECT_FALSE(Matches(absl::StrCat(field, " < ", each.equal)));
    EXPECT_TRUE(Matches(absl::StrCat(field, " <= ", each.equal)));
    EXPECT_FALSE(Matches(absl::StrCat(field, " <= ", each.lower)));
  }
}

TEST(ConnectionFilterTest, FindsPartsOfIdsAndAddressesInNetworks) {
  EXPECT_TRUE(Matches("listener : fau"));
  EXPECT_FALSE(Matches("listener : listeners"));
  EXPECT_TRUE(Matches("remote_address : \"10.0.0.0/8\""));
  EXPECT_TRUE(Matches("remote_address : 10.1.2.3"));
  EXPECT_FALSE(Matches("remote_address : 10.1.2.0/31"));
  EXPECT_TRUE(Matches("local_address : 2001:db8::/32"));
  EXPECT_FALSE(Matches("local_address : 10.0.0.0/8"));
}

TEST(ConnectionFilterTest, CombinesComparisons) {
  EXPECT_TRUE(Matches("worker = 2 AND idle > 30s"));
  EXPECT_FALSE(Matches("worker = 2 AND idle > 30m"));
  EXPECT_TRUE(Matches("worker = 9 OR idle > 30s"));
  EXPECT_FALSE(Matches("NOT (worker = 9 OR idle > 30s)"));
  EXPECT_TRUE(Matches("-worker = 9"));
  // AND of (9 or 2) and idle, not 9 or (2 and idle).
  EXPECT_FALSE(Matches("worker = 2 OR worker = 9 AND idle > 30m"));
  EXPECT_TRUE(Matches("worker = 2 OR (worker = 9 AND idle > 30m)"));
}

TEST(ConnectionFilterTest, AsksOnlyForTheFieldsThatDecide) {
  const FakeFields fields;
  EXPECT_FALSE(Matches("worker = 9 AND local_address : 10.0.0.0/8", fields));
  EXPECT_TRUE(Matches("worker = 2 OR local_address : 10.0.0.0/8", fields));
  EXPECT_EQ(fields.local_address_calls_, 0);
  EXPECT_TRUE(Matches("worker = 2 AND local_address : ::/0", fields));
  EXPECT_EQ(fields.local_address_calls_, 1);
}

TEST(ConnectionFilterTest, ASystemCallCostsMore) {
  const auto cost = [](absl::string_view text) {
    return (*ConnectionFilter::Compile(text))->cost();
  };
  EXPECT_GT(cost("worker = 1 AND worker = 2"), cost("worker = 1"));
  EXPECT_GT(cost("local_address : ::1"), 8 * cost("remote_address : ::1"));
}

// What a tree of random operators amounts to, against the compiled form.
class TreeMaker {
 public:
  explicit TreeMaker(std::uint32_t seed) : random_(seed) {}

  // Returns a filter on `worker`, and sets `result` to its value for worker 2.
  std::string Make(int depth, bool& result) {
    switch (depth == 0 ? 0 : random_() % 4) {
      case 1: {
        const std::string inner = Make(depth - 1, result);
        result = !result;
        return absl::StrCat("NOT (", inner, ")");
      }
      case 2:
      case 3: {
        const bool is_and = random_() % 2 == 0;
        bool left = false;
        bool right = false;
        const std::string first = Make(depth - 1, left);
        const std::string second = Make(depth - 1, right);
        result = is_and ? left && right : left || right;
        return absl::StrCat("(", first, is_and ? ") AND (" : ") OR (", second,
                            ")");
      }
      default:
        result = random_() % 2 == 0;
        return result ? "worker = 2" : "worker = 9";
    }
  }

 private:
  std::mt19937 random_;
};

TEST(ConnectionFilterTest, TheCompiledFormMeansWhatTheTreeDoes) {
  TreeMaker maker(1);
  for (int i = 0; i < 3000; ++i) {
    bool expected = false;
    const std::string text = maker.Make(5, expected);
    EXPECT_EQ(Matches(text), expected) << text;
  }
}

}  // namespace
}  // namespace echod

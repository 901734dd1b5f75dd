// SPDX-License-Identifier: Apache-2.0

#include "echo/filter/filter_parser.h"

#include <cstdint>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "echo/control/control_error.h"
#include "echo/filter/filter_value.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

// The canonical form, or the error.
std::string Canonical(absl::string_view text) {
  const auto filter = ParseFilter(text);
  return filter.ok() ? PrintFilter(*filter)
                     : std::string(filter.status().message());
}

std::int64_t Number(absl::string_view text) {
  const auto filter = ParseFilter(text);
  EXPECT_TRUE(filter.ok()) << filter.status();
  return filter.ok() ? std::get<std::int64_t>(filter->value) : -1;
}

TEST(FilterParserTest, OrBindsMoreTightlyThanAnd) {
  const auto filter =
      ParseFilter("worker = 1 AND worker = 2 OR worker = 3 AND worker = 4");
  ASSERT_TRUE(filter.ok()) << filter.status();
  ASSERT_EQ(filter->kind, FilterNode::Kind::kAnd);
  ASSERT_EQ(filter->operands.size(), 3u);
  EXPECT_EQ(filter->operands[0].kind, FilterNode::Kind::kComparison);
  EXPECT_EQ(filter->operands[1].kind, FilterNode::Kind::kOr);
  EXPECT_EQ(filter->operands[2].kind, FilterNode::Kind::kComparison);
}

TEST(FilterParserTest, WritesACanonicalForm) {
  EXPECT_EQ(Canonical("idle>30s"), "idle > 30s");
  EXPECT_EQ(Canonical(" ( (idle\t>\n'30s') ) "), "idle > 30s");
  EXPECT_EQ(Canonical("-worker=1"), "NOT worker = 1");
  EXPECT_EQ(Canonical("- (worker=1 OR worker=2)"),
            "NOT (worker = 1 OR worker = 2)");
  EXPECT_EQ(Canonical("NOT(NOT worker=1)"), "NOT (NOT worker = 1)");
  EXPECT_EQ(Canonical("(worker=1 AND worker=2)OR(worker=3)"),
            "(worker = 1 AND worker = 2) OR worker = 3");
  EXPECT_EQ(Canonical("worker=1 AND (worker=2 OR worker=3)"),
            "worker = 1 AND worker = 2 OR worker = 3");
  EXPECT_EQ(Canonical("listener:\"AND\""), "listener : \"AND\"");
  EXPECT_EQ(Canonical(R"(listener:"a \"b\" \\ 'c'")"),
            R"(listener : "a \"b\" \\ 'c'")");
  EXPECT_EQ(Canonical("remote_address:[::1]"), "remote_address : [::1]");
}

TEST(FilterParserTest, ReadsValuesByTheTypeOfTheField) {
  EXPECT_EQ(Number("bytes_sent = 1500"), 1500);
  EXPECT_EQ(Number("bytes_sent = 64KB"), 64'000);
  EXPECT_EQ(Number("bytes_sent = 1MiB"), 1 << 20);
  EXPECT_EQ(Number("bytes_sent > -1"), -1);
  EXPECT_EQ(Number("idle > 1h30m"), 5400LL * 1'000'000'000);
  EXPECT_EQ(Number("idle > 250ms"), 250'000'000);
  EXPECT_EQ(Number("create_time < 2026-01-31T09:30:00+01:00"),
            1769848200LL * 1'000'000'000);
  EXPECT_EQ(Number("state = CLOSING"), 3);
  EXPECT_EQ(Number("state = STATE_CLOSING"), 3);
  EXPECT_EQ(Number("reading_paused = true"), 1);
  EXPECT_EQ(Number("name = connections/7"), 7);
  EXPECT_EQ(Number("name = 7"), 7);
  for (const char* text :
       {"listener = default", "listener = \"listeners/default\""}) {
    EXPECT_EQ(std::get<std::string>(ParseFilter(text)->value), "default");
  }
}

TEST(FilterParserTest, AnErrorTellsColumnFoundAndExpected) {
  struct Case {
    const char* text;
    const char* error;
  };
  for (const Case& each : std::vector<Case>{
           {"",
            "column 1: found the end of the filter; expected a field, NOT, "
            "- or ("},
           {"  ",
            "column 3: found the end of the filter; expected a field, "
            "NOT, - or ("},
           {"idel > 30s",
            "column 1: found 'idel'; expected a field of a "
            "connection; did you mean idle?"},
           {"tcp_info.rtt > 3ms",
            "column 1: found 'tcp_info.rtt'; expected a field of a connection; "
            "tcp_info takes a system call, and cannot be used here"},
           {"idle > ",
            "column 8: found the end of the filter; expected a "
            "value; quote one that is a keyword or has spaces"},
           {"idle == 3s",
            "column 7: found '='; expected a value; quote one "
            "that is a keyword or has spaces"},
           {"idle > 30",
            "column 8: found '30'; expected a duration, such as "
            "30s, 1h30m or 250ms"},
           {"idle 30s",
            "column 6: found '30s'; expected one of the operators "
            "of idle: != <= < >= > ="},
           {"bytes_sent : 3",
            "column 12: found ':'; expected one of the "
            "operators of bytes_sent: != <= < >= > ="},
           {"state < OPEN",
            "column 7: found '<'; expected one of the operators "
            "of state: != ="},
           {"state = CLOSED",
            "column 9: found 'CLOSED'; expected OPEN, REMOTE_HALF_CLOSED, "
            "DRAINING or CLOSING"},
           {"idle > 3s and worker = 1",
            "column 11: found 'and'; expected AND, OR (in capitals) or the end "
            "of the filter"},
           {"idle > 3s worker = 1",
            "column 11: found 'worker'; expected AND, OR (in capitals) or the "
            "end of the filter"},
           {"(idle > 3s",
            "column 11: found the end of the filter; expected "
            "AND, OR (in capitals) or )"},
           {"idle > 3s)",
            "column 10: found ')'; expected AND, OR (in capitals) "
            "or the end of the filter"},
           {"NOT NOT idle > 3s",
            "column 5: found 'NOT'; expected a field, NOT, "
            "- or ("},
           {"listener = 'abc",
            "column 16: found the end of the filter; "
            "expected the quote that closes column 12"},
           {"listener = 'a\\n'",
            "column 15: found 'n'; expected \\\\, \\\" or "
            "\\' after a backslash"},
           // Columns count characters, not bytes.
           {"listener = 'ää' ö",
            "column 17: found 'ö'; expected AND, OR (in "
            "capitals) or the end of the filter"},
           {"\x01", "column 1: found '\\x01'; expected a field, NOT, - or ("},
           {"bytes_sent > 9223372036854775807KiB",
            "column 14: found '9223372036854775807KiB'; expected a number of "
            "bytes below 2^63, such as 1500, 64KB or 1MiB"},
       }) {
    const absl::Status status = ParseFilter(each.text).status();
    EXPECT_EQ(status.message(), each.error);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << each.text;
    EXPECT_EQ(GetErrorDetail(status).field, "filter") << each.text;
  }
}

TEST(FilterParserTest, RefusesValuesThatTheTypeDoesNotHave) {
  for (const char* text : {"worker = one",
                           "worker = 1.5",
                           "worker = ''",
                           "worker = -",
                           "worker = 99999999999999999999",
                           "bytes_sent = 1XB",
                           "bytes_sent = MB",
                           "bytes_sent = 1.5MB",
                           "idle = inf",
                           "idle = -inf",
                           "idle = ''",
                           "create_time > infinite-future",
                           "create_time > 'now'",
                           "create_time > ' 2026-01-31T09:30:00Z'",
                           "create_time > 2026-01-31",
                           "reading_paused = yes",
                           "state = ''",
                           "name = listeners/7",
                           "listener = 'listeners/'",
                           "listener = a/b",
                           "listener : ''",
                           "listener : listeners/a",
                           "remote_address = 10.0.0.1",
                           "remote_address : 10.0.0.1/8",
                           "remote_address : 10.0.0.0/33"}) {
    EXPECT_FALSE(ParseFilter(text).ok()) << text;
  }
}

TEST(FilterParserTest, IsBoundedInLengthDepthAndComparisons) {
  const auto nested = [](int depth) {
    return absl::StrCat(std::string(static_cast<std::size_t>(depth), '('),
                        "worker = 1",
                        std::string(static_cast<std::size_t>(depth), ')'));
  };
  EXPECT_EQ(Canonical(nested(kDeepestFilter)), "worker = 1");
  EXPECT_EQ(Canonical(nested(kDeepestFilter + 1)),
            "column 33: more than 32 parentheses in one another");

  std::string many = "worker = 0";
  for (int i = 1; i < kMostComparisons; ++i) many += " OR worker = 1";
  EXPECT_TRUE(ParseFilter(many).ok());
  EXPECT_FALSE(ParseFilter(many + " AND worker = 1").ok());

  std::string longest = "worker = 1";
  longest.resize(kLongestFilter, ' ');
  EXPECT_TRUE(ParseFilter(longest).ok());
  EXPECT_EQ(Canonical(longest + " "),
            "the filter is 4097 bytes long; at most 4096 are possible");
}

// Random filters, spelled in random ways.
class FilterMaker {
 public:
  explicit FilterMaker(std::uint32_t seed) : random_(seed) {}

  std::string Make(int depth) {
    switch (depth == 0 ? 0 : Pick(5)) {
      case 1:
        return absl::StrCat(Pick(2) == 0 ? "NOT " : "-", Term(depth - 1));
      case 2:
        return absl::StrCat(Term(depth - 1), Space(), " AND ", Make(depth - 1));
      case 3:
        return absl::StrCat(Term(depth - 1), " OR ", Space(), Make(depth - 1));
      case 4:
        return Term(depth - 1);
      default:
        return Comparison();
    }
  }

 private:
  std::string Term(int depth) {
    return depth <= 0 || Pick(3) == 0
               ? Comparison()
               : absl::StrCat("(", Space(), Make(depth), ")");
  }

  std::string Comparison() {
    static constexpr const char* kComparisons[] = {
        "idle > 30s",
        "age<=1h30m",
        "bytes_sent >= '1MiB'",
        "state != DRAINING",
        "listener = \"listeners/default\"",
        "listener : 'NOT'",
        R"(listener : "a b \" \\ ( '")",
        "remote_address : \"10.0.0.0/8\"",
        "local_address = [::1]:80",
        "create_time < 2026-01-31T09:30:00Z",
        "reading_paused=true",
        "name > connections/7",
    };
    return kComparisons[Pick(std::size(kComparisons))];
  }

  std::string Space() { return Pick(2) == 0 ? "" : " \t"; }
  std::size_t Pick(std::size_t below) { return random_() % below; }

  std::mt19937 random_;
};

TEST(FilterParserTest, WhatItWritesIsReadAsTheSameTree) {
  FilterMaker maker(1);
  int parsed = 0;
  for (int i = 0; i < 5000; ++i) {
    const std::string text = maker.Make(6);
    const auto filter = ParseFilter(text);
    if (!filter.ok()) {
      // Nothing but the bounds refuses it.
      EXPECT_TRUE(text.size() > kLongestFilter ||
                  absl::StrContains(filter.status().message(), "more than"))
          << text << ": " << filter.status();
      continue;
    }
    ++parsed;
    const std::string printed = PrintFilter(*filter);
    const auto again = ParseFilter(printed);
    ASSERT_TRUE(again.ok()) << printed << ": " << again.status();
    EXPECT_EQ(PrintFilter(*again), printed) << text;
  }
  EXPECT_GT(parsed, 4500);
}

}  // namespace
}  // namespace echod

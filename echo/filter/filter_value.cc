// SPDX-License-Identifier: Apache-2.0

#include "echo/filter/filter_value.h"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "echo/control/connection_info.h"

namespace echod {
namespace {

using State = ConnectionInfo::State;

constexpr NamedValue<State> kStates[] = {
    {State::kOpen, "OPEN"},
    {State::kRemoteHalfClosed, "REMOTE_HALF_CLOSED"},
    {State::kDraining, "DRAINING"},
    {State::kClosing, "CLOSING"},
};

constexpr NamedValue<std::int64_t> kUnits[] = {
    {1, ""},
    {1, "B"},
    {1'000, "KB"},
    {1'000'000, "MB"},
    {1'000'000'000, "GB"},
    {1'000'000'000'000, "TB"},
    {std::int64_t{1} << 10, "KiB"},
    {std::int64_t{1} << 20, "MiB"},
    {std::int64_t{1} << 30, "GiB"},
    {std::int64_t{1} << 40, "TiB"},
};

absl::Status Expected(absl::string_view what) {
  return absl::InvalidArgumentError(what);
}

bool IsDigit(char c) {
  return absl::ascii_isdigit(static_cast<unsigned char>(c));
}

absl::StatusOr<std::int64_t> ParseNumber(absl::string_view text,
                                         absl::string_view expected) {
  std::int64_t number = 0;
  const absl::string_view digits = absl::StripPrefix(text, "-");
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), IsDigit) ||
      !absl::SimpleAtoi(text, &number)) {
    return Expected(expected);
  }
  return number;
}

absl::StatusOr<std::int64_t> ParseBytes(absl::string_view text) {
  constexpr absl::string_view kExpected =
      "a number of bytes below 2^63, such as 1500, 64KB or 1MiB";
  std::size_t end = 0;
  while (end < text.size() && (IsDigit(text[end]) || text[end] == '-')) ++end;
  const auto number = ParseNumber(text.substr(0, end), kExpected);
  if (!number.ok()) return number.status();
  const auto unit = ValueNamed(kUnits, text.substr(end));
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  if (!unit.has_value() || *number > kMost / *unit ||
      *number < -kMost / *unit) {
    return Expected(kExpected);
  }
  return *number * *unit;
}

absl::StatusOr<std::int64_t> ParseDuration(absl::string_view text) {
  absl::Duration duration;
  // absl also takes infinite ones.
  if (absl::StrContains(text, "inf") || !absl::ParseDuration(text, &duration) ||
      duration == absl::InfiniteDuration() ||
      duration == -absl::InfiniteDuration()) {
    return Expected("a duration, such as 30s, 1h30m or 250ms");
  }
  return absl::ToInt64Nanoseconds(duration);
}

absl::StatusOr<std::int64_t> ParseTime(absl::string_view text) {
  absl::Time time;
  std::string error;
  // absl also takes infinite ones and leading spaces.
  if (text.empty() || !IsDigit(text.front()) ||
      !absl::ParseTime(absl::RFC3339_full, text, &time, &error)) {
    return Expected("a time, such as 2026-01-31T09:30:00Z");
  }
  return absl::ToUnixNanos(time);
}

absl::StatusOr<std::int64_t> ParseBoolean(absl::string_view text) {
  if (text == "true") return 1;
  if (text == "false") return 0;
  return Expected("true or false");
}

absl::StatusOr<std::int64_t> ParseState(absl::string_view text) {
  const auto state = ValueNamed(kStates, absl::StripPrefix(text, "STATE_"));
  if (state.has_value()) return static_cast<std::int64_t>(*state);
  return Expected(JoinedWithOr(NamesIn(kStates)));
}

absl::StatusOr<std::int64_t> ParseConnectionName(absl::string_view text) {
  return ParseNumber(absl::StripPrefix(text, "connections/"),
                     "the name of a connection, such as connections/7");
}

absl::StatusOr<FilterValue> ParseListenerName(FilterOperator op,
                                              absl::string_view text) {
  if (op == FilterOperator::kHas) {
    if (text.empty() || absl::StrContains(text, '/')) {
      return Expected("a part of a listener's id");
    }
    return std::string(text);
  }
  absl::ConsumePrefix(&text, "listeners/");
  if (text.empty() || absl::StrContains(text, '/')) {
    return Expected("the name of a listener, such as listeners/default");
  }
  return std::string(text);
}

absl::StatusOr<FilterValue> ParseAddress(FilterOperator op,
                                         absl::string_view text) {
  if (op == FilterOperator::kHas) {
    auto network = IpNetwork::Parse(text);
    if (network.ok()) return *network;
    return Expected(
        absl::StrCat("an address or a network, such as 10.0.0.0/8 or ",
                     "2001:db8::/32 (", network.status().message(), ")"));
  }
  auto address = SocketAddress::Parse(text);
  if (address.ok()) return *address;
  return Expected(absl::StrCat(
      "an address with a port, such as 10.1.2.3:4567 or [::1]:4567; for one ",
      "without, use the operator ':'"));
}

}  // namespace

bool Applies(FilterOperator op, FieldType type) {
  switch (op) {
    case FilterOperator::kEqual:
    case FilterOperator::kNotEqual:
      return true;
    case FilterOperator::kHas:
      return type == FieldType::kListenerName || type == FieldType::kAddress;
    case FilterOperator::kLess:
    case FilterOperator::kLessOrEqual:
    case FilterOperator::kGreater:
    case FilterOperator::kGreaterOrEqual:
      break;
  }
  return type == FieldType::kConnectionName || type == FieldType::kNumber ||
         type == FieldType::kBytes || type == FieldType::kTime ||
         type == FieldType::kDuration;
}

absl::StatusOr<FilterValue> ParseFilterValue(FieldType type, FilterOperator op,
                                             absl::string_view text) {
  absl::StatusOr<std::int64_t> number = 0;
  switch (type) {
    case FieldType::kListenerName:
      return ParseListenerName(op, text);
    case FieldType::kAddress:
      return ParseAddress(op, text);
    case FieldType::kConnectionName:
      number = ParseConnectionName(text);
      break;
    case FieldType::kNumber:
      number = ParseNumber(text, "a whole number below 2^63");
      break;
    case FieldType::kBytes:
      number = ParseBytes(text);
      break;
    case FieldType::kState:
      number = ParseState(text);
      break;
    case FieldType::kBoolean:
      number = ParseBoolean(text);
      break;
    case FieldType::kTime:
      number = ParseTime(text);
      break;
    case FieldType::kDuration:
      number = ParseDuration(text);
      break;
  }
  if (!number.ok()) return number.status();
  return *number;
}

}  // namespace echod

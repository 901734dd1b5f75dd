// SPDX-License-Identifier: Apache-2.0

#include "echo/filter/connection_filter.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "echo/base/ip_network.h"
#include "echo/base/socket_address.h"

namespace echod {
namespace {

// In sixteenths of a microsecond.
constexpr int kComparisonCost = 1;
constexpr int kSystemCallCost = 16;

std::int64_t Since(MonotonicTime time, MonotonicTime now) {
  // The clock of a connection may have been read after `now`.
  return std::max<std::int64_t>(
      absl::ToInt64Nanoseconds(absl::FromChrono(now - time)), 0);
}

// Of a time or a duration, or any other field that is a number.
std::int64_t NumberAt(const ConnectionFields& connection, ConnectionField field,
                      MonotonicTime now) {
  switch (field) {
    case ConnectionField::kCreateTime:
      return absl::ToUnixNanos(connection.WallTime(connection.created()));
    case ConnectionField::kLastActiveTime:
      return absl::ToUnixNanos(connection.WallTime(connection.last_active()));
    case ConnectionField::kAge:
      return Since(connection.created(), now);
    case ConnectionField::kIdle:
      return Since(connection.last_active(), now);
    default:
      return NumberOf(connection, field);
  }
}

bool Holds(std::int64_t field, FilterOperator op, std::int64_t value) {
  switch (op) {
    case FilterOperator::kEqual:
      return field == value;
    case FilterOperator::kNotEqual:
      return field != value;
    case FilterOperator::kLess:
      return field < value;
    case FilterOperator::kLessOrEqual:
      return field <= value;
    case FilterOperator::kGreater:
      return field > value;
    case FilterOperator::kGreaterOrEqual:
      return field >= value;
    case FilterOperator::kHas:
      break;
  }
  return false;
}

bool Holds(const std::string& field, FilterOperator op,
           const std::string& value) {
  if (op == FilterOperator::kHas) return absl::StrContains(field, value);
  return (field == value) == (op == FilterOperator::kEqual);
}

bool Holds(const SocketAddress& field, FilterOperator op,
           const FilterValue& value) {
  if (const auto* const network = std::get_if<IpNetwork>(&value)) {
    return network->Contains(field);
  }
  return (field == std::get<SocketAddress>(value)) ==
         (op == FilterOperator::kEqual);
}

bool Holds(const ConnectionFields& connection, ConnectionField field,
           FilterOperator op, const FilterValue& value, MonotonicTime now) {
  switch (field) {
    case ConnectionField::kListener:
      return Holds(connection.listener_id(), op, std::get<std::string>(value));
    case ConnectionField::kRemoteAddress:
      return Holds(connection.remote_address(), op, value);
    case ConnectionField::kLocalAddress:
      return Holds(connection.local_address(), op, value);
    default:
      return Holds(NumberAt(connection, field, now), op,
                   std::get<std::int64_t>(value));
  }
}

}  // namespace

absl::StatusOr<std::shared_ptr<const ConnectionFilter>>
ConnectionFilter::Compile(absl::string_view text) {
  absl::StatusOr<FilterNode> tree = ParseFilter(text);
  if (!tree.ok()) return tree.status();
  const std::shared_ptr<ConnectionFilter> filter(new ConnectionFilter());
  filter->text_ = PrintFilter(*tree);
  filter->first_ = filter->Append(*std::move(tree), kMatch, kNoMatch);
  for (const Step& step : filter->steps_) {
    filter->cost_ += step.field == ConnectionField::kLocalAddress
                         ? kSystemCallCost
                         : kComparisonCost;
  }
  return filter;
}

int ConnectionFilter::Append(FilterNode node, int if_true, int if_false) {
  switch (node.kind) {
    case FilterNode::Kind::kComparison:
      steps_.push_back({.field = node.field->field,
                        .op = node.op,
                        .value = std::move(node.value),
                        .if_true = if_true,
                        .if_false = if_false});
      return static_cast<int>(steps_.size()) - 1;
    case FilterNode::Kind::kNot:
      return Append(std::move(node.operands.front()), if_false, if_true);
    case FilterNode::Kind::kAnd:
    case FilterNode::Kind::kOr:
      break;
  }
  // From the last operand to the first, as each continues with the next.
  const bool is_and = node.kind == FilterNode::Kind::kAnd;
  int next = is_and ? if_true : if_false;
  for (auto each = node.operands.rbegin(); each != node.operands.rend();
       ++each) {
    next = is_and ? Append(std::move(*each), next, if_false)
                  : Append(std::move(*each), if_true, next);
  }
  return next;
}

bool ConnectionFilter::Matches(const ConnectionFields& connection,
                               MonotonicTime now) const {
  int at = first_;
  while (at >= 0) {
    const Step& step = steps_[static_cast<std::size_t>(at)];
    at = Holds(connection, step.field, step.op, step.value, now)
             ? step.if_true
             : step.if_false;
  }
  return at == kMatch;
}

}  // namespace echod

// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_FILTER_CONNECTION_FILTER_H_
#define ECHO_FILTER_CONNECTION_FILTER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "echo/base/clock.h"
#include "echo/control/connection_fields.h"
#include "echo/filter/filter_parser.h"
#include "echo/filter/filter_value.h"

namespace echod {

// A compiled filter: a list of comparisons, each of which names the one to
// continue with. So AND and OR stop early, NOT costs nothing, and there is no
// recursion. Immutable and thread-safe.
class ConnectionFilter final : public ConnectionPredicate {
 public:
  // INVALID_ARGUMENT on the field `filter`; see ParseFilter.
  static absl::StatusOr<std::shared_ptr<const ConnectionFilter>> Compile(
      absl::string_view text);

  bool Matches(const ConnectionFields& connection,
               MonotonicTime now) const override;
  int cost() const override { return cost_; }

  // How many comparisons Matches makes at most.
  int comparisons() const { return static_cast<int>(steps_.size()); }

  // The filter in a canonical form: texts that differ only in spaces, quotes
  // and superfluous parentheses have the same.
  const std::string& text() const { return text_; }

 private:
  struct Step {
    ConnectionField field;
    FilterOperator op;
    FilterValue value;
    // The index of the step to continue with, or one of the results below.
    int if_true;
    int if_false;
  };
  static constexpr int kMatch = -1;
  static constexpr int kNoMatch = -2;

  ConnectionFilter() = default;

  // Appends the steps of `node`, and returns the index of the first to run.
  // Each continues with an earlier index, so that they end.
  int Append(FilterNode node, int if_true, int if_false);

  std::vector<Step> steps_;
  int first_ = kMatch;
  int cost_ = 0;
  std::string text_;
};

}  // namespace echod

#endif  // ECHO_FILTER_CONNECTION_FILTER_H_

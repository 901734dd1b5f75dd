// SPDX-License-Identifier: Apache-2.0

#include "echo/filter/fuzz_filter.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "echo/base/check.h"
#include "echo/control/control_error.h"
#include "echo/filter/connection_filter.h"
#include "echo/filter/filter_parser.h"
#include "echo/filter/order_by.h"

namespace echod {
namespace {

void CheckError(const absl::Status& status, absl::string_view field) {
  ECHOD_CHECK(absl::IsInvalidArgument(status));
  ECHOD_CHECK(GetErrorDetail(status).field == field);
}

void CheckFilter(absl::string_view text) {
  const auto filter = ParseFilter(text);
  const auto compiled = ConnectionFilter::Compile(text);
  ECHOD_CHECK(filter.ok() == compiled.ok());
  if (!filter.ok()) {
    CheckError(filter.status(), "filter");
    ECHOD_CHECK(text.size() > kLongestFilter ||
                absl::StartsWith(filter.status().message(), "column "));
    return;
  }
  const std::string printed = PrintFilter(*filter);
  ECHOD_CHECK(printed == (*compiled)->text());
  ECHOD_CHECK((*compiled)->cost() > 0);
  if (printed.size() > kLongestFilter) return;
  const auto again = ParseFilter(printed);
  ECHOD_CHECK(again.ok());
  ECHOD_CHECK(PrintFilter(*again) == printed);
}

void CheckOrderBy(absl::string_view text) {
  const auto order = ParseOrderBy(text);
  if (!order.ok()) return CheckError(order.status(), "order_by");
  const auto again = ParseOrderBy(PrintOrderBy(*order));
  ECHOD_CHECK(again.ok() && *again == *order);
}

}  // namespace
}  // namespace echod

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  echod::CheckFilter(text);
  echod::CheckOrderBy(text);
  return 0;
}

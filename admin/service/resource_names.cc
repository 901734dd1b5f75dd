// SPDX-License-Identifier: Apache-2.0

#include "admin/service/resource_names.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "echo/control/control_error.h"

namespace echod {
namespace {

constexpr absl::string_view kListeners = "listeners/";
constexpr absl::string_view kConnections = "connections/";

bool IsDigits(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c));
  });
}

}  // namespace

std::string ListenerName(absl::string_view id) {
  return absl::StrCat(kListeners, id);
}

absl::StatusOr<std::string> ParseListenerName(absl::string_view name,
                                              absl::string_view field) {
  absl::string_view id = name;
  if (!absl::ConsumePrefix(&id, kListeners) || id.empty() ||
      id.find('/') != absl::string_view::npos) {
    return InvalidFieldError(
        field, absl::StrCat("'", name,
                            "' is not the name of a listener; write "
                            "listeners/{id}, such as listeners/default"));
  }
  return std::string(id);
}

std::string ConnectionName(std::uint64_t number) {
  return absl::StrCat(kConnections, number);
}

absl::StatusOr<std::uint64_t> ParseConnectionName(absl::string_view name,
                                                  absl::string_view field) {
  absl::string_view text = name;
  std::uint64_t number = 0;
  if (!absl::ConsumePrefix(&text, kConnections) || !IsDigits(text) ||
      !absl::SimpleAtoi(text, &number) || ConnectionName(number) != name) {
    return InvalidFieldError(
        field, absl::StrCat("'", name,
                            "' is not the name of a connection; write "
                            "connections/{number}, such as connections/7"));
  }
  return number;
}

}  // namespace echod

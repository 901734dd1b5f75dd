// SPDX-License-Identifier: Apache-2.0

#include "echo/config/running_config.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "echo/base/listen_address.h"
#include "echo/base/named_values.h"
#include "echo/config/config_file.h"
#include "echo/control/settings_table.h"

namespace echod {
namespace {

// Whether YAML reads the text as it stands.
bool IsPlain(absl::string_view text) {
  return !text.empty() && (absl::ascii_isalnum(text[0]) || text[0] == '/') &&
         !absl::EqualsIgnoreCase(text, "null") &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-' ||
                  c == '/';
         });
}

// The character at the begin of `text`, and its length. U+FFFD and one byte if
// there is none.
struct Character {
  std::uint32_t value = 0xFFFD;
  std::size_t length = 1;
};

Character FirstOf(absl::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const std::uint32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xF0 && first < 0xF8   ? 4
                             : first >= 0xE0 && first < 0xF0 ? 3
                             : first >= 0xC2 && first < 0xE0 ? 2
                                                             : 0;
  if (length == 0) return {};
  std::uint32_t value = first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return {};
    value = (value << 6U) | (byte(i) & 0x3FU);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xD800 && value < 0xE000;
  if (value < kLeast[length] || value > 0x10FFFF || surrogate) return {};
  return {value, length};
}

std::string Quoted(absl::string_view text) {
  std::string quoted = "\"";
  while (!text.empty()) {
    const Character next = FirstOf(text);
    if (next.value == '"' || next.value == '\\') {
      absl::StrAppend(&quoted, "\\", text.substr(0, 1));
    } else if (next.value >= ' ' && next.value < 0x7F) {
      quoted.push_back(text[0]);
    } else {
      absl::StrAppendFormat(&quoted, "\\U%08X", next.value);
    }
    text.remove_prefix(next.length);
  }
  quoted.push_back('"');
  return quoted;
}

std::string ValueText(absl::string_view text) {
  return IsPlain(text) ? std::string(text) : Quoted(text);
}

}  // namespace

std::string RunningConfigText(const std::map<std::string, std::string>& flags,
                              const std::vector<ListenerInfo>& listeners) {
  std::string text;
  for (const auto& [name, value] : flags) {
    if (IsCommandLineOnly(name) || name == kListenFlag) continue;
    absl::StrAppend(&text, name, ": ", ValueText(value), "\n");
  }
  std::string list;
  for (const ListenerInfo& listener : listeners) {
    if (listener.state == ListenerInfo::State::kDraining) continue;
    absl::StrAppend(&list, "  - name: ", listener.id,
                    "\n    address: ", ValueText(listener.address), "\n");
    if (!IsUnixAddress(listener.address)) {
      absl::StrAppend(&list, "    port: ", listener.port, "\n");
    }
    if (listener.state != ListenerInfo::State::kActive) {
      absl::StrAppend(&list, "    ", kStateField, ": ",
                      NameOf(kListenerStates, listener.state), "\n");
    }
    for (const Setting& setting : SettingsTable()) {
      absl::StrAppend(&list, "    ", setting.name, ": ",
                      ValueText(SettingText(setting, listener.settings)), "\n");
    }
  }
  absl::StrAppend(&text, kListenersField, list.empty() ? ": []\n" : ":\n",
                  list);
  return text;
}

}  // namespace echod

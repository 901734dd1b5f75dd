// SPDX-License-Identifier: Apache-2.0

// Settings to and from protobuf, and whether the API's definition and its guide
// say of each setting what the settings table says.

#include "admin/service/setting_conversion.h"

#include <google/protobuf/descriptor.h>

#include <cstddef>
#include <fstream>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "echo/base/named_values.h"
#include "echo/control/close_reason.h"
#include "echo/control/echo_mode.h"
#include "echo/control/listener_settings.h"
#include "echo/control/settings_table.h"
#include "echo/control/settings_update.h"
#include "echo/testing/unusual_settings.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

using admin::v1::Listener;

constexpr char kProtoFile[] = "proto/echod/admin/v1/admin.proto";

ListenerSettings FromProto(const Listener& listener) {
  SettingsUpdate update;
  for (const Setting& setting : SettingsTable()) {
    EXPECT_TRUE(HasSetting(setting, listener)) << setting.name;
    EXPECT_TRUE(SettingFromProto(setting, listener, update).ok())
        << setting.name;
  }
  return update.ApplyTo({});
}

TEST(SettingConversionTest, EverySettingGoesToProtoAndBack) {
  for (const ListenerSettings& settings :
       {ListenerSettings(), UnusualSettings()}) {
    Listener listener;
    SettingsToProto(settings, listener);
    EXPECT_EQ(FromProto(listener), settings) << listener.DebugString();
  }
}

TEST(SettingConversionTest, EveryModeGoesToProtoAndBack) {
  std::set<std::string> names = {"MODE_UNSPECIFIED"};
  for (const EchoModeRow& mode : kEchoModes) {
    Listener listener;
    SettingsToProto({.mode = mode.value}, listener);
    EXPECT_EQ(FromProto(listener).mode, mode.value);
    names.insert(Listener::Mode_Name(listener.mode()));
  }
  const auto& type = *Listener::Mode_descriptor();
  for (int i = 0; i < type.value_count(); ++i) {
    EXPECT_EQ(names.count(std::string(type.value(i)->name())), 1u)
        << type.value(i)->name() << " is no EchoMode";
  }
}

// Text with every run of white space as one space.
std::string Unwrapped(absl::string_view text) {
  std::string unwrapped(text);
  absl::RemoveExtraAsciiWhitespace(&unwrapped);
  return unwrapped;
}

// The comment above `field` of `message` in admin.proto, as one line.
std::string CommentOf(absl::string_view message, absl::string_view field) {
  std::ifstream file(kProtoFile);
  std::string comment;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    absl::string_view text = absl::StripAsciiWhitespace(line);
    if (absl::StartsWith(line, "message ")) {
      inside = line == absl::StrCat("message ", message, " {");
    }
    if (!inside) continue;
    if (absl::ConsumePrefix(&text, "//")) {
      absl::StrAppend(&comment, text, "\n");
    } else if (absl::StrContains(text, absl::StrCat(" ", field, " = "))) {
      return Unwrapped(comment);
    } else {
      comment.clear();
    }
  }
  ADD_FAILURE() << kProtoFile << ": " << message << " has no field " << field;
  return "";
}

TEST(SettingConversionTest, TheProtoSaysWhatTheTableSays) {
  for (const Setting& setting : SettingsTable()) {
    const std::string comment = CommentOf("Listener", setting.name);
    EXPECT_TRUE(absl::StrContains(
        comment, absl::StrCat("Mutable; ", ChangeAppliesText(setting.applies))))
        << setting.name << ": " << comment;
    // An update that names the mode has to set it, so it has no default there.
    if (std::holds_alternative<ModeSetting>(setting.kind)) continue;
    EXPECT_TRUE(absl::StrContains(comment, SettingValues(setting)))
        << setting.name << ": " << comment
        << "\nlacks: " << SettingValues(setting);
  }
}

TEST(SettingConversionTest, EveryFieldThatIsMutableIsASetting) {
  std::set<std::string> mutable_fields = {"address", "port"};
  for (const Setting& setting : SettingsTable()) {
    mutable_fields.emplace(setting.name);
  }
  const auto& message = *Listener::descriptor();
  for (int i = 0; i < message.field_count(); ++i) {
    const std::string name(message.field(i)->name());
    EXPECT_EQ(absl::StrContains(CommentOf("Listener", name), "Mutable"),
              mutable_fields.count(name) == 1)
        << name;
  }
}

TEST(SettingConversionTest, TheGuideSaysWhatAChangeAppliesTo) {
  std::ifstream guide("docs/admin_api.md");
  std::set<std::string> said;
  for (std::string line; std::getline(guide, line);) {
    const std::vector<std::string> cells = absl::StrSplit(line, '|');
    if (cells.size() != 4) continue;
    for (const Setting& setting : SettingsTable()) {
      if (absl::StrContains(cells[1], absl::StrCat("`", setting.name, "`")) &&
          absl::StartsWith(absl::StripAsciiWhitespace(cells[2]),
                           ChangeAppliesText(setting.applies))) {
        said.emplace(setting.name);
      }
    }
  }
  for (const Setting& setting : SettingsTable()) {
    EXPECT_EQ(said.count(std::string(setting.name)), 1u) << setting.name;
  }
}

TEST(SettingConversionTest, TheProtoListsTheReasonsForAClose) {
  const std::string comment = CommentOf("Counters", "connections_closed_total");
  std::vector<std::string> listed;
  const std::vector<std::string> parts = absl::StrSplit(comment, '`');
  for (std::size_t i = 1; i < parts.size(); i += 2) listed.push_back(parts[i]);
  EXPECT_EQ(listed, NamesIn(kCloseReasons));
}

}  // namespace
}  // namespace echod

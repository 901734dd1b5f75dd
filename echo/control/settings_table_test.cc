// SPDX-License-Identifier: Apache-2.0

#include "echo/control/settings_table.h"

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <type_traits>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "echo/control/control_error.h"
#include "echo/control/echo_mode.h"
#include "echo/control/listener_settings.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

std::string BadField(const ListenerSettings& settings) {
  const absl::Status status = ValidateSettings(settings);
  if (!status.ok()) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  }
  return GetErrorDetail(status).field;
}

std::string Problem(const ListenerSettings& settings) {
  return std::string(ValidateSettings(settings).message());
}

// Initializes a member of any type.
struct Anything {
  template <typename T>
  operator T() const;  // NOLINT(google-explicit-constructor)
};

// How many members the aggregate T has.
template <typename T, typename... Members>
constexpr std::size_t MemberCount() {
  if constexpr (requires { T{Members{}..., Anything{}}; }) {
    return MemberCount<T, Members..., Anything>();
  } else {
    return sizeof...(Members);
  }
}

TEST(SettingsTableTest, EveryMemberOfTheSettingsHasItsRow) {
  std::set<std::string> names;
  std::size_t distinct = 0;
  for (const Setting& setting : SettingsTable()) {
    names.emplace(setting.name);
    if (&SettingOf(MemberOf(setting)) == &setting) ++distinct;
  }
  EXPECT_EQ(SettingsTable().size(), MemberCount<ListenerSettings>());
  EXPECT_EQ(distinct, SettingsTable().size());
  EXPECT_EQ(names.size(), SettingsTable().size());
}

TEST(SettingsTableTest, RowsAreNamedAsTheirMembers) {
  EXPECT_EQ(SettingOf(&ListenerSettings::mode).name, "mode");
  EXPECT_EQ(SettingOf(&ListenerSettings::max_connections).name,
            "max_connections");
  EXPECT_EQ(SettingOf(&ListenerSettings::max_connections_per_address).name,
            "max_connections_per_address");
  EXPECT_EQ(SettingOf(&ListenerSettings::max_line_bytes).name,
            "max_line_bytes");
  EXPECT_EQ(SettingOf(&ListenerSettings::max_buffered_bytes).name,
            "max_buffered_bytes");
  EXPECT_EQ(SettingOf(&ListenerSettings::idle_timeout).name, "idle_timeout");
  EXPECT_EQ(SettingOf(&ListenerSettings::max_connection_age).name,
            "max_connection_age");
  EXPECT_EQ(SettingOf(&ListenerSettings::write_stall_timeout).name,
            "write_stall_timeout");
  EXPECT_EQ(SettingOf(&ListenerSettings::backlog).name, "backlog");
}

TEST(SettingsTableTest, ZeroIsAValueWhereItStandsForSomething) {
  for (const Setting& setting : SettingsTable()) {
    std::visit(
        [&](const auto& kind) {
          if constexpr (!std::is_same_v<decltype(kind), const ModeSetting&>) {
            EXPECT_EQ(kind.least == decltype(kind.least){},
                      !setting.zero.empty())
                << setting.name;
          }
        },
        setting.kind);
  }
}

TEST(SettingsTableTest, TheDefaultsAreValid) {
  EXPECT_TRUE(ValidateSettings(ListenerSettings()).ok());
}

TEST(SettingsTableTest, NamesTheFieldThatIsOutOfBounds) {
  EXPECT_EQ(BadField({.max_connections = -1}), "max_connections");
  EXPECT_EQ(BadField({.max_connections_per_address = -1}),
            "max_connections_per_address");
  EXPECT_EQ(BadField({.max_line_bytes = 0}), "max_line_bytes");
  EXPECT_EQ(BadField({.max_line_bytes = 1}), "");
  EXPECT_EQ(BadField({.max_line_bytes = 16 * 1024 * 1024}), "");
  EXPECT_EQ(BadField({.max_line_bytes = 16 * 1024 * 1024 + 1}),
            "max_line_bytes");
  EXPECT_EQ(BadField({.max_buffered_bytes = 0}), "max_buffered_bytes");
  EXPECT_EQ(BadField({.max_buffered_bytes = (std::int64_t{1} << 30) + 1}),
            "max_buffered_bytes");
  EXPECT_EQ(BadField({.idle_timeout = -absl::Nanoseconds(1)}), "idle_timeout");
  EXPECT_EQ(BadField({.idle_timeout = absl::InfiniteDuration()}),
            "idle_timeout");
  EXPECT_EQ(BadField({.max_connection_age = -absl::Seconds(1)}),
            "max_connection_age");
  EXPECT_EQ(BadField({.write_stall_timeout = absl::Hours(24 * 366)}),
            "write_stall_timeout");
  EXPECT_EQ(BadField({.backlog = 0}), "backlog");
  EXPECT_EQ(BadField({.backlog = 65536}), "backlog");
}

TEST(SettingsTableTest, SaysWhatTheBoundsAre) {
  EXPECT_EQ(Problem({.max_line_bytes = 0}),
            "0 is out of bounds; max_line_bytes ranges from 1 to 16777216");
  EXPECT_EQ(Problem({.max_connections = -1}),
            "-1 is out of bounds; max_connections ranges from 0 (no limit) to "
            "100000000");
  EXPECT_EQ(
      Problem({.idle_timeout = -absl::Seconds(5)}),
      "-5s is out of bounds; idle_timeout ranges from 0 (never) to 8760h");
}

TEST(SettingsTableTest, DescribesASettingForPeople) {
  const ListenerSettings settings = {.mode = EchoMode::kRaw,
                                     .max_connections = 7,
                                     .idle_timeout = absl::Seconds(90)};
  const Setting& mode = SettingOf(&ListenerSettings::mode);
  EXPECT_EQ(SettingText(mode, settings), "raw");
  EXPECT_EQ(SettingValues(mode), "Default: line.");
  EXPECT_EQ(SettingHelp(mode),
            "line answers YOU SAID <line> to each line; raw sends every byte "
            "back (RFC 862).");
  const Setting& timeout = SettingOf(&ListenerSettings::idle_timeout);
  EXPECT_EQ(SettingText(timeout, settings), "1m30s");
  EXPECT_EQ(SettingValues(timeout), "Default: 0; from 0 (never) to 8760h.");
  EXPECT_EQ(SettingHelp(timeout), timeout.help);
  EXPECT_EQ(
      SettingText(SettingOf(&ListenerSettings::max_connections), settings),
      "7");
}

}  // namespace
}  // namespace echod

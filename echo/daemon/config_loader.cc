// SPDX-License-Identifier: Apache-2.0

#include "echo/daemon/config_loader.h"

#include <algorithm>
#include <cstddef>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "echo/base/log_text.h"
#include "echo/control/control_error.h"
#include "echo/control/listener_control.h"
#include "echo/control/settings_table.h"
#include "echo/server/listener_registry.h"

namespace echod {
namespace {

constexpr char kConfig[] = "config";

}  // namespace

ConfigLoader::ConfigLoader()
    : spec_({.name = "echod",
             .summary = "a TCP echo server with a gRPC admin service",
             .flags_file = kFlagsFile,
             .arguments = "",
             .more_flags = SettingFlags(settings_)}),
      flags_(FlagsOf(spec_)) {}

absl::StatusOr<DaemonConfig> ConfigLoader::Load() {
  const std::string name = Path();
  Mistakes mistakes;
  file_ = ConfigFile();
  if (!name.empty()) {
    text_ = ReadConfigText(name);
    if (!text_.ok()) {
      return absl::Status(
          text_.status().code(),
          absl::StrCat("flag --config: ", name, " ", text_.status().message()));
    }
    std::vector<std::string> flag_names;
    for (const auto& [flag, unused] : flags_) flag_names.push_back(flag);
    file_ = ParseConfigFile(*text_, flag_names, mistakes.file);
  }
  SetFlags(file_, mistakes);
  DaemonConfig config = CheckFlags(file_, mistakes);
  MergeListeners(file_, config, mistakes);
  const std::string listen(kListenFlag);
  config.listens_by_default = !IsGiven(listen) &&
                              file_.flags.count(listen) == 0 &&
                              !file_.listeners.has_value();
  if (mistakes.command_line.empty() && mistakes.file.empty()) return config;
  // What a user has written may contain newlines.
  for (std::string& each : mistakes.command_line) each = PrintableText(each);
  if (!mistakes.file.empty()) {
    mistakes.command_line.push_back(
        ProblemsText(name, std::move(mistakes.file)));
  }
  return absl::InvalidArgumentError(absl::StrJoin(mistakes.command_line, "\n"));
}

std::string ConfigLoader::Path() const {
  const auto path = given_.find(kConfig);
  return path == given_.end() ? "" : UserPath(path->second);
}

bool ConfigLoader::FileDiffers() const {
  return ReadConfigText(Path()) != text_;
}

void ConfigLoader::SetFlags(const ConfigFile& file, Mistakes& mistakes) {
  for (const auto& [name, flag] : flags_) {
    // Also what an earlier file has set.
    flag.set(flag.default_value).IgnoreError();
    const auto in_file = file.flags.find(name);
    if (in_file != file.flags.end()) {
      const ConfigFlag& value = in_file->second;
      const absl::Status set = flag.set(FlagText(name, value.text));
      if (!set.ok()) {
        mistakes.file.push_back(
            {.mark = value.mark,
             .field = name,
             .what = absl::StrCat("it cannot be '", value.text,
                                  "': ", set.message())});
        flag.set(flag.default_value).IgnoreError();
      }
    }
    // ParseCommandLine has accepted it.
    if (IsGiven(name)) flag.set(given_.at(name)).IgnoreError();
  }
}

DaemonConfig ConfigLoader::CheckFlags(const ConfigFile& file,
                                      Mistakes& mistakes) {
  std::set<std::string> wrong;
  while (true) {
    absl::StatusOr<DaemonConfig> config = ConfigFromFlags(settings_);
    if (config.ok()) return *std::move(config);
    // With its default in place of the wrong value, the check comes to others.
    const std::string name = GetErrorDetail(config.status()).field;
    const auto flag = flags_.find(name);
    const bool goes_on = flag != flags_.end() && wrong.insert(name).second;
    const auto in_file = file.flags.find(name);
    if (in_file == file.flags.end() || IsGiven(name)) {
      mistakes.command_line.emplace_back(config.status().message());
    } else {
      absl::string_view what = config.status().message();
      absl::ConsumePrefix(&what, absl::StrCat("flag --", name, ": "));
      mistakes.file.push_back({.mark = in_file->second.mark,
                               .field = name,
                               .what = std::string(what)});
    }
    if (!goes_on) return {};
    flag->second.set(flag->second.default_value).IgnoreError();
  }
}

void ConfigLoader::MergeListeners(const ConfigFile& file, DaemonConfig& config,
                                  Mistakes& mistakes) const {
  if (!file.listeners.has_value()) return;
  const std::vector<ListenerCreation> of_flags =
      std::exchange(config.listeners, {});
  for (const ConfigListener& listener : *file.listeners) {
    ListenerCreation creation = listener.creation;
    for (const Setting& setting : SettingsTable()) {
      const std::string name(setting.name);
      if (listener.settings.count(name) == 0 || IsGiven(name)) {
        CopySetting(setting, settings_, creation.settings);
      }
    }
    config.listeners.push_back(std::move(creation));
  }
  const std::string listen(kListenFlag);
  const auto in_file = file.flags.find(listen);
  if (IsGiven(listen) || in_file != file.flags.end()) {
    for (const ListenerCreation& wanted : of_flags) {
      const auto same = std::find_if(
          config.listeners.begin(), config.listeners.end(),
          [&](const ListenerCreation& each) { return each.id == wanted.id; });
      if (same == config.listeners.end()) {
        config.listeners.push_back(wanted);
      } else if (IsGiven(listen)) {
        same->address = wanted.address;
        same->port = wanted.port;
      } else {
        mistakes.file.push_back(
            {.mark = in_file->second.mark,
             .field = listen,
             .what = absl::StrCat("listeners has a listener ", wanted.id,
                                  ", too; leave one of them out")});
      }
    }
  } else {
    // Its default is not used.
    config.flags[listen] = "";
  }
  if (config.listeners.size() > ListenerRegistry::kMostListeners) {
    const std::size_t last =
        std::min(file.listeners->size(), ListenerRegistry::kMostListeners + 1);
    mistakes.file.push_back(
        {.mark = (*file.listeners)[last - 1].mark,
         .field = std::string(kListenersField),
         .what = absl::StrCat("there can be ", ListenerRegistry::kMostListeners,
                              " listeners; leave some out")});
  }
}

}  // namespace echod

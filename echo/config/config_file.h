// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONFIG_CONFIG_FILE_H_
#define ECHO_CONFIG_CONFIG_FILE_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "echo/config/config_problem.h"
#include "echo/control/listener_control.h"
#include "echo/control/listener_settings.h"

namespace echod {

// A flag in a configuration file.
struct ConfigFlag {
  std::string text;  // as on the command line
  ConfigMark mark;   // of the value
};

// A listener in a configuration file.
struct ConfigListener {
  // Checked; the fields that the file does not have are empty or have defaults.
  ListenerCreation creation;
  // The names of the settings that the file has, which `creation.settings`
  // holds.
  std::set<std::string> settings;
  std::string field;  // its path, such as `listeners[0]`
  ConfigMark mark;    // of its name, or of its begin
};

// The contents of a configuration file.
struct ConfigFile {
  std::map<std::string, ConfigFlag> flags;
  // Unset if the file does not have `listeners`; they may be none.
  std::optional<std::vector<ConfigListener>> listeners;
};

// The field of the list of listeners.
inline constexpr absl::string_view kListenersField = "listeners";

// The field for whether a listener accepts.
inline constexpr absl::string_view kStateField = "state";

// The flag for a listener's address.
inline constexpr absl::string_view kListenFlag = "listen";

// Whether the flag would have no effect in a file, which may not have it.
bool IsCommandLineOnly(absl::string_view flag);

// Reads the contents of a configuration file: flags, of which there are
// `flag_names`, and listeners with the fields of the API. Adds every mistake to
// `problems`; the result is then good for finding more mistakes only. Does not
// check the values of flags. Thread-safe.
ConfigFile ParseConfigFile(absl::string_view text,
                           const std::vector<std::string>& flag_names,
                           std::vector<ConfigProblem>& problems);

// The text of a flag or field as the command line would take it: the API's
// MODE_RAW is raw there, and STATE_PAUSED is paused.
std::string FlagText(absl::string_view name, absl::string_view text);

// Reads a file of no more than kMostYamlBytes. The status has a message for
// people if it cannot be read or is no regular file. May wait for the disk.
absl::StatusOr<std::string> ReadConfigText(const std::string& path);

}  // namespace echod

#endif  // ECHO_CONFIG_CONFIG_FILE_H_

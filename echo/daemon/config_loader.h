// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_DAEMON_CONFIG_LOADER_H_
#define ECHO_DAEMON_CONFIG_LOADER_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "echo/base/command_line.h"
#include "echo/config/config_file.h"
#include "echo/config/config_problem.h"
#include "echo/control/listener_settings.h"
#include "echo/daemon/flags.h"

namespace echod {

// Makes the configuration from the command line and the configuration file.
// What the command line says overrides the file, and the file overrides the
// defaults:
//
//   - A flag of the command line holds whatever the file says. A setting of
//     listeners then holds for every listener.
//   - A field of a listener overrides the flag of that name in the file.
//   - With `listeners` in the file, those are the listeners, and --listen,
//     where it is given, moves or adds those that it names.
//
// For one thread at a time, since it sets absl's flags.
class ConfigLoader {
 public:
  ConfigLoader();
  ConfigLoader(const ConfigLoader&) = delete;
  ConfigLoader& operator=(const ConfigLoader&) = delete;

  // For ParseCommandLine, whose result SetCommandLine gets.
  const ProgramSpec& spec() const { return spec_; }
  void SetCommandLine(const CommandLine& line) { given_ = line.given; }

  // Reads the file, if --config names one. An error has a line for each
  // mistake. May wait for the disk.
  absl::StatusOr<DaemonConfig> Load();

  // What the last Load has read.
  const ConfigFile& file() const { return file_; }

  // Whether the file has other contents than at the last Load, or can be read
  // by now, or no longer. May wait for the disk.
  bool FileDiffers() const;

 private:
  // The mistakes of one Load.
  struct Mistakes {
    std::vector<std::string> command_line;
    std::vector<ConfigProblem> file;
  };

  // Sets the flags to what the file and the command line say.
  void SetFlags(const ConfigFile& file, Mistakes& mistakes);
  // Checks all flags together.
  DaemonConfig CheckFlags(const ConfigFile& file, Mistakes& mistakes);
  // Adds the listeners of the file to those of the flags.
  void MergeListeners(const ConfigFile& file, DaemonConfig& config,
                      Mistakes& mistakes) const;
  // The path in --config. Empty: none.
  std::string Path() const;
  bool IsGiven(const std::string& flag) const { return given_.count(flag) > 0; }

  ListenerSettings settings_;  // what the flags of the settings table set
  const ProgramSpec spec_;
  std::map<std::string, ProgramFlag> flags_;
  std::map<std::string, std::string> given_;
  absl::StatusOr<std::string> text_ = "";  // of the file at the last Load
  ConfigFile file_;
};

}  // namespace echod

#endif  // ECHO_DAEMON_CONFIG_LOADER_H_

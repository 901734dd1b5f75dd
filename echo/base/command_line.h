// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_COMMAND_LINE_H_
#define ECHO_BASE_COMMAND_LINE_H_

#include <functional>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/flags/marshalling.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "echo/base/version.h"

namespace echod {

// What to do after parsing the command line.
enum class CommandLineResult {
  kRun,     // the flags are set
  kAnswer,  // --help or --version: print `answer` and exit
};

struct CommandLine {
  CommandLineResult result = CommandLineResult::kRun;
  std::string answer;                        // for standard output
  std::vector<std::string> arguments;        // those that are not flags
  std::map<std::string, std::string> given;  // its flags, by name
};

// A flag that the program defines itself, for example from a table.
struct ProgramFlag {
  std::string name;
  std::string default_value;
  std::string help;
  // Sets the flag. An error says what is valid, as in `write a whole number`.
  std::function<absl::Status(absl::string_view text)> set;
  bool is_switch = false;  // --name without a value is --name=true
  // It may be given several times; the values are joined with commas.
  bool is_list = false;
};

// Describes a program's command line.
struct ProgramSpec {
  absl::string_view name;
  absl::string_view summary;  // one phrase, without a period
  // The program's flags are `more_flags`, and those absl flags that are defined
  // in this source file (a suffix of its path).
  absl::string_view flags_file;
  // What --version prints after the name: a line, or several.
  std::string version = kVersion;
  // The names of positional arguments, such as `host:port`. Empty: none.
  absl::string_view arguments;
  absl::string_view notes = "";  // shown at the end of --help
  std::vector<ProgramFlag> more_flags = {};
};

// The program's flags by name. Setting one is for one thread at a time.
std::map<std::string, ProgramFlag> FlagsOf(const ProgramSpec& program);

// Sets the program's flags from `argv`. Unlike absl::ParseCommandLine, which
// prints and exits, this returns an error with one line that says what is wrong
// and what to do: an unknown flag (with the most similar one), a value that
// does not parse, a repeated flag that is no list, an unexpected argument.
// Accepts only the program's own flags, --help and --version.
//
// Call once, at the start of main.
absl::StatusOr<CommandLine> ParseCommandLine(int argc, char** argv,
                                             const ProgramSpec& program);

// Describes valid values of type T, for an error.
template <typename T>
constexpr absl::string_view WhatToWrite() {
  if constexpr (std::is_same_v<T, absl::Duration>) {
    return "write a number and its unit, such as 30s or 5m";
  } else if constexpr (std::is_same_v<T, double>) {
    return "write a number";
  } else if constexpr (std::is_same_v<T, bool>) {
    return "write true or false";
  } else if constexpr (std::is_same_v<T, int>) {
    return "write a whole number below 2147483648";
  } else {
    return "write a whole number below 2^63";
  }
}

// Resolves a path from the command line. `bazel run` starts a program in
// another directory than the user's, which it passes in an environment
// variable.
std::string UserPath(const std::string& path);

// Reads `text` as absl's flags of this type do: an int, std::int64_t, double or
// absl::Duration. An error says what is valid.
template <typename T>
absl::Status ParseFlagText(absl::string_view text, T& value) {
  std::string error;
  if (absl::ParseFlag(text, &value, &error)) return absl::OkStatus();
  return absl::InvalidArgumentError(WhatToWrite<T>());
}

// The values of absl's flags defined in `flags_file`, as text, by name.
std::map<std::string, std::string> FlagValues(absl::string_view flags_file);

}  // namespace echod

#endif  // ECHO_BASE_COMMAND_LINE_H_

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

namespace echod {

// How to go on after the command line was read.
enum class CommandLineResult {
  kRun,     // the flags are set
  kAnswer,  // --help or --version: `answer` says it, and the program ends
};

struct CommandLine {
  CommandLineResult result = CommandLineResult::kRun;
  std::string answer;                  // for standard output
  std::vector<std::string> arguments;  // those that are no flags
};

// A flag of a program's own making, such as one that comes from a table.
struct ProgramFlag {
  std::string name;
  std::string default_value;
  std::string help;
  // Sets the flag. An error says what may be written instead, as in `write a
  // whole number`.
  std::function<absl::Status(absl::string_view text)> set;
};

// What a program's command line is like.
struct ProgramSpec {
  absl::string_view name;
  absl::string_view summary;  // what it is, without a full stop
  // Its flags are absl's that are defined in this source file (the end of its
  // path), and `more_flags`.
  absl::string_view flags_file;
  // Names for the arguments that it takes beside flags, such as `host:port`;
  // empty: none.
  absl::string_view arguments;
  absl::string_view notes = "";  // for the end of --help
  std::vector<ProgramFlag> more_flags = {};
};

// Sets the program's flags from `argv`. Where absl::ParseCommandLine would
// print and exit by itself, this says in one line what is wrong and what to do:
// an unknown flag (with the one that was probably meant), a value that does not
// parse, a flag that is given twice, an argument where none is taken. Only the
// program's own flags can be set, beside --help and --version.
//
// Once, at the start of main.
absl::StatusOr<CommandLine> ParseCommandLine(int argc, char** argv,
                                             const ProgramSpec& program);

// What may be written for a value of type T, for an error.
template <typename T>
constexpr absl::string_view WhatToWrite() {
  if constexpr (std::is_same_v<T, absl::Duration>) {
    return "write a number and its unit, such as 30s or 5m";
  } else if constexpr (std::is_same_v<T, double>) {
    return "write a number";
  } else if constexpr (std::is_same_v<T, int>) {
    return "write a whole number below 2147483648";
  } else {
    return "write a whole number below 2^63";
  }
}

// A path that the user has written: `bazel run` starts a program elsewhere than
// where its user stands, and tells where that is.
std::string UserPath(const std::string& path);

// Reads `text` as absl's flags of this type do: an int, std::int64_t, double or
// absl::Duration. An error says what may be written instead.
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

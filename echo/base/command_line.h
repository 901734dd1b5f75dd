// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_COMMAND_LINE_H_
#define ECHO_BASE_COMMAND_LINE_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

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

// What a program's command line is like.
struct ProgramSpec {
  absl::string_view name;
  absl::string_view summary;  // what it is, without a full stop
  // Its flags are those defined in this source file (the end of its path).
  absl::string_view flags_file;
  // Names for the arguments that it takes beside flags, such as `host:port`;
  // empty: none.
  absl::string_view arguments;
  absl::string_view notes = "";  // for the end of --help
};

// Sets the program's absl flags from `argv`. Where absl::ParseCommandLine would
// print and exit by itself, this says in one line what is wrong and what to do:
// an unknown flag (with the one that was probably meant), a value that does not
// parse, a flag that is given twice, an argument where none is taken. Only the
// program's own flags can be set, beside --help and --version.
//
// Once, at the start of main.
absl::StatusOr<CommandLine> ParseCommandLine(int argc, char** argv,
                                             const ProgramSpec& program);

// A path that the user has written: `bazel run` starts a program elsewhere than
// where its user stands, and tells where that is.
std::string UserPath(const std::string& path);

// The values of the flags defined in `flags_file`, as text, by name.
std::map<std::string, std::string> FlagValues(absl::string_view flags_file);

}  // namespace echod

#endif  // ECHO_BASE_COMMAND_LINE_H_

#ifndef ECHO_DAEMON_COMMAND_LINE_H_
#define ECHO_DAEMON_COMMAND_LINE_H_

#include <map>
#include <string>

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
  std::string answer;  // for standard output
};

// Sets the program's absl flags from `argv`. Where absl::ParseCommandLine would
// print and exit by itself, this says in one line what is wrong and what to do:
// an unknown flag (with the one that was probably meant), a value that does not
// parse, an argument that is no flag. Only flags defined in the source file
// `flags_file` (the end of its path) can be set, beside --help and --version.
//
// Once, at the start of main.
absl::StatusOr<CommandLine> ParseCommandLine(int argc, char** argv,
                                             absl::string_view flags_file);

// The values of the flags defined in `flags_file`, as text, by name.
std::map<std::string, std::string> FlagValues(absl::string_view flags_file);

}  // namespace echod

#endif  // ECHO_DAEMON_COMMAND_LINE_H_

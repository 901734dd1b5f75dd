// SPDX-License-Identifier: Apache-2.0

#include "echo/base/command_line.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "absl/flags/commandlineflag.h"
#include "absl/flags/reflection.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "echo/base/nearest_name.h"

namespace echod {
namespace {

using Flags = std::map<std::string, ProgramFlag>;

std::vector<absl::CommandLineFlag*> AbslFlags(absl::string_view flags_file) {
  std::vector<absl::CommandLineFlag*> flags;
  for (const auto& [name, flag] : absl::GetAllFlags()) {
    if (absl::EndsWith(flag->Filename(), flags_file)) flags.push_back(flag);
  }
  return flags;
}

absl::Status SetAbslFlag(absl::CommandLineFlag& flag, absl::string_view text) {
  std::string error;
  if (flag.ParseFrom(text, &error)) return absl::OkStatus();
  // absl's message repeats the value; the part about the type comes last.
  const std::size_t reason = error.rfind("; ");
  absl::string_view detail;
  if (reason != std::string::npos) {
    detail =
        absl::StripAsciiWhitespace(absl::string_view(error).substr(reason + 2));
  }
  if (detail.empty() && flag.IsOfType<absl::Duration>()) {
    detail = WhatToWrite<absl::Duration>();
  } else if (detail.empty() && flag.IsOfType<double>()) {
    detail = WhatToWrite<double>();
  } else if (detail.empty() && flag.IsOfType<bool>()) {
    detail = WhatToWrite<bool>();
  } else if (detail.empty() && flag.IsOfType<int>()) {
    detail = WhatToWrite<int>();
  } else if (detail.empty()) {
    detail = WhatToWrite<std::int64_t>();
  }
  return absl::InvalidArgumentError(detail);
}

absl::Status UnknownFlag(absl::string_view name, const Flags& flags) {
  std::vector<std::string> known;
  for (const auto& [each, flag] : flags) known.push_back(each);
  const std::string nearest = NearestName(name, known);
  return absl::InvalidArgumentError(
      nearest.empty()
          ? absl::StrCat("unknown flag --", name, "; --help lists all")
          : absl::StrCat("unknown flag --", name, "; did you mean --", nearest,
                         "? --help lists all"));
}

absl::Status SetFlag(absl::string_view name,
                     std::optional<absl::string_view> value,
                     const Flags& flags) {
  const auto found = flags.find(std::string(name));
  if (found == flags.end()) return UnknownFlag(name, flags);
  const ProgramFlag& flag = found->second;
  if (!value.has_value() && flag.is_switch) value = "true";
  if (!value.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "flag --", name, " has no value; write --", name, "=",
        flag.default_value.empty() ? "VALUE" : flag.default_value));
  }
  absl::Status set = flag.set(*value);
  if (set.ok()) return set;
  return absl::InvalidArgumentError(absl::StrCat(
      "flag --", name, " cannot be '", *value, "'", ": ", set.message(),
      "; the default is '", flag.default_value, "', and --help says more"));
}

// For a terminal of 80 columns.
constexpr std::size_t kHelpWidth = 80;

// `text` in lines of no more than kHelpWidth columns, which begin with
// `indent`, unless a single word is longer.
std::string Wrapped(absl::string_view text, absl::string_view indent) {
  std::string wrapped;
  for (const absl::string_view paragraph : absl::StrSplit(text, '\n')) {
    std::size_t column = 0;
    for (const absl::string_view word :
         absl::StrSplit(paragraph, ' ', absl::SkipEmpty())) {
      if (column > 0 && column + 1 + word.size() <= kHelpWidth) {
        absl::StrAppend(&wrapped, " ", word);
        column += 1 + word.size();
        continue;
      }
      absl::StrAppend(&wrapped, column > 0 ? "\n" : "", indent, word);
      column = indent.size() + word.size();
    }
    wrapped.push_back('\n');
  }
  return wrapped;
}

std::string HelpText(const ProgramSpec& program, const Flags& flags) {
  std::string text = absl::StrCat(
      program.name, ": ", program.summary, ".\n\nusage: ", program.name,
      " [--FLAG=VALUE]...", program.arguments.empty() ? "" : " ",
      program.arguments, "\n\n");
  for (const auto& [name, flag] : flags) {
    absl::StrAppend(&text, "  --", name, "=", flag.default_value, "\n",
                    Wrapped(flag.help, "      "));
  }
  absl::StrAppend(&text,
                  "  --help\n      Prints this.\n"
                  "  --version\n      Prints the version.\n");
  if (!program.notes.empty()) {
    absl::StrAppend(&text, "\n", Wrapped(program.notes, ""));
  }
  return text;
}

}  // namespace

std::map<std::string, ProgramFlag> FlagsOf(const ProgramSpec& program) {
  Flags flags;
  for (absl::CommandLineFlag* flag : AbslFlags(program.flags_file)) {
    flags[std::string(flag->Name())] = {
        .name = std::string(flag->Name()),
        .default_value = flag->DefaultValue(),
        .help = flag->Help(),
        .set =
            [flag](absl::string_view text) { return SetAbslFlag(*flag, text); },
        // Those that default to false are switches, whatever else they take.
        .is_switch = flag->DefaultValue() == "false" || flag->IsOfType<bool>(),
        .is_list = flag->IsOfType<std::vector<std::string>>()};
  }
  for (const ProgramFlag& flag : program.more_flags) flags[flag.name] = flag;
  return flags;
}

absl::StatusOr<CommandLine> ParseCommandLine(int argc, char** argv,
                                             const ProgramSpec& program) {
  const Flags flags = FlagsOf(program);
  CommandLine line;
  for (int i = 1; i < argc; ++i) {
    absl::string_view argument = argv[i];
    if (!absl::ConsumePrefix(&argument, "-")) {
      if (!program.arguments.empty()) {
        line.arguments.emplace_back(argument);
        continue;
      }
      return absl::InvalidArgumentError(
          absl::StrCat("unexpected argument '", argument,
                       "'; write flags as --FLAG=VALUE, --help lists them"));
    }
    absl::ConsumePrefix(&argument, "-");
    const std::size_t equals = argument.find('=');
    const absl::string_view name = argument.substr(0, equals);
    if (name == "help" || name == "h") {
      return CommandLine{.result = CommandLineResult::kAnswer,
                         .answer = HelpText(program, flags)};
    }
    if (name == "version") {
      return CommandLine{
          .result = CommandLineResult::kAnswer,
          .answer = absl::StrCat(program.name, " ", program.version, "\n")};
    }
    std::optional<absl::string_view> value;
    if (equals != absl::string_view::npos) {
      value = argument.substr(equals + 1);
    } else if (const auto found = flags.find(std::string(name));
               found != flags.end() && !found->second.is_switch &&
               i + 1 < argc && !absl::StartsWith(argv[i + 1], "--")) {
      value = argv[++i];  // --flag value
    }
    if (absl::Status set = SetFlag(name, value, flags); !set.ok()) return set;
    const auto [given, first] =
        line.given.emplace(name, value.value_or("true"));
    if (first) continue;
    if (!flags.at(given->first).is_list) {
      return absl::InvalidArgumentError(absl::StrCat(
          "flag --", name, " is given twice; leave one of them out"));
    }
    absl::StrAppend(&given->second, ",", *value);
    if (absl::Status set = SetFlag(name, given->second, flags); !set.ok()) {
      return set;
    }
  }
  return line;
}

std::string UserPath(const std::string& path) {
  const char* const folder = std::getenv("BUILD_WORKING_DIRECTORY");
  if (path.empty() || folder == nullptr) return path;
  return std::filesystem::path(folder) / path;  // an absolute path is unchanged
}

std::map<std::string, std::string> FlagValues(absl::string_view flags_file) {
  std::map<std::string, std::string> values;
  for (const absl::CommandLineFlag* flag : AbslFlags(flags_file)) {
    values[std::string(flag->Name())] = flag->CurrentValue();
  }
  return values;
}

}  // namespace echod

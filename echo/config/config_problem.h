// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONFIG_CONFIG_PROBLEM_H_
#define ECHO_CONFIG_CONFIG_PROBLEM_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace echod {

// A position in a configuration file. Both count from 1; a column is a
// character. 0: none.
struct ConfigMark {
  int line = 0;
  int column = 0;
};

// A mistake in a configuration file. A plain value.
struct ConfigProblem {
  ConfigMark mark;
  std::string field;  // its path, such as `listeners[1].port`, or empty
  std::string what;   // what is wrong, and what to write
};

// The problem in one line, such as `echod.yaml:3:7: listeners[0].port: ...`.
// Thread-safe, as all here.
std::string ProblemText(absl::string_view file, const ConfigProblem& problem);

// The first fifty problems in the order of their positions, one in a line,
// without a newline at the end.
std::string ProblemsText(absl::string_view file,
                         std::vector<ConfigProblem> problems);

}  // namespace echod

#endif  // ECHO_CONFIG_CONFIG_PROBLEM_H_

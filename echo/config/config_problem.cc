// SPDX-License-Identifier: Apache-2.0

#include "echo/config/config_problem.h"

#include <algorithm>
#include <cstddef>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "echo/base/log_text.h"

namespace echod {
namespace {

constexpr std::size_t kMost = 50;

}  // namespace

std::string ProblemText(absl::string_view file, const ConfigProblem& problem) {
  std::string text(file);
  if (problem.mark.line > 0) {
    absl::StrAppend(&text, ":", problem.mark.line, ":", problem.mark.column);
  }
  if (!problem.field.empty()) absl::StrAppend(&text, ": ", problem.field);
  absl::StrAppend(&text, ": ", problem.what);
  return PrintableText(text);  // so that it is one line
}

std::string ProblemsText(absl::string_view file,
                         std::vector<ConfigProblem> problems) {
  std::stable_sort(problems.begin(), problems.end(),
                   [](const ConfigProblem& a, const ConfigProblem& b) {
                     return std::tie(a.mark.line, a.mark.column) <
                            std::tie(b.mark.line, b.mark.column);
                   });
  const std::size_t more = problems.size() - std::min(problems.size(), kMost);
  problems.resize(problems.size() - more);
  return absl::StrCat(
      absl::StrJoin(problems, "\n",
                    [&](std::string* text, const ConfigProblem& problem) {
                      text->append(ProblemText(file, problem));
                    }),
      more == 0 ? "" : absl::StrCat("\n", file, ": and ", more, " more"));
}

}  // namespace echod

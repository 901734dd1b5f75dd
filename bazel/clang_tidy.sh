#!/bin/bash
# clang_tidy.sh CONFIG REPORT SOURCE COMPILER FLAG...
#
# Checks SOURCE, and the project's headers that it includes, and writes REPORT.
# Prints the findings and fails if there are any.
set -uo pipefail

config=$1 report=$2 source=$3
shift 3

options=(--quiet "--config-file=$config")
# The analyzer explores paths that nothing has run yet. Tests run their own, under
# sanitizers, and exploring GoogleTest's macros takes a third of the time.
[[ $source == *_test.cc ]] && options+=('--checks=-clang-analyzer-*')

# Paths as in the source tree, not in the sandbox. Standard error counts what was
# suppressed in system headers, and says why where clang-tidy cannot run.
clang-tidy "${options[@]}" "$source" -- "$@" \
  -fno-color-diagnostics -Wno-unknown-warning-option 2>"$report.err" |
  sed "s|$PWD/||g" >"$report"
if ((PIPESTATUS[0])); then
  cat "$report" >&2
  [[ -s $report ]] || cat "$report.err" >&2
  exit 1
fi

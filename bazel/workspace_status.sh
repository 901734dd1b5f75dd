#!/usr/bin/env bash
# Tells Bazel which commit this tree is (workspace_status_command). Only what
# //bazel:build_stamp.bzl reads; nothing about the user, the machine or the time.
#
# A tree without git, such as an unpacked tarball, is `unknown`. SOURCE_DATE_EPOCH
# (https://reproducible-builds.org) gives it a time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

commit=unknown
time=${SOURCE_DATE_EPOCH:-unknown}
tag=
# A tarball may have been unpacked inside the repository of another project.
if top=$(git rev-parse --show-toplevel 2>/dev/null) && [ "$top" = "$(pwd -P)" ] &&
  head=$(git rev-parse --verify --quiet HEAD); then
  commit=$head
  time=$(git show --no-patch --no-show-signature --format=%ct HEAD)
  tag=$(git tag --points-at HEAD --list 'v[0-9]*' | tr '\n' ' ')
  # Untracked files count, too: globs may compile them.
  changes=$(git --no-optional-locks status --porcelain)
  [ -z "$changes" ] || commit+=-dirty
fi

printf 'STABLE_ECHOD_COMMIT %s\n' "$commit"
printf 'STABLE_ECHOD_COMMIT_TIME %s\n' "$time"
printf 'STABLE_ECHOD_TAGS %s\n' "$tag"

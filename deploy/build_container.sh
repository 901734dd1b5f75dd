#!/usr/bin/env bash
# Builds the image with deploy/Containerfile, and labels it with what the program in it
# says of itself, for people without Bazel. Needs podman.
#
#   deploy/build_container.sh [OPTION OF podman build]...
#
# The image has the name of that of `bazel build //deploy:image`, which is the one that
# Kubernetes looks up: docker.io/library/echod:0.1.0.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scratch=$(mktemp -d)
container=
clean_up() {
  [ -z "$container" ] || podman rm "$container" >/dev/null || true
  rm -rf "$scratch"
}
trap clean_up EXIT

runtime=()
if command -v runc >/dev/null; then runtime=(--runtime runc); fi
release=$(sed -n 's/.* kVersion\[\] = "\(.*\)";/\1/p' echo/base/version.h)

build() {
  # The format of OCI has no HEALTHCHECK.
  podman "${runtime[@]}" build --format docker --iidfile "$scratch/id" "$@"
}

build --file deploy/Containerfile "$@" .
container=$(podman create "$(<"$scratch/id")")
podman cp "$container:/echod" "$scratch/echod"
said=$("$scratch/echod" --version)
# The commit, as a Software Heritage identifier; of none with changes.
source=$(sed -nE 's/^commit: ([0-9a-f]{40})$/swh:1:rev:\1/p' <<<"$said")
field() { sed -n "s/^$1: //p" <<<"$said"; }
# A build caches labels without regard to the arguments in them, so they come last.
{
  printf 'FROM %s\n' "$(<"$scratch/id")"
  printf 'LABEL org.opencontainers.image.%s="%s"\n' \
    version "$(sed -n '1s/echod //p' <<<"$said")" revision "$(field commit)"
  if [ "$(field date)" != unknown ]; then
    printf 'LABEL org.opencontainers.image.created="%s"\n' "$(field date)"
  fi
  if [ -n "$source" ]; then
    printf 'LABEL org.opencontainers.image.source="%s"\n' "$source"
  fi
} >"$scratch/Containerfile"
build --tag "docker.io/library/echod:$release" --file "$scratch/Containerfile" "$scratch"
printf '%s\n' "$said"

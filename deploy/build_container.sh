#!/usr/bin/env bash
# Builds the image with deploy/Containerfile, and labels it with what the program in it
# says of itself, for people without Bazel. Needs podman.
#
#   deploy/build_container.sh [OPTION OF podman build]...
#
# The image is localhost/echod:0.1.0, or what --tag says. A second build with the labels
# uses the layers of the first.
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
  podman "${runtime[@]}" build --format docker --layers --file deploy/Containerfile \
    --tag "echod:$release" --iidfile "$scratch/id" "$@" .
}

build "$@"
container=$(podman create "$(<"$scratch/id")")
podman cp "$container:/echod" "$scratch/echod"
said=$("$scratch/echod" --version)
field() { sed -n "s/^$1: //p" <<<"$said"; }
labels=(--build-arg "VERSION=$(sed -n '1s/echod //p' <<<"$said")"
  --build-arg "REVISION=$(field commit)")
if [ "$(field date)" != unknown ]; then
  labels+=(--build-arg "CREATED=$(field date)")
fi
build "${labels[@]}" "$@"
printf '%s\n' "$said"

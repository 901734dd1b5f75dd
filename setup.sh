#!/bin/bash
# Prepares this machine to build echod: installs missing packages and writes
# .bazelrc.distro. Asks no questions, and does nothing if everything is installed.
#
# Installs on Debian 12, 13 and testing, as root or with passwordless sudo. On
# other systems it only reports what is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly PACKAGES=(
  # The build
  bazel-bootstrap bazel-platforms bazel-rules-java bazel-rules-proto bazel-skylib
  g++ pkg-config
  # Libraries and code generators
  libabsl-dev libbenchmark-dev libevent-dev libgmock-dev libgrpc++-dev libgtest-dev
  libprotobuf-dev libspdlog-dev libyaml-dev libzstd-dev nlohmann-json3-dev
  prometheus-cpp-dev
  protobuf-compiler protobuf-compiler-grpc
  # The container image and the tests
  git python3 python3-debian python3-yaml umoci
)

# Bazel 7 no longer includes these rules.
readonly BAZEL7_PACKAGES=(
  bazel-rules-cc bazel-rules-license bazel-rules-python bazel-rules-shell
)

say() { printf 'setup.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# Prints the packages for this distribution; fails on unsupported ones.
packages() {
  local ID='' VERSION_ID=''
  # shellcheck source=/dev/null
  [[ -r /etc/os-release ]] && . /etc/os-release
  [[ "${ID}" == debian ]] || return 1
  case "${VERSION_ID:-testing}" in
    12 | 13) printf '%s\n' "${PACKAGES[@]}" ;;
    testing | 14) printf '%s\n' "${PACKAGES[@]}" "${BAZEL7_PACKAGES[@]}" ;;
    *) return 1 ;;
  esac
}

# Prints the given packages that are not installed.
not_installed() {
  # Uses comm, because dpkg-query does not report unknown packages.
  comm -23 <(printf '%s\n' "$@" | sort) <(
    dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
      sed -n 's/^installed //p' | sort -u
  )
}

install_packages() {
  local missing
  mapfile -t missing < <(not_installed "$@")
  ((${#missing[@]})) || return 0
  say "installing ${missing[*]}"
  local as_root=()
  if ((EUID != 0)); then
    sudo -n true 2>/dev/null ||
      die "root is needed to install packages: run 'sudo ./setup.sh'"
    as_root=(sudo -n)
  fi
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive
    apt-get -qq --yes -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0)
  "${apt[@]}" update || die "apt-get update failed"
  "${apt[@]}" install --no-install-recommends "${missing[@]}" ||
    die "apt-get could not install ${missing[*]}"
}

# Prints what is missing for the build, on any distribution.
missing_parts() {
  local part
  for part in bazel g++ pkg-config protoc grpc_cpp_plugin python3 umoci; do
    command -v "${part}" >/dev/null || echo "the program ${part}"
  done
  for part in absl_any_invocable absl_status benchmark gmock gtest grpc++ \
    libevent_core libevent_extra libzstd nlohmann_json prometheus-cpp-core protobuf \
    spdlog yaml-0.1; do
    pkg-config --exists "${part}" 2>/dev/null ||
      echo "the development files of ${part} (as seen by pkg-config)"
  done
  python3 -c 'import yaml' 2>/dev/null || echo "the Python module yaml"
  /usr/bin/python3 -c 'import debian.copyright' 2>/dev/null ||
    echo "the Python module debian (for /usr/bin/python3)"
  for part in grpcpp/ext/{channelz_service_plugin,proto_server_reflection_plugin}.h; do
    [[ -e "/usr/include/${part}" ]] || echo "the header /usr/include/${part}"
  done
  local rules=(rules/java rules/proto tools/skylib)
  if bazel_is_7; then
    rules+=(rules/cc rules/license rules/python rules/shell)
  fi
  for part in "${rules[@]}"; do
    [[ -d "/usr/share/bazel/${part}" ]] || echo "the Bazel rules /usr/share/bazel/${part}"
  done
}

# Debian's Bazel 4.2.3 reports "no_version".
bazel_is_7() { [[ "$(bazel --version 2>/dev/null)" == 'bazel '[7-9]* ]]; }

# Changes with the libraries, so that Bazel runs pkg-config again.
libraries_fingerprint() {
  {
    pkg-config --modversion benchmark gmock grpc++ libevent_core nlohmann_json \
      prometheus-cpp-core protobuf spdlog yaml-0.1 absl_base
    dpkg-query -W -f='${Package} ${Version}\n' "${PACKAGES[@]}" 2>/dev/null || true
  } | cksum | cut -d' ' -f1
}

# Prints the newest clang, which only --config=clang needs.
newest_clang() { compgen -c clang | grep -E '^clang(-[0-9]+)?$' | sort -V | tail -n 1; }

write_bazelrc() {
  local new clang
  new="$(
    echo '# Written by setup.sh for the Bazel and libraries of this machine.'
    if bazel_is_7; then
      echo 'common --noenable_bzlmod --enable_workspace'
    fi
    # These checks make gcc reject constant expressions in newer Abseil.
    if pkg-config --atleast-version=20240000 absl_base; then
      echo 'build:ubsan --copt=-fno-sanitize=nonnull-attribute,null,returns-nonnull-attribute'
    fi
    if clang="$(newest_clang)"; then
      echo "build:clang --repo_env=CC=${clang}"
    fi
    echo "common --repo_env=ECHOD_SYSTEM_LIBRARIES=$(libraries_fingerprint)"
  )"
  [[ -e .bazelrc.distro && "$(<.bazelrc.distro)" == "${new}" ]] && return
  printf '%s\n' "${new}" >.bazelrc.distro
  # Under sudo, the file belongs to the caller.
  if [[ -n "${SUDO_UID:-}" ]]; then
    chown "${SUDO_UID}:${SUDO_GID:-0}" .bazelrc.distro
  fi
}

main() {
  local wanted missing
  if wanted="$(packages)"; then
    mapfile -t wanted <<<"${wanted}"
    install_packages "${wanted[@]}"
  fi
  mapfile -t missing < <(missing_parts)
  if ((${#missing[@]})); then
    say "the build of echod needs the following; setup.sh installs it only on Debian 12, 13 and testing"
    printf '  %s\n' "${missing[@]}" >&2
    exit 1
  fi
  write_bazelrc
  say "ready; next: bazel run //:echod, or bazel test //..."
}

main "$@"

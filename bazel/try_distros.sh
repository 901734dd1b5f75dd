#!/bin/bash
# Runs setup.sh, the build and the tests on fresh Debian 12, 13 and testing. Prints
# PASS or FAIL for each, and writes a log. Run it by hand, as root; each takes about
# 3 GB and a few minutes to download and build.
#
#   bazel/try_distros.sh [FOLDER [SUITE...]]
#
# A FOLDER is kept and reused by the next run. Without one, the script uses a
# temporary folder.
set -euo pipefail

SOURCE="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
readonly SOURCE

# --- Inside mount and PID namespaces, which end with this script --------------
if [[ "${1:-}" == --inside ]]; then
  root="$2"
  mount --bind "${root}" "${root}"
  mount -t proc proc "${root}/proc"
  mount --rbind /sys "${root}/sys"
  mount --rbind /dev "${root}/dev"
  # Only the host's proxies from its environment.
  proxies=()
  for name in http_proxy https_proxy no_proxy; do
    [[ -n "${!name:-}" ]] && proxies+=("${name}=${!name}")
  done
  # shellcheck disable=SC2016
  exec chroot "${root}" env -i HOME=/root LC_ALL=C.UTF-8 \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    ${proxies[@]+"${proxies[@]}"} bash -euxc '
      cd /src
      ./setup.sh
      bazel build //...
      bazel test //...
      # The second run must do nothing, and fetch nothing.
      ./setup.sh
    ' </dev/null
fi

die() { printf 'try_distros.sh: %s\n' "$*" >&2; exit 1; }
((EUID == 0)) || die "needs root, for debootstrap and chroot"
for program in debootstrap git unshare; do
  command -v "${program}" >/dev/null || die "needs ${program}"
done

if (($#)); then
  folder="$(realpath -m "$1")"
  shift
  mkdir -p "${folder}"
else
  folder="$(mktemp -d)"
  trap 'rm -rf --one-file-system "${folder}"' EXIT
fi
(($#)) || set -- bookworm trixie testing

# The host's mirror, or debootstrap's default.
# shellcheck disable=SC2016
mirror="$(apt-get indextargets --format '$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
  sed -n 's/^Debian|//p' | head -n 1 || true)"

try() {
  local suite="$1" root="${folder}/$1"
  if [[ ! -e "${root}/.ready" ]]; then
    rm -rf --one-file-system "${root}"
    debootstrap --variant=minbase --include=ca-certificates "${suite}" "${root}" ${mirror:+"${mirror}"}
    touch "${root}/.ready"
  fi
  # Use the host's DNS and apt proxy.
  cp --dereference /etc/resolv.conf "${root}/etc/resolv.conf"
  apt-config dump | grep -E '^Acquire::(Check-|[^ ]*[Pp]roxy)' >"${root}/etc/apt/apt.conf.d/90host" || true
  rm -rf "${root}/src"
  mkdir "${root}/src"
  git -C "${SOURCE}" ls-files -z --cached --others --exclude-standard |
    tar -C "${SOURCE}" --null --ignore-failed-read -T - -c |
    tar -C "${root}/src" --no-same-owner -x
  unshare --mount --propagation private --pid --fork --kill-child \
    "${SOURCE}/bazel/try_distros.sh" --inside "${root}"
}

failed=0
for suite; do
  log="${folder}/${suite}.log"
  # Not "if try", which would disable errexit inside.
  set +e
  (set -e; try "${suite}") >"${log}" 2>&1
  result=$?
  set -e
  if ((result == 0)); then
    echo "PASS ${suite}"
  else
    failed=1
    echo "FAIL ${suite}; the end of its log:"
    tail -n 25 "${log}" | sed 's/^/  /'
  fi
done
exit "${failed}"

#!/bin/bash
# Tries the documented way (setup.sh, build, test) on fresh Debian 12, 13 and
# testing: a line PASS or FAIL each, and a log. By hand, as root; about 3 GB and
# a few minutes of download and build each.
#
#   bazel/try_distros.sh [FOLDER [SUITE...]]
#
# A FOLDER is kept, and what is installed there is used again the next time;
# without one all happens in a temporary folder.
set -euo pipefail

SOURCE="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
readonly SOURCE

# --- Inside a namespace of mounts and processes, both gone when this ends -----
if [[ "${1:-}" == --inside ]]; then
  root="$2"
  mount --bind "${root}" "${root}"
  mount -t proc proc "${root}/proc"
  mount --rbind /sys "${root}/sys"
  mount --rbind /dev "${root}/dev"
  # The host's proxies; nothing else of its environment.
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
      # A second time there is nothing to do, and nothing is fetched.
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

# The host's mirror, else debootstrap's own choice.
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
  # As the host resolves names and reaches the archive.
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
  # Not "if try": that would switch off errexit inside.
  set +e
  (set -e; try "${suite}") >"${log}" 2>&1
  result=$?
  set -e
  if ((result == 0)); then
    echo "PASS ${suite}"
  else
    failed=1
    echo "FAIL ${suite}, at the end of its log:"
    tail -n 25 "${log}" | sed 's/^/  /'
  fi
done
exit "${failed}"

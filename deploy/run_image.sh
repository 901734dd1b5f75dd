#!/usr/bin/env bash
# Tests the container image in podman: loads it, runs it as recommended, talks to both
# planes and has its health checked, stops it with SIGTERM, and checks the exit status.
# Run it after `bazel build //deploy:image`; it takes about ten seconds.
#
#   deploy/run_image.sh [IMAGE_TAR]
#
# Needs podman and grpcurl (.ci/install_tools installs them). Exits with 75 where podman
# cannot run containers. Uses runc if available, because crun does not support hybrid
# cgroups.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
archive=${1:-$here/bazel-bin/deploy/image.tar}
PATH=$PATH:$here/.cache/tools/bin

say() { printf '\n== %s\n' "$*"; }
die() {
  printf 'run_image.sh: %s\n' "$*" >&2
  exit 1
}

cannot() { # nobody's fault: see .ci/run
  printf 'run_image.sh: %s\n' "$*" >&2
  exit 75
}

containers=()
image=
clean_up() {
  local id
  for id in "${containers[@]}"; do
    timeout 30 podman rm --force --time 0 "$id" >/dev/null || true
  done
  # Only if this script loaded it.
  [ -z "$image" ] || timeout 30 podman rmi "$image" >/dev/null || true
}
trap clean_up EXIT

command -v podman >/dev/null || cannot 'there is no podman: apt-get install podman'
podman info >/dev/null || cannot 'podman does not work here, see above'
command -v grpcurl >/dev/null || die 'needs grpcurl'
[ -r "$archive" ] || die "no $archive: bazel build //deploy:image"

# Limits at or below the host's, for hosts on which podman cannot raise them.
options=(--read-only --user 65532:65532 --cap-drop ALL
  --security-opt no-new-privileges --memory 512m --pids-limit 100
  --ulimit nofile=1024:1024 --ulimit nproc=1000:1000
  --publish 127.0.0.1::8080 --publish 127.0.0.1::9901
  --health-cmd '["/echod", "--check_health"]' --health-interval disable)
runtime=()
if command -v runc >/dev/null; then runtime=(--runtime runc); fi

run() { # FLAG...; sets id, echo_port, admin
  # In two steps, so that a container that cannot start is cleaned up, too.
  id=$(timeout 60 podman "${runtime[@]}" create "${options[@]}" "$name" "$@")
  containers+=("$id")
  timeout 60 podman "${runtime[@]}" start "$id" >/dev/null
  echo_port=$(podman port "$id" 8080/tcp | sed 's/.*://')
  admin=$(podman port "$id" 9901/tcp)
}

rpc() { # METHOD [REQUEST]
  timeout 5 grpcurl -plaintext -emit-defaults -d "${2:-{\}}" "$admin" "$1"
}

health_is() { # STATUS; within five seconds
  local _
  for _ in {1..50}; do
    if rpc grpc.health.v1.Health/Check 2>/dev/null | grep -q "\"$1\""; then
      return
    fi
    sleep 0.1
  done
  podman logs "$id" >&2
  die "the server is not $1"
}

echo_of() { # TEXT, over the connection on descriptor 3
  local reply
  printf '%s\n' "$1" >&3
  IFS= read -r -t 5 reply <&3 || die "no echo of $1"
  printf '%s\n' "$reply"
  [ "$reply" = "YOU SAID $1" ] || die "not the echo of $1"
}

stopped_with() { # STATUS
  local status
  status=$(timeout 20 podman wait "$id") || die "it does not stop"
  podman logs "$id" 2>&1 | tail -n 1
  printf 'exit status %s\n' "$status"
  [ "$status" = "$1" ] || die "the exit status is not $1"
}

say "load $archive"
before=$(podman images --quiet --no-trunc)
name=$(podman load --quiet --input "$archive" | sed -n 's/^Loaded image: //p')
[ -n "$name" ] || die "podman did not load it"
loaded=$(podman image inspect --format '{{.Id}}' "$name")
grep -q "$loaded" <<<"$before" || image=$loaded
podman image inspect --format '{{.Digest}} {{.Size}} bytes' "$name"

say 'what it is'
status=0
version=$(timeout 60 podman "${runtime[@]}" run --rm "${options[@]}" "$name" --version) ||
  status=$?
[ "$status" -ne 125 ] || cannot 'podman cannot run containers here, see above'
[ "$status" -eq 0 ] || die "--version: exit status $status"
printf '%s\n' "$version"
label() { podman image inspect --format "{{index .Labels \"org.opencontainers.image.$1\"}}" "$name"; }
[ "echod $(label version)" = "$(head -n 1 <<<"$version")" ] || die 'its label says another version'
grep -qx "commit: $(label revision)" <<<"$version" || die 'its label says another commit'

say "run $name, with the admin service open to the host's loopback"
run '--admin_address=[::]:9901' --drain_grace_period=4s --drain_timeout=5s
health_is SERVING
pid=$(podman inspect --format '{{.State.Pid}}' "$id")
grep -E '^(Name|Uid|NSpid|CapEff|NoNewPrivs|Seccomp):' "/proc/$pid/status"
grep -qE '^Uid:\s+65532\s+65532' "/proc/$pid/status" || die "not its user"
grep -qE '^CapEff:\s+0+$' "/proc/$pid/status" || die "it has capabilities"
grep -qE '^NSpid:.*\s1$' "/proc/$pid/status" || die "not process 1"
grep -qE ' / / ro[, ]' "/proc/$pid/mountinfo" || die "its root is writable"

say 'both planes'
exec 3<>"/dev/tcp/127.0.0.1/$echo_port"
echo_of 'hello world.'
rpc echod.admin.v1.AdminService/GetServer |
  grep -E '"(version|state|pid)"'
rpc echod.admin.v1.AdminService/GetStats >/dev/null
rpc echod.admin.v1.AdminService/ListConnections |
  grep -E '"(name|listener|worker|state)"'

say 'health checks, as podman and as people run them'
timeout 20 podman healthcheck run "$id" || die 'it is not healthy'
timeout 20 podman exec "$id" /echod --check_health

say 'SIGTERM: NOT_SERVING immediately, echo during the grace period, exit status 0'
podman kill --signal TERM "$id" >/dev/null
health_is NOT_SERVING
status=0
timeout 20 podman exec "$id" /echod --check_health || status=$?
[ "$status" -eq 1 ] || die "--check_health: exit status $status, not 1"
echo_of 'last words'
exec 3>&-
stopped_with 0

say 'run it without arguments: the admin service is on loopback only'
run
for _ in {1..50}; do
  if { exec 3<>"/dev/tcp/127.0.0.1/$echo_port"; } 2>/dev/null &&
    echo_of 'anyone there?'; then
    break
  fi
  sleep 0.1
done
if rpc grpc.health.v1.Health/Check >/dev/null 2>&1; then
  die 'the admin service answers'
fi
exec 3>&-
timeout 20 podman stop --time 10 "$id" >/dev/null
stopped_with 0

say 'all well'

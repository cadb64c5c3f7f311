#!/bin/bash
# Starts container engines for the tests, on Debian 12 as root, from a bare
# machine. Safe to run again: what answers already is left alone.
#
#   engines.sh [base]     Docker 20.10 and Podman 4.3 on their usual sockets
#   engines.sh trixie     Docker 26.1 and Podman 5.4 from a Debian 13 tree
#   engines.sh rootless   Podman 4.3 as an ordinary user
#   engines.sh registry   a plain HTTP registry on 127.0.0.1:5000, and one that
#                         the Debian 13 engines reach on 172.30.98.1:5000
#   engines.sh down       stops what this script started
#
# Several words may be given at once. common.sh says where the engines listen.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/common.sh
. "$here/common.sh"
# shellcheck source=scripts/trixie.sh
. "$here/trixie.sh"

ROOTLESS_USER=caisson-rootless

# background NAME COMMAND...: a daemon of ours with a log and a pid file. It
# must not stay here: conmon leaves files in the directory that it is started in.
background() {
  local name=$1
  shift
  (cd / && exec setsid "$@") >"$STATE/$name.log" 2>&1 </dev/null &
  echo $! >"$STATE/$name.pid"
}

# A machine without systemd has no cgroup file systems yet.
mount_cgroups() {
  mountpoint -q /sys/fs/cgroup && return
  mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
  local controller
  for controller in $(awk '$4 == 1 && !/^#/ {print $1}' /proc/cgroups); do
    mkdir "/sys/fs/cgroup/$controller"
    mount -t cgroup -o "$controller" cgroup "/sys/fs/cgroup/$controller" 2>/dev/null ||
      rmdir "/sys/fs/cgroup/$controller" # a controller that cgroup v2 holds
  done
}

# least LIMIT MOST: the smaller of the two; LIMIT may be "unlimited".
least() { if [ "$1" = unlimited ] || [ "$1" -gt "$2" ]; then echo "$2"; else echo "$1"; fi; }

# containers_conf: Podman's configuration for a machine without systemd.
#
# A container's limits must not exceed those of the process that starts it when
# CAP_SYS_RESOURCE is missing; Podman asks for 1048576 of each unless told
# otherwise, and its 4.3 service lowers its own process limit to 32768. Each
# exec leaves a conmon behind for exit_command_delay seconds, 300 by default.
containers_conf() {
  local files processes
  files=$(least "$(ulimit -Hn)" 1048576)
  processes=$(least "$(ulimit -Hu)" 32768)
  cat <<CONF
[containers]
default_ulimits = ["nofile=$files:$files", "nproc=$processes:$processes"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
exit_command_delay = 10
CONF
}

# insecure_registry ADDR: lets Podman use a registry without TLS; Docker does so for 127.0.0.0/8 by itself.
insecure_registry() { printf '[[registry]]\nlocation = "%s"\ninsecure = true\n' "$1"; }

base() {
  install curl ca-certificates iptables iproute2 procps docker.io podman runc \
    netavark aardvark-dns catatonit uidmap slirp4netns fuse-overlayfs
  mount_cgroups
  if ! answers "$DOCKER_SOCK"; then
    rm -f /var/run/docker.pid
    background dockerd dockerd -H "unix://$DOCKER_SOCK"
    wait_for "$DOCKER_SOCK" "$STATE/dockerd.log"
  fi
  if ! answers "$PODMAN_SOCK"; then # reads its configuration at the start only
    mkdir -p /etc/containers/{containers,registries}.conf.d "$(dirname "$PODMAN_SOCK")"
    containers_conf >/etc/containers/containers.conf.d/50-caisson.conf
    insecure_registry "$REGISTRY_ADDR" >/etc/containers/registries.conf.d/50-caisson.conf
    rm -f "$PODMAN_SOCK"
    background podman podman system service --time=0 "unix://$PODMAN_SOCK"
    wait_for "$PODMAN_SOCK" "$STATE/podman.log"
  fi
  say "docker $(docker_version "$DOCKER_SOCK") on $DOCKER_SOCK, podman $(podman_version "$PODMAN_SOCK") on $PODMAN_SOCK"
}

registry() {
  install curl iproute2 docker-registry
  serve_registry registry "$REGISTRY_ADDR"
  # The Debian 13 engines have a loopback of their own.
  if ip link show "$TRIXIE_LINK" >/dev/null 2>&1; then serve_registry trixie-registry "$TRIXIE_REGISTRY"; fi
}

# serve_registry NAME ADDR
serve_registry() {
  local _
  if ! registry_answers "$2"; then
    cat >"$STATE/$1.yml" <<CONF
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: $CACHE/$1}, delete: {enabled: true}}
http: {addr: "$2"}
CONF
    background "$1" docker-registry serve "$STATE/$1.yml"
    for _ in $(seq 100); do
      registry_answers "$2" && break
      sleep 0.1
    done
    registry_answers "$2" || tail_die "$STATE/$1.log" "the registry does not answer on $2"
  fi
  say "registry on $2"
}

registry_answers() { curl -sf -m 3 -o /dev/null "http://$1/v2/"; }

rootless() {
  local home=/var/lib/$ROOTLESS_USER sock=$ROOTLESS_DIR/podman.sock
  install curl podman runc catatonit uidmap slirp4netns fuse-overlayfs util-linux
  mount_cgroups
  if ! answers "$sock"; then
    id "$ROOTLESS_USER" >/dev/null 2>&1 || useradd --create-home --home-dir "$home" --shell /usr/sbin/nologin "$ROOTLESS_USER"
    grep -q "^$ROOTLESS_USER:" /etc/subuid || die "useradd gave $ROOTLESS_USER no subordinate ids; see /etc/login.defs"
    command install -d "$home/.config/containers" "$ROOTLESS_DIR" -o "$ROOTLESS_USER" -g "$ROOTLESS_USER" -m 700
    containers_conf >"$home/.config/containers/containers.conf"
    # Left to itself Podman 4.3 copies every layer whole.
    printf '[storage]\ndriver = "overlay"\n' >"$home/.config/containers/storage.conf"
    rm -f "$sock"
    background rootless env -i HOME="$home" USER="$ROOTLESS_USER" PATH="$PATH" XDG_RUNTIME_DIR="$ROOTLESS_DIR" \
      setpriv --reuid="$ROOTLESS_USER" --regid="$ROOTLESS_USER" --init-groups \
      podman system service --time=0 "unix://$sock"
    wait_for "$sock" "$STATE/rootless.log"
  fi
  say "rootless podman $(podman_version "$sock") on $sock"
}

# stop NAME PROGRAM: ends the daemon whose pid was recorded, if that pid is still such a program's.
stop() {
  local pid file=$STATE/$1.pid _
  [ -s "$file" ] || return 0
  pid=$(cat "$file")
  rm -f "$file"
  [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ] || return 0
  kill "$pid"
  for _ in $(seq 150); do
    [ -e "/proc/$pid" ] || break
    sleep 0.1
  done
  say "stopped $1"
}

down() {
  stop rootless podman
  # Rootless Podman keeps a process that holds its user namespace.
  if id "$ROOTLESS_USER" >/dev/null 2>&1; then pkill -KILL -U "$ROOTLESS_USER" || true; fi
  stop trixie-registry docker-registry
  stop registry docker-registry
  stop podman podman
  stop dockerd dockerd
  stop trixie engines
}

need_root
for word in "${@:-base}"; do
  case $word in
  base | trixie | rootless | registry | down) "$word" ;;
  *) die "usage: engines.sh [base] [trixie] [rootless] [registry] | down" ;;
  esac
done

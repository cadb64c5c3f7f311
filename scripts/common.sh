# What engines.sh and images.sh share. Sourced, not run.
# shellcheck shell=bash

# Where the engines listen. The first two are the engines' own defaults.
DOCKER_SOCK=${DOCKER_SOCK:-/var/run/docker.sock}
PODMAN_SOCK=${PODMAN_SOCK:-/run/podman/podman.sock}
TRIXIE_DIR=${TRIXIE_DIR:-/run/trixie} # docker.sock and podman.sock of the Debian 13 engines
ROOTLESS_DIR=${ROOTLESS_DIR:-/run/caisson-rootless}
REGISTRY_ADDR=${REGISTRY_ADDR:-127.0.0.1:5000}

STATE=/run/caisson-engines       # pid files and logs of what was started
CACHE=/var/cache/caisson-engines # trees and images, worth keeping

say() { echo "${0##*/}: $*"; }
die() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# tail_die LOG MESSAGE: a failure with the end of the log that explains it.
tail_die() {
  [ -e "$1" ] && tail -n 20 "$1" >&2
  shift
  die "$@"
}

need_root() {
  [ "$(id -u)" = 0 ] || die "run as root"
  mkdir -p "$STATE" "$CACHE"
}

# api SOCKET CURL_ARG...: one request to an engine; a path stands for the URL.
api() {
  local sock=$1
  shift
  local args=() arg
  for arg in "$@"; do
    case $arg in
    /v[0-9]*) args+=("http://engine$arg") ;;
    *) args+=("$arg") ;;
    esac
  done
  curl -sf --unix-socket "$sock" "${args[@]}"
}

answers() { [ -S "$1" ] && curl -sf -m 3 -o /dev/null --unix-socket "$1" http://engine/_ping; }

# is_podman SOCKET: Podman answers for itself on its own API, Docker says 404.
is_podman() { api "$1" -o /dev/null /v4.0.0/libpod/_ping; }

# docker_version SOCKET, podman_version SOCKET: as the engine gives it.
docker_version() { api "$1" /v1.40/version | sed 's/.*"Version":"\([^"]*\)","ApiVersion".*/\1/'; }
podman_version() { api "$1" /v4.0.0/libpod/version | sed 's/.*"Name":"Podman Engine","Version":"\([^"]*\)".*/\1/'; }

wait_for() { # SOCKET LOG
  local _
  for _ in $(seq 300); do
    answers "$1" && return
    sleep 0.1
  done
  tail_die "$2" "$1 did not answer within 30 s"
}

# install PACKAGE...: those that are missing, none of them starting a daemon.
install() {
  local want=() p policy=/usr/sbin/policy-rc.d made=
  for p in "$@"; do
    dpkg-query -W -f='${db:Status-Abbrev}' "$p" 2>/dev/null | grep -q '^ii' || want+=("$p")
  done
  [ ${#want[@]} = 0 ] && return
  say "installing ${want[*]}"
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    made=1
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${want[@]}" \
    >"$STATE/apt.log" 2>&1 || tail_die "$STATE/apt.log" "apt-get install failed"
  if [ -n "$made" ]; then rm -f "$policy"; fi
}

# mirror: the Debian mirror that this machine's apt uses.
mirror() {
  local format='$(REPO_URI)' found
  found=$(apt-get indextargets --format "$format" 'Created-By: Packages' 'Codename: bookworm' 2>/dev/null | head -n 1)
  if [ -z "$found" ]; then
    apt-get update -qq
    found=$(apt-get indextargets --format "$format" 'Created-By: Packages' 'Codename: bookworm' 2>/dev/null | head -n 1)
  fi
  [ -n "$found" ] || die "apt has no Debian mirror"
  echo "${found%/}"
}

# bootstrap SUITE DIR PACKAGES: a minimal Debian tree with the comma-separated packages.
bootstrap() {
  local log="$STATE/debootstrap-$1.log"
  install debootstrap
  debootstrap --variant=minbase --include="$3" "$1" "$2" "$(mirror)" >"$log" 2>&1 ||
    tail_die "$log" "debootstrap of $1 failed"
}

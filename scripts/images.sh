#!/bin/bash
# Makes the images that the tests run in from Debian packages, and loads them
# into every engine that answers. Nothing is pulled. Safe to run again: an
# image that an engine has is left alone.
#
#   images.sh [base] [node]     base alone by default
#
# Every engine knows them as localhost/caisson-test/base:latest, a name that no
# registry can serve, and as caisson-test/base:latest.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/common.sh
. "$here/common.sh"

# packages IMAGE: what is in it beside Debian 12's minimal system.
packages() {
  case $1 in
  base) echo ca-certificates,procps,python3 ;;
  node) echo ca-certificates,procps,nodejs ;;
  *) die "no image is called $1; use base or node" ;;
  esac
}

# tree IMAGE: prints the path of a tar archive of the image's files, made once.
tree() {
  local tar="$CACHE/image-$1.tar" dir
  if [ ! -s "$tar" ]; then
    dir=$(mktemp -d "$CACHE/tree.XXXXXX")
    say "making the files of $1" >&2
    bootstrap bookworm "$dir/root" "$(packages "$1")" >&2
    # Device nodes cannot be unpacked by a rootless engine, and engines make their own.
    tar -C "$dir/root" --numeric-owner --sort=name -cf "$tar.part" \
      --exclude='./dev/*' --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' --exclude='./var/log/*' \
      --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' .
    mv "$tar.part" "$tar"
    rm -rf "$dir"
  fi
  echo "$tar"
}

# load IMAGE SOCKET
load() {
  local name="caisson-test/$1" tar changes='changes=CMD%20%5B%22%2Fbin%2Fsh%22%5D'
  if is_podman "$2"; then
    api "$2" -o /dev/null "/v4.0.0/libpod/images/localhost%2F${name/\//%2F}%3Alatest/exists" && return
    tar=$(tree "$1")
    api "$2" -o /dev/null -X POST -H 'Content-Type: application/x-tar' -T "$tar" \
      "/v4.0.0/libpod/images/import?reference=localhost/$name:latest&$changes" || die "import of $name into $2 failed"
  else
    api "$2" -o /dev/null "/v1.40/images/localhost/$name:latest/json" && return
    tar=$(tree "$1")
    api "$2" -o /dev/null -X POST -H 'Content-Type: application/x-tar' -T "$tar" \
      "/v1.40/images/create?fromSrc=-&repo=$name&tag=latest&$changes" || die "import of $name into $2 failed"
    api "$2" -o /dev/null -X POST "/v1.40/images/$name:latest/tag?repo=localhost/$name&tag=latest"
  fi
  say "$name is in $2"
}

need_root
install curl ca-certificates
loaded=0
for image in "${@:-base}"; do
  packages "$image" >/dev/null
  for sock in "$DOCKER_SOCK" "$PODMAN_SOCK" "$TRIXIE_DIR"/{docker,podman}.sock "$ROOTLESS_DIR/podman.sock"; do
    answers "$sock" || continue
    load "$image" "$sock"
    loaded=$((loaded + 1))
  done
done
[ $loaded -gt 0 ] || die "no engine answers; run scripts/engines.sh first"

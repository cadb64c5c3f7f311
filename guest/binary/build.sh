#!/usr/bin/env bash
# Builds the helper for every architecture of a sandbox and packs it for embedding.
# The same source and Go version give the same bytes on any machine.
#
#   build.sh          build and pack
#   build.sh --check  build, and fail if what is committed differs
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."

# The version that go.mod names, whichever one calls. Without inlining the result
# is a tenth smaller. The collector for large heaps and functions that begin where
# a cache line does are for other programs; without them it is 80 KiB smaller.
GOTOOLCHAIN=$(awk '$1 == "toolchain" {print $2}' go.mod)
export GOTOOLCHAIN CGO_ENABLED=0 GOOS=linux GOFLAGS=-mod=readonly GOAMD64=v1 GOARM64=v8.0 GOEXPERIMENT=nogreenteagc

most=$((3 << 20)) packed=$((1 << 20)) # bytes
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for arch in amd64 arm64; do
  out=$scratch/$arch name=caisson-guest-linux-$arch.gz
  GOARCH=$arch go build -gcflags=all=-l -trimpath -buildvcs=false -ldflags '-s -w -buildid= -funcalign=16' -o "$out" ./cmd/caisson-guest
  gzip -9nc "$out" >"$scratch/$name"
  [ "$(stat -c %s "$out")" -le $most ] || { echo "$name: $(stat -c %s "$out") bytes unpacked, more than $most" >&2; exit 1; }
  [ "$(stat -c %s "$scratch/$name")" -le $packed ] || { echo "$name: $(stat -c %s "$scratch/$name") bytes, more than $packed" >&2; exit 1; }
  if [ "${1:-}" != --check ]; then
    mv "$scratch/$name" "$here/$name"
  elif ! gzip -dc "$here/$name" | cmp -s - "$out"; then
    echo "$name is not what the source gives; run guest/binary/build.sh and commit the result" >&2
    exit 1
  fi
done

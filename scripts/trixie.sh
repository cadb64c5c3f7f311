# The second pair of engines: Docker 26.1 and Podman 5.4 from a Debian 13 tree,
# beside the ones of this machine. Sourced by engines.sh, not run.
# shellcheck shell=bash
#
# A chroot is not enough: engines enter a container's mount namespace by
# setns(2), and the root of a chroot's namespace is this machine's, so an exec
# would see this machine's files. Hence a mount namespace whose root is the
# tree (pivot_root). A second dockerd in this machine's network namespace would
# take docker0 and its firewall rules from the first. Hence a network namespace.

TRIXIE_ROOT=${TRIXIE_ROOT:-/var/lib/caisson-trixie}
TRIXIE_NS=${TRIXIE_NS:-caisson-trixie}
TRIXIE_LINK=${TRIXIE_LINK:-ctrixie0}
TRIXIE_NET=${TRIXIE_NET:-172.30.98} # .1 is this machine, .2 the engines
TRIXIE_REGISTRY=$TRIXIE_NET.1:5000

trixie_tree() {
  local root=$TRIXIE_ROOT
  if [ ! -e "$root/usr/sbin/dockerd" ] || [ ! -e "$root/usr/bin/podman" ]; then
    if [ ! -e "$root/.bootstrapped" ]; then
      rm -rf "$root"
      say "making a Debian 13 tree in $root"
      bootstrap trixie "$root" ca-certificates,iptables,iproute2,procps
      touch "$root/.bootstrapped"
    fi
    say "installing engines in $root"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod +x "$root/usr/sbin/policy-rc.d"
    unshare --mount --propagation private chroot "$root" sh -ec '
      mount -t proc proc /proc
      apt-get update -qq
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        docker.io podman runc netavark nftables aardvark-dns passt slirp4netns uidmap fuse-overlayfs catatonit
    ' >"$STATE/apt-trixie.log" 2>&1 || tail_die "$STATE/apt-trixie.log" "apt-get in $root failed"
  fi
  mkdir -p "$root/.old" "$root"/etc/containers/{containers,registries}.conf.d
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  containers_conf >"$root/etc/containers/containers.conf.d/50-caisson.conf"
  insecure_registry "$TRIXIE_REGISTRY" >"$root/etc/containers/registries.conf.d/50-caisson.conf"
  cat >"$root/usr/local/sbin/engines" <<CONF
#!/bin/sh
dockerd --bip $TRIXIE_NET.129/25 --insecure-registry $TRIXIE_REGISTRY -H unix:///run/engines/docker.sock >/run/engines/dockerd.log 2>&1 &
docker=\$!
podman system service --time=0 unix:///run/engines/podman.sock >/run/engines/podman.log 2>&1 &
podman=\$!
trap 'kill \$docker \$podman' TERM
wait
wait
CONF
  chmod +x "$root/usr/local/sbin/engines"
}

# A veth pair and address translation, for pulls and for builds that install packages.
trixie_network() {
  local direction link=$TRIXIE_LINK subnet=$TRIXIE_NET.0/30
  ip netns list | grep -qw "$TRIXIE_NS" || ip netns add "$TRIXIE_NS"
  if ! ip link show "$link" >/dev/null 2>&1; then
    ip link add "$link" type veth peer name eth0 netns "$TRIXIE_NS"
    ip addr add "$TRIXIE_NET.1/30" dev "$link"
    ip link set "$link" up
    ip -n "$TRIXIE_NS" addr add "$TRIXIE_NET.2/30" dev eth0
    ip -n "$TRIXIE_NS" link set lo up
    ip -n "$TRIXIE_NS" link set eth0 up
    ip -n "$TRIXIE_NS" route add default via "$TRIXIE_NET.1"
  fi
  echo 1 >/proc/sys/net/ipv4/ip_forward
  iptables -t nat -C POSTROUTING -s "$subnet" ! -o "$link" -j MASQUERADE 2>/dev/null ||
    iptables -t nat -A POSTROUTING -s "$subnet" ! -o "$link" -j MASQUERADE
  for direction in -i -o; do
    iptables -C FORWARD $direction "$link" -j ACCEPT 2>/dev/null || iptables -I FORWARD $direction "$link" -j ACCEPT
  done
}

trixie() {
  if ! answers "$TRIXIE_DIR/docker.sock" || ! answers "$TRIXIE_DIR/podman.sock"; then
    install curl iptables iproute2 util-linux
    mount_cgroups
    trixie_tree
    trixie_network
    mkdir -p "$TRIXIE_DIR"
    rm -f "$TRIXIE_DIR"/*.sock
    root=$TRIXIE_ROOT dir=$TRIXIE_DIR ns=$TRIXIE_NS background trixie unshare --mount --propagation private bash -ec '
      mount --bind "$root" "$root"
      cd "$root"
      mount -t proc proc proc
      mount --rbind /sys sys
      mount --rbind /dev dev
      mount -t tmpfs tmpfs run
      mkdir -p run/engines run/lock
      mount --bind "$dir" run/engines
      exec nsenter --net="/run/netns/$ns" sh -ec "
        pivot_root . .old
        exec chroot . sh -ec \"umount -l /.old; exec /usr/local/sbin/engines\"
      "
    '
    wait_for "$TRIXIE_DIR/docker.sock" "$TRIXIE_DIR/dockerd.log"
    wait_for "$TRIXIE_DIR/podman.sock" "$TRIXIE_DIR/podman.log"
  fi
  say "docker $(docker_version "$TRIXIE_DIR/docker.sock") and podman $(podman_version "$TRIXIE_DIR/podman.sock") in $TRIXIE_DIR"
}

package drivertest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

// status is what every profile has in common, and what differs, as the kernel shows it.
const status = `
awk_() { sed -n "s/^$1:[[:space:]]*//p" /proc/self/status; }
echo "uid=$(id -u) gid=$(id -g)"
echo "caps=$(awk_ CapEff)$(awk_ CapPrm)$(awk_ CapBnd)$(awk_ CapAmb)"
echo "nnp=$(awk_ NoNewPrivs) seccomp=$(awk_ Seccomp)"
echo "routes=$(tail -n +2 /proc/net/route | wc -l) interfaces=$(tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' \n')"
for d in / /etc /usr /workspace /tmp /dev/shm /uploads /var/tmp; do
  if (: > $d/.probe) 2>/dev/null; then echo "w $d"; rm -f $d/.probe; else echo "- $d"; fi
done
unshare -U true 2>/dev/null && echo "user namespace"
unshare -n true 2>/dev/null && echo "network namespace"
mount -t tmpfs none /mnt 2>/dev/null && echo "mount"
mknod /workspace/null c 1 3 2>/dev/null && echo "device"
ls /var/run/docker.sock /run/podman/podman.sock 2>/dev/null
[ -s /proc/kcore ] && head -c 1 /proc/kcore >/dev/null 2>&1 && echo "kcore"
cat /proc/keys 2>/dev/null
cat /proc/1/environ 2>/dev/null
env | grep -i secret
# Families of sockets that our own filter refuses, and the engines' do not.
python3 -c 'import socket
for family in 31, 38:
    try: socket.socket(family, socket.SOCK_SEQPACKET)
    except OSError as e: print("socket family", family, e.errno == 1)'
printf '#!/bin/sh\necho exec\n' > /tmp/x; chmod +x /tmp/x; /tmp/x
exit 0
`

func (s *suite) profiles(t *testing.T) {
	t.Setenv("CAISSON_HOST_SECRET", "secret-of-the-host")
	zero := strings.Repeat("0", 64)
	common := "nnp=1 seccomp=2\nroutes=0 interfaces=lo\n"
	t.Run("strict", func(t *testing.T) {
		require.Equal(t, "uid=1000 gid=1000\ncaps="+zero+"\n"+common+
			"- /\n- /etc\n- /usr\nw /workspace\nw /tmp\nw /dev/shm\nw /uploads\n- /var/tmp\nsocket family 31 True\nsocket family 38 True\nexec\n", sh(t, s.start(t), status))
	})
	t.Run("standard", func(t *testing.T) {
		sb := s.start(t, func(spec *core.Spec) { spec.Profile = core.Standard })
		require.Equal(t, "uid=1000 gid=1000\ncaps="+zero+"\n"+common+
			"- /\n- /etc\n- /usr\nw /workspace\nw /tmp\nw /dev/shm\nw /uploads\nw /var/tmp\nsocket family 31 True\nsocket family 38 True\nexec\n", sh(t, sb, status))
	})
	t.Run("relaxed", func(t *testing.T) {
		sb := s.start(t, func(spec *core.Spec) { spec.Profile = core.Relaxed })
		const five = "00000000000000cb"
		require.Equal(t, "uid=0 gid=0\ncaps="+five+five+five+strings.Repeat("0", 16)+"\n"+common+
			"w /\nw /etc\nw /usr\nw /workspace\nw /tmp\nw /dev/shm\nw /uploads\nw /var/tmp\nsocket family 31 True\nsocket family 38 True\nexec\n", sh(t, sb, status))
		sh(t, sb, "touch x && chown 1000:1000 x && su -s /bin/sh nobody -c true && dpkg --configure -a")
	})
	t.Run("network", func(t *testing.T) {
		sb := s.start(t, func(spec *core.Spec) { spec.Network = core.NetworkDefault })
		require.Contains(t, sh(t, sb, "cat /proc/net/dev"), "eth0")
		_, err := core.Start(t.Context(), s.driver, s.spec(func(spec *core.Spec) { spec.Network = "no-such-network" }))
		require.ErrorIs(t, err, core.ErrNotFound)
		require.NotContains(t, err.Error(), "\n")
	})
	t.Run("nothing of the host", func(t *testing.T) {
		const loopback = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\nfe00::0 ip6-localnet\nff00::0 ip6-mcastprefix\nff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n"
		// Its own name may be there.
		const hosts = `tr '\t' ' ' < /etc/hosts | grep -v " $(cat /etc/hostname)$"`
		sb := s.start(t)
		require.Equal(t, loopback+"nameserver 127.0.0.1\n", sh(t, sb, hosts+"; grep -v -e '^#' -e '^$' /etc/resolv.conf"))
		require.Equal(t, loopback, sh(t, s.start(t, func(spec *core.Spec) { spec.Network = core.NetworkDefault }), hosts))
		sh(t, sb, `python3 -c 'import socket; socket.socket().bind(("127.0.0.1", 80))'`)
	})
	t.Run("described", func(t *testing.T) {
		sb := s.start(t, func(spec *core.Spec) {
			spec.Limits = core.Limits{Memory: 300 << 20, CPUs: 0.5, PIDs: 100, Tmp: 8 << 20, OpenFiles: 200, FileSize: 2 << 20}
		})
		informer, ok := core.As[core.Informer](sb, core.CapInfo)
		require.True(t, ok)
		info, err := informer.Info(t.Context())
		require.NoError(t, err)
		require.Equal(t, core.Limits{Memory: 300 << 20, CPUs: 0.5, PIDs: 100, Tmp: 8 << 20, OpenFiles: 200, FileSize: 2 << 20}, info.Limits)
		require.Equal(t, []any{core.Strict, core.NetworkNone, "/workspace", 1000, 1000, true, true, uint64(0)},
			[]any{info.Profile, info.Network, info.WorkDir, info.UID, info.GID, info.Seccomp, info.NoNewPrivs, info.Capabilities})
		require.Equal(t, "200\n4096\n", sh(t, sb, "ulimit -n; ulimit -f"))
		require.Contains(t, sh(t, sb, "df -B1 /tmp"), " 8388608 ")
	})
}

#!/bin/bash
# SPDX-License-Identifier: MIT
# compare-net.sh [--seconds N] [--rounds N]: the network beside its peers, in turns, medians. As root.
#   tcp    iperf3 through TAP, netfront, netback, TAP, beside the same two TAPs joined by a plain loop of read and
#          write (pvring bench taps); one connection, from the guest and to it. Both have all offloads on.
#   small  packets of 64 bytes between two processes on two CPUs: pvring bench net from the guest (no copy), DPDK's memif (a copy
#          at each end) and vhost-user (one copy), with rings of 256 slots; where DPDK is ($DPDK_DIR, by bench/fetch-dpdk.sh).
# Other load on the machine spoils the figures; the load average is printed.
seconds=2 rounds=5
. "${0%/*}/compare.sh"
[ "$(id -u)" = 0 ] || { echo "$0: needs root" >&2; exit 77; }
need iperf3 ip nsenter pvring
# The machine's own network stays as it is.
[ "${PVRING_COMPARE_NET-}" ] || PVRING_COMPARE_NET=1 exec unshare -n "$0" --seconds "$seconds" --rounds "$rounds"

begin
load=$(cut -d' ' -f1-3 /proc/loadavg)
ip link set lo up

# Ours: 10.78.1.1 here, 10.78.1.2 there.
pvring run --net tap=ours,ip=10.78.1.2/24 -- sh -c "echo \$\$ >$work/ours; exec sleep 100000" 2>"$work/ours.log" &
servers="$! $servers"
up test -s "$work/ours"
ip addr add 10.78.1.1/24 dev ours
# The floor: 10.78.2.1 here, 10.78.2.2 there.
unshare -n sh -c "echo \$\$ >$work/floor; exec sleep 100000" &
servers="$! $servers"
up test -s "$work/floor"
pvring bench taps floor eth0 >"$work/taps" &
servers="$! $servers"
up test -s "$work/taps"
ip addr add 10.78.2.1/24 dev floor
ip link set floor up
ip link set eth0 netns "$(cat "$work/floor")"
inside() { nsenter -t "$(cat "$work/$1")" -n "${@:2}"; }
inside floor ip addr add 10.78.2.2/24 dev eth0
inside floor ip link set eth0 up
iperf3 -s >/dev/null 2>&1 &
servers="$! $servers"

tcp() { # tcp WAY ADDRESS DIRECTION [OPTION]: Gb/s as the receiver has it
	inside "$1" timeout $((seconds + 20)) iperf3 -c "$2" -t "$seconds" -f g "${@:4}" |
		awk -v key="tcp_$3 $1" '/receiver/ {print key, $7}' >>"$work/results"
}

# memif needs a client and a server; testpmd prints the packets received each second.
testpmd=$(find "${DPDK_DIR:-/nowhere}" -name 'dpdk-testpmd*' -type f 2>/dev/null | head -1)
[ "$testpmd" ] || echo "DPDK is not measured: \$DPDK_DIR has no dpdk-testpmd; bench/fetch-dpdk.sh DIRECTORY fetches it"
lib=${DPDK_DIR:-}/usr/lib/x86_64-linux-gnu
pmd() { # pmd NAME CPU DRIVERS DEVICE MODE...: in place of the shell that was forked for it, so that $! is its own
	local drivers="" driver
	for driver in mempool_ring $3; do drivers="$drivers -d $(echo "$lib"/librte_"$driver".so.[0-9]* | cut -d' ' -f1)"; done
	exec timeout $((seconds + 20)) env LD_LIBRARY_PATH="$lib" stdbuf -oL "$testpmd" --no-huge -m 256 --no-pci --no-shconf $drivers --file-prefix="$1" \
		--lcores "(0-1)@$2" --vdev="$4" -- --total-num-mbufs=8192 --no-mlockall --stats-period=1 "${@:5}"
}
dpdk() { # dpdk WAY: packets a second that the receiver counted, the median of its seconds
	local server client
	rm -f "$work/sock"
	case $1 in
	memif)
		pmd a 0 net_memif "net_memif0,role=server,id=0,socket=$work/sock,socket-abstract=no,rsize=8" --forward-mode=rxonly >"$work/rx" 2>&1 &
		server=$!
		up test -S "$work/sock"
		pmd b 1 net_memif "net_memif0,role=client,id=0,socket=$work/sock,socket-abstract=no,rsize=8" --forward-mode=txonly --txpkts=64 >"$work/tx" 2>&1 &
		;;
	vhost-user)
		pmd a 0 net_vhost "net_vhost0,iface=$work/sock,queues=1" --forward-mode=rxonly >"$work/rx" 2>&1 &
		server=$!
		up test -S "$work/sock"
		pmd b 1 net_virtio "net_virtio_user0,path=$work/sock,queues=1,queue_size=256" --forward-mode=txonly --txpkts=64 >"$work/tx" 2>&1 &
		;;
	esac
	client=$!
	sleep $((seconds + 4))
	kill "$client" "$server" 2>/dev/null
	wait "$client" "$server" 2>/dev/null
	awk '/Rx-pps:/ && $2 > 0 {print $2}' "$work/rx" | sort -n |
		awk -v key="small $1" '{v[NR] = $1} END {if (NR) print key, v[int((NR + 1) / 2)] / 1e6}' >>"$work/results"
}
small() {
	pvring bench net --sizes 64 --seconds "$seconds" --rounds 1 --json |
		awk '/"way": "pvring"/ {ours = 1} /"way": "memcpy/ {ours = 0} ours && /"direction": "tx"/ {tx = 1} /"direction": "rx"/ {tx = 0}
			ours && tx && /"packets_s"/ {gsub(/[^0-9.e+]/, "", $2); print "small pvring", $2 / 1e6}' >>"$work/results"
}

for round in $(seq "$rounds"); do
	[ -t 2 ] && echo "round $round of $rounds" >&2
	tcp ours 10.78.1.1 from
	tcp floor 10.78.2.1 from
	tcp ours 10.78.1.1 to -R
	tcp floor 10.78.2.1 to -R
	small
	[ -z "$testpmd" ] || { dpdk memif; dpdk vhost-user; }
done

echo "load average before: $load; median of $rounds rounds of $seconds s; $(nproc) CPUs"
sort "$work/results" | awk '
	function median(list, n,   a, i, j, x) {
		n = split(list, a, " ")
		for (i = 2; i <= n; i++) {
			x = a[i] + 0
			for (j = i - 1; j > 0 && a[j] + 0 > x; j--) a[j + 1] = a[j]
			a[j + 1] = x
		}
		return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2
	}
	{ v[$1 " " $2] = v[$1 " " $2] " " $3 }
	function line(what, unit, way, base) {
		if (!v[way]) return
		printf "%-36s %8.2f %-6s", what, median(v[way]), unit
		if (base != "" && v[base]) printf " ratio of ours %.2f", median(v[base]) / median(v[way])
		print ""
	}
	END {
		line("TCP from the guest, pvring", "Gb/s", "tcp_from ours")
		line("TCP from the guest, plain loop", "Gb/s", "tcp_from floor", "tcp_from ours")
		line("TCP to the guest, pvring", "Gb/s", "tcp_to ours")
		line("TCP to the guest, plain loop", "Gb/s", "tcp_to floor", "tcp_to ours")
		line("64-byte packets, pvring", "M/s", "small pvring")
		line("64-byte packets, memif", "M/s", "small memif", "small pvring")
		line("64-byte packets, vhost-user", "M/s", "small vhost-user", "small pvring")
	}'

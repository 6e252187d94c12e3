#!/bin/sh
# SPDX-License-Identifier: MIT
# guest_net.sh OPTION...: the network of the guest kernel that `pvring run OPTION...` boots, against this machine's own
# programs: echo requests both ways, 1 MiB each to the guest, from it, and to it and back, compared. Prints the guest's
# lines and what is wrong ("FAILED: net: ..."); the status says whether all was right. In a network namespace of its own; with
# PVRING_TEST_NET=1 in the caller's. Wants pvring and busybox in the PATH, and no other shell than busybox's.
if [ "${PVRING_TEST_NET-}" != 1 ]; then
	if [ "$(id -u)" != 0 ] || ! unshare -n true 2>/dev/null || ! [ -c /dev/net/tun ]; then
		echo "network: not run: it needs root, network namespaces and /dev/net/tun"
		exit 0
	fi
	PVRING_TEST_NET=1 exec unshare -n "$0" "$@"
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/pvring-guest-net-XXXXXX")
pids= status=0
trap 'kill $pids 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 1' TERM INT

wrong() {
	echo "FAILED: net: $1"
	status=1
}
said() { # said WHAT: the guest says a line that begins so, or has ended
	tries=600
	while ! grep -q "^$1" "$work/log" && [ $tries -gt 0 ] && kill -0 "$run" 2>/dev/null; do
		tries=$((tries - 1))
		sleep 0.1
	done
	grep -q "^$1" "$work/log"
}

ip link set lo up
ip link add br0 type bridge
ip addr add 10.77.0.1/24 dev br0
ip link set br0 up
seq 1 200000 | head -c 1048576 >"$work/pattern"
head -c 1048576 /dev/urandom >"$work/random"
busybox nc -l -p 5000 <"$work/pattern" >/dev/null &
pids=$!
busybox nc -l -p 5001 </dev/null >"$work/put" &
putting=$!
pids="$pids $putting"

pvring run "$@" --net tap,bridge=br0 --append "ip=10.77.0.2/24 net=ping,10.77.0.1,10 \
net=get,10.77.0.1,5000,1M net=put,10.77.0.1,5001,1M net=serve,60,1 net=down" </dev/null >"$work/log" 2>"$work/err" &
run=$!
pids="$pids $run"
if said "net: listens"; then
	wait $putting
	cmp "$work/pattern" "$work/put" || wrong "what the guest sent is not what came"
	ping -q -c 3 -w 20 10.77.0.2 >"$work/ping" || wrong "the guest does not answer: $(tail -2 "$work/ping")"
	ping -q -c 2 -w 20 -s 20000 10.77.0.2 >"$work/ping" || wrong "nor 20000 bytes: $(tail -2 "$work/ping")"
	busybox nc 10.77.0.2 7 <"$work/random" >"$work/echo"
	cmp "$work/random" "$work/echo" || wrong "what came back is not what was sent"
fi
wait $run || wrong "the guest ended with status $?"
cat "$work/log"
grep -q ^DONE "$work/log" || wrong "the guest did not come to its end: $(tail -2 "$work/err")"
exit $status

#!/bin/sh
# SPDX-License-Identifier: MIT
# The guest kernel's network: both word sizes as PV guests, backends that can do less, and what must fail.
. "$(dirname "$0")/net.sh"
if ! [ -f "$root/build/lwip/source/src/core/tcp.c" ]; then
	echo "guest_net: not run: no source of lwIP"
	exit 0
fi
for width in i386 x86_64; do
	check "pings and 1 MiB each way, $width" env -u PVRING_TEST_NET timeout 100 \
		"$root/tests/e2e/guest_net.sh" --kernel "$root/build/guest-$width"
done
start_host
seq 1 3000000 | head -c 16M >"$work/pattern"
printf '1\n2\n4\n' >"$work/wrong"

kernel() { # kernel SPEC SCENARIO...: at 10.77.0.2
	spec=$1
	shift
	timeout 30 pvring run --kernel "$root/build/guest-x86_64" --net "tap,bridge=br0$spec" --append "ip=10.77.0.2/24 $*" </dev/null
}
serve() { # serve FILE: to who connects to port 5000, once
	timeout 40 busybox nc -l -p 5000 <"$1" >/dev/null 2>&1 &
	pids="$! $pids"
	sleep 0.3
}
for without in csum sg+gso static split; do
	serve "$work/pattern"
	check "16 MiB without $without" kernel ",without=$without" net=ping,10.77.0.1 net=get,10.77.0.1,5000,16M
done

fails() { # fails NAME PATTERN SCENARIO: the kernel says so, and ends badly
	name=$1 pattern=$2
	kernel "" "$3" >"$work/said" 2>"$work/err" && echo ended well >>"$work/said"
	check "$name" sh -c "grep '$pattern' '$work/said' && ! grep 'ended well' '$work/said'"
}
fails "nobody answers" "^FAILED: net: ping: 1 of 1 .* lost" net=ping,10.77.0.9,1
fails "nobody listens" "^FAILED: net: received 0 of 5 bytes" net=get,10.77.0.1,4,5
serve "$work/wrong"
fails "a byte is wrong" "^FAILED: net: .*next one is wrong" net=get,10.77.0.1,5000,6

#!/bin/sh
# SPDX-License-Identifier: MIT
# Hostile guests (tests/hostile) beside a good one on the same network backend: each gets what it deserves, and the
# good one's ping and iperf3 go on from the first to the last of them.
. "$(dirname "$0")/net.sh"
hostile=$BUILD/tests/hostile

# one ATTACK SPEC: it, from a domain of its own.
one() {
	domid=$(pvring create "$1" --memory 8M) && pvring network-attach "$1" "$2" >/dev/null || return
	PVRING_DOMID=$domid timeout 120 "$hostile" "$1" || return
	pvring network-list "$1" >/dev/null # the backend answers
	pvring destroy "$1"
	within 5 gone "$domid" || { echo "the backend keeps its nodes or statistics"; return 1; }
}
gone() { ! xenstore-exists "/local/domain/0/backend/vif/$1" && ! [ -e "$PVRING_DIR/stats/vif-$1-0" ]; }

good() { # of the good guest's counters
	pvring stats --json | tr -d '\n ' | grep -o '"domid":2,[^}]*' | grep -o "\"$1\":[0-9]*" | cut -d: -f2
}

# What the good guest runs.
if [ "${PVRING_TEST_GOOD-}" ]; then
	trap - EXIT
	rmdir "$work"
	work=$PVRING_TEST_GOOD
	back=$(pgrep -x pvring-netback -P $PPID)
	iperf3 -c 10.77.0.1 -t 75 -b 200M >"$work/iperf" 2>&1 &
	iperf=$!
	ping -q -i 0.05 -c 1500 -W 10 10.77.0.1 >"$work/ping" 2>&1 &
	ping=$!
	files=$(ls "/proc/$back/fd" | wc -l)
	before=$(awk '/RssAnon/ {print $2}' "/proc/$back/status")
	one xsa_392_starve tap,bridge=br0 >"$work/starve" 2>&1 &
	starve=$!
	"$hostile" -l | while read -r attack spec; do
		case $attack in xsa_392_starve) ;; *) check "$attack" one "$attack" "$spec" ;; esac
		grep "$attack: " "$work/out"
	done
	for attack in noise noise noise noise murmur murmur murmur; do
		check "$attack again" one xsa_155_$attack null
		cat "$work/out"
	done
	wait $starve
	check "xsa_392_starve: $(cat "$work/starve")" test $? = 0
	wait $iperf
	check "the good guest's TCP connection lives" test $? = 0
	wait $ping
	check "no ping of it was lost" grep -q ", 0% packet loss" "$work/ping"
	tail -2 "$work/ping"
	for counter in tx_dropped_grant tx_dropped_malformed rx_dropped_grant rx_dropped_malformed; do
		check "its $counter is 0" test "$(good $counter)" = 0
	done
	check "the backend is the same" test "$(pgrep -x pvring-netback -P $PPID)" = "$back"
	check "it has no more descriptors than before" within 5 sh -c 'test "$(ls "/proc/$0/fd" | wc -l)" -le "$1"' "$back" "$files"
	after=$(awk '/RssAnon/ {print $2}' "/proc/$back/status")
	echo "netback: $before KiB of its own before, $after KiB after"
	exit $failed
fi

start_host
ping -q -i 0.5 10.77.0.99 >/dev/null 2>&1 & # broadcasts, for who takes nothing
pids="$! $pids"
PVRING_TEST_GOOD=$work PVRING_TEST_NET=1 pvring run --net tap,bridge=br0,ip=10.77.0.2/24 -- "$0" 2>"$work/run.log"
check "no process of the system has died" test $? = 0
check "each is in the log" test "$(grep -c "vif" "$work/run.log")" -ge 15

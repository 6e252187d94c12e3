#!/bin/sh
# SPDX-License-Identifier: MIT
# The network at length: a backend killed ten times under one TCP connection and in the midst of handshakes, and what an
# idle interface costs.
. "$(dirname "$0")/net.sh"
start_host

# killed_after N RUN STEP: the backend, N times, each time after STEP bytes more have come from the guest.
killed_after() {
	crossed() { awk '$1 == "br0:" { printf "%.0f\n", $2 }' /proc/net/dev; }
	enough() { [ "$(crossed)" -ge "$next" ]; }
	next=$(crossed)
	for try in $(seq "$1"); do
		next=$((next + $3))
		within 20 enough && within 20 backend "$2" "" || return
		kill -9 "$new" && echo killed
	done
}

pvring run --net tap,bridge=br0,ip=10.77.0.2/24 -- iperf3 -c 10.77.0.1 -b 320M -n 600M >"$work/iperf" 2>"$work/killed.log" &
run=$!
killed_after 10 $run $((44 << 20)) >"$work/kills"
wait $run
status=$?
check "the backend was killed ten times" test "$(grep -c killed "$work/kills")" = 10
check "iperf3's connection survived" test $status = 0
grep -E 'receiver' "$work/iperf"

# A TAP that the operator made stays, and each successor takes it; what crosses meanwhile is right.
endless
ip tuntap add dev lasting mode tap multi_queue vnet_hdr
ip link set lasting master br0
index=$(ip -o link show lasting)
pvring run --net tap=lasting,ip=10.77.0.2/24,queues=2 -- sh -c "$take" 2>"$work/killed.log" &
run=$!
kills 10 $run 0.3 1.1 0.6 >"$work/kills"
touch "$work/over"
wait $run
status=$?
check "the backend was killed ten times" test "$(grep -c killed "$work/kills")" = 10
check "what crosses meanwhile is right, through a TAP that stays" test $status = 0
check "it is the same TAP" test "$(ip -o link show lasting | cut -d: -f1)" = "${index%%:*}"

pvring run --net tap,bridge=br0,ip=10.77.0.2/24 -- \
	sh -c 'until [ -e "$0" ]; do sleep 0.1; done; ping -q -c 2 -w 20 10.77.0.1' "$work/enough" >/dev/null 2>"$work/killed.log" &
run=$!
within 10 pgrep -x pvring-netback -P $run
sleep 0.5
kills 6 $run 0.01 0.03 0 0.05 0.02 0.08 >"$work/kills"
touch "$work/enough"
wait $run
check "killed in handshakes, the interface is there" test $? = 0
check "which was six times" test "$(grep -c killed "$work/kills")" = 6

# Idle: CPU time in ticks of a hundredth of a second, over five seconds, and resident memory.
ticks() { sed 's/.*) //' "/proc/$1/stat" | awk '{print $12 + $13}'; }
pvring run --net tap,bridge=br0,ip=10.77.0.2/24 -- sh -c 'touch "$0" && exec sleep 600' "$work/idle" &
run=$!
check "an idle guest" within 10 test -e "$work/idle"
back=$(pgrep -x pvring-netback -P $run)
pump=$(pgrep -x pvring-net -P $run)
sleep 3 # for neighbours to be discovered
before_back=$(ticks "$back") before_pump=$(ticks "$pump")
sleep 5
check "an idle backend takes under 0.2 % of a CPU" test $(($(ticks "$back") - before_back)) -le 1
check "and so does the pump" test $(($(ticks "$pump") - before_pump)) -le 1
case $BUILD in
*/asan | */tsan) ;;
*) check "netback has less than 10 MiB" test "$(awk '/VmRSS/ {print $2}' "/proc/$back/status")" -lt 10240 ;;
esac
kill $run
wait $run

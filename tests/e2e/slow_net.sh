#!/bin/sh
# SPDX-License-Identifier: MIT
# The network at length: a backend killed ten times under one TCP connection and in the midst of handshakes, and what an
# idle interface costs.
. "$(dirname "$0")/net.sh"
start_host

backend() { # of the `pvring run` with pid $1, another than $2
	new=$(pgrep -x pvring-netback -P "$1") && [ "$new" != "$2" ]
}
# kills N RUN PAUSE...: the backend, N times, a pause of the list after it is there.
kills() {
	count=$1 run=$2
	shift 2
	last=
	for try in $(seq "$count"); do
		within 10 backend "$run" "$last" || return
		last=$(pgrep -x pvring-netback -P "$run")
		sleep "$1"
		kill -9 "$last" && echo killed
		pause=$1
		shift
		set -- "$@" "$pause"
	done
}

pvring run --net tap,bridge=br0,ip=10.77.0.2/24 -- iperf3 -c 10.77.0.1 -t 12 >"$work/iperf" 2>"$work/killed.log" &
run=$!
within 10 pgrep -x pvring-netback -P $run
sleep 1
kills 10 $run 0.5 >"$work/kills"
wait $run
status=$?
check "the backend was killed ten times" test "$(grep -c killed "$work/kills")" = 10
check "iperf3's connection survived" test $status = 0
grep -E 'receiver' "$work/iperf"

# A TAP that the operator made stays, and each successor takes it; what crosses meanwhile is right.
head -c 96M /dev/urandom >"$work/www/large"
large=$(sha256sum <"$work/www/large")
export large
ip tuntap add dev lasting mode tap multi_queue vnet_hdr
ip link set lasting master br0
index=$(ip -o link show lasting)
pvring run --net tap=lasting,ip=10.77.0.2/24,queues=2 -- \
	sh -c '[ "$(curl -sS --limit-rate 8M --max-time 60 http://10.77.0.1/large | sha256sum)" = "$large" ]' 2>"$work/killed.log" &
run=$!
within 10 pgrep -x pvring-netback -P $run
sleep 1
kills 10 $run 0.3 0.9 0.6 >"$work/kills"
wait $run
status=$?
check "the backend was killed ten times" test "$(grep -c killed "$work/kills")" = 10
check "96 MiB are right by checksum, through a TAP that stays" test $status = 0
check "it is the same TAP" test "$(ip -o link show lasting | cut -d: -f1)" = "${index%%:*}"

pvring run --net tap,bridge=br0,ip=10.77.0.2/24 -- sh -c 'sleep 6; ping -q -c 2 -w 5 10.77.0.1' >/dev/null 2>"$work/killed.log" &
run=$!
within 10 pgrep -x pvring-netback -P $run
sleep 0.5
kills 6 $run 0.01 0.03 0 0.05 0.02 0.08 >"$work/kills"
wait $run
check "killed six times in handshakes, the interface is there" test $? = 0

# Idle: CPU time in ticks of a hundredth of a second, over five seconds, and resident memory.
ticks() { sed 's/.*) //' "/proc/$1/stat" | awk '{print $12 + $13}'; }
pvring run --net tap,bridge=br0,ip=10.77.0.2/24 -- sleep 10 &
run=$!
within 10 pgrep -x pvring-net -P $run
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
wait $run

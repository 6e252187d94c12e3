#!/bin/sh
# SPDX-License-Identifier: MIT
# The guest kernel in six ways (matrix.sh), what of it is shared, and that it costs nothing while it sleeps.
. "$(dirname "$0")/lib.sh"
unset PVRING_DIR PVRING_DOMID XENSTORED_PATH
"$root/tests/e2e/matrix.sh" >"$work/matrix" 2>&1
status=$?
cat "$work/matrix"
check "every scenario in every way" test $status = 0
check "at least 95 % of the kernel's lines are shared" \
	test "$(sed -n 's/^with the frontends in it: .* \([0-9]*\) % shared$/\1/p' "$work/matrix")" -ge 95

# A bound on waste, not a measure of speed: run, hypervisor, backend and guest together.
truncate -s 4M "$work/disk.img"
timeout 60 pvring run --kernel "$root/build/guest-x86_64" --append "blk=first idle=13" --memory 32M --disk "$work/disk.img" \
	</dev/null >"$work/log" 2>"$work/err" &
running=$!
pids=$running
check "a guest with a disk falls asleep" within 10 grep -q '^blk: first' "$work/log"
sleep 1
family() { # PID: it and all below
	echo "$1"
	for child in $(cat /proc/"$1"/task/*/children); do family "$child"; done
}
ticks() { # user and system time of all of them, with every thread
	for pid in $all; do sed 's/.*) //' "/proc/$pid/stat"; done | awk '{t += $12 + $13} END {print t}'
}
all=$(family $running)
before=$(ticks)
sleep 10
used=$(($(ticks) - before))
echo "idle: $used ticks of $(getconf CLK_TCK) a second in ten seconds, by $(echo "$all" | wc -l) processes"
check "asleep it uses under 0.2 % of a CPU" test $used -le $(($(getconf CLK_TCK) * 10 * 2 / 1000))
wait $running
check "and wakes up" grep -q ^DONE "$work/log"

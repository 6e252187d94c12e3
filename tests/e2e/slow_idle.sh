#!/bin/sh
# SPDX-License-Identifier: MIT
# Idle costs nothing: all processes together under 0.2 % of a CPU over ten seconds with a connected disk, and
# the backend under 10 MiB of resident memory beside the guest's. (A bound on waste, not a measure of speed.)
. "$(dirname "$0")/lib.sh"
start_system
truncate -s 16M "$work/disk.img"
domid=$(pvring create guest)
pvring block-attach guest "$work/disk.img" >/dev/null
PVRING_DOMID=$domid; export PVRING_DOMID
$nbdkit -f -U "$work/nbd.sock" "$plugin" &
guest=$!
pids="$guest $pids"
check "a guest connects" within 10 nbdinfo --size "nbd+unix:///?socket=$work/nbd.sock"
check "it does I/O" nbdcopy "nbd+unix:///?socket=$work/nbd.sock" null:
sleep 1

ticks() { # user and system time of all of them, in clock ticks, with every thread
	for pid in $hv $back $guest; do sed 's/.*) //' "/proc/$pid/stat"; done | awk '{t += $12 + $13} END {print t}'
}
before=$(ticks)
sleep 10
used=$(($(ticks) - before))
limit=$(($(getconf CLK_TCK) * 10 * 2 * slow / 1000))
echo "idle: $used ticks of $(getconf CLK_TCK) a second in ten seconds, by all processes"
check "under 0.2 % of a CPU" test "$used" -le "$limit"
# Shared pages of the guest's memory count as RssShmem; the rest is the backend's own.
rss=$(awk '/^RssAnon|^RssFile/ {kb += $2} END {print kb}' "/proc/$back/status")
echo "blkback: $rss KiB resident beside guest memory"
case $BUILD in
*/asan) ;; # its shadow memory is not the backend's
*) check "under 10 MiB resident" test "$rss" -lt 10240 ;;
esac

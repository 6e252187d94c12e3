#!/bin/sh
# SPDX-License-Identifier: MIT
# kill -9 of the hypervisor under guests at work: each ends with an error soon, nothing waits for ever or stays behind.
. "$(dirname "$0")/lib.sh"
hypervisor_dies() {
	kill -9 "$hv"
	wait "$hv" 2>/dev/null
}
truncate -s 64M "$work/disk.img"
new_guest() { # its disk is slow, so that something is in flight
	start_system
	PVRING_DOMID=$(pvring create guest)
	export PVRING_DOMID
	check "attach" pvring block-attach guest "$work/disk.img,bps=4M"
}
served() { # PATTERN: a counter of the backend's for this disk
	within 10 sh -c 'pvring stats --json | grep -Eq "$0"' "$1"
}

new_guest
pvring blk verify >"$work/verify" 2>&1 &
guest=$!
pids="$pids $guest"
check "a guest is at work" served '"sectors_written": [1-9]'
hypervisor_dies
check "the hypervisor killed, the guest ends" within 10 ended $guest
wait $guest
check "with an error" test $? -ne 0
cat "$work/verify"
check "that says why" grep -q "the hypervisor is gone" "$work/verify"
check "and names the disk" grep -q "xvda: write at byte .*No such device" "$work/verify"
check "the backend ends too" within 10 ended $back
rm -rf "$work/hv"

if ! command -v nbdkit >/dev/null || ! command -v nbdcopy >/dev/null; then
	echo "left out: nbdkit or nbdcopy is not installed"
	exit
fi
new_guest
$nbdkit -f -U "$work/sock" "$plugin" >"$work/nbdkit.log" 2>&1 &
guest=$!
pids="$pids $guest"
check "nbdkit is a guest" within 10 test -S "$work/sock"
nbdcopy "nbd+unix:///?socket=$work/sock" "$work/out.img" >"$work/copy" 2>&1 &
client=$!
pids="$pids $client"
check "that reads" served '"sectors_read": [1-9]'
hypervisor_dies
check "the hypervisor killed, nbdkit and its client end" within 10 ended $guest $client
wait $client
check "the client with an error" test $? -ne 0
check "nbdkit said so" grep -q "the disk is gone" "$work/nbdkit.log"

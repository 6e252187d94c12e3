#!/bin/sh
# SPDX-License-Identifier: MIT
# Hostile guest kernels (tests/hostile/kernel), PV and under KVM, one after another beside a good guest on the same
# hypervisor and the same backends: its disk is verified and its pings are answered from the first to the last, nothing of
# ours dies, and each leaves nothing. `slow_hostile_kernel.sh MACHINE-WIDTH SEED [PARTS]` is one of them again.
. "$(dirname "$0")/net.sh"
kernel=$root/build/tests/hostile

[ "${PVRING_TEST_GOOD-}" ] || {
	start_host
	PVRING_TEST_GOOD=$work PVRING_TEST_NET=1 timeout $((200 * slow)) \
		pvring run --disk mem=32M --net tap,bridge=br0,ip=10.77.0.2/24 -- "$0" "$@" 2>"$work/run.log"
	check "no process of the system has died" test $? = 0
	check "nothing of ours was found wrong" sh -c "! grep -a 'AddressSanitizer\|runtime error\|page tables:' '$work/run.log'"
	exit
}

# ---- what the good guest runs ----

trap - EXIT
rmdir "$work"
work=$PVRING_TEST_GOOD
parent=$PPID
truncate -s 16M "$work/disk.img"

processes() { # of the system, with their names
	pgrep -l -P "$parent" | grep -v "sh$\|slow_host\|unshare" | sort
}
descriptors() { # of the system's processes, all in all; those that cannot be looked at are none
	for pid in $(processes | cut -d' ' -f1); do ls "/proc/$pid/fd" 2>/dev/null; done | wc -l
}
no_more_descriptors() { [ "$(descriptors)" -le "$open" ]; }
gone() { # gone DOMID NAME: no node, no statistics, no console
	! pvring list | grep -q "$2" && ! xenstore-exists "/local/domain/$1" &&
		! xenstore-exists "/local/domain/0/backend/vbd/$1" && ! xenstore-exists "/local/domain/0/backend/vif/$1" &&
		! ls "$PVRING_DIR" "$PVRING_DIR/stats" | grep -q -- "-$1\$\|-$1-"
}
over() { ! pvring list | grep -q "$vm"; }
orderly() { # the log of a guest ends with its end: its own, or ours by destroy
	grep -aq "the guest has ended\|the guest crashed\|the guest reboots" "$1" || { cat "$1"; return 1; }
	! grep -a "killed by signal\|monitor's own\|AddressSanitizer\|runtime error\|page tables:" "$1"
}
one() { # one TYPE WIDTH SEED [PARTS]
	vm=h-$1-$2-$3
	cat >"$work/$vm.cfg" <<-EOF
		name = "$vm"
		kernel = "$kernel-$2"
		type = "$1"
		extra = "seed=$3${4:+ parts=$4}"
		memory = 16
		disk = [ "$work/disk.img,raw,xvda,rw" ]
		vif = [ "tap" ]
		on_reboot = "destroy"
	EOF
	domid=$(pvring create "$work/$vm.cfg") || return
	timeout 20 pvring console "$vm" <"$work/keys" >"$work/said" 2>&1 &
	console=$!
	if within $limit over; then
		orderly "$PVRING_DIR/$vm.log"
	else
		echo "it did not end by itself"
		pvring destroy "$vm"
	fi || return
	kill $console 2>/dev/null
	grep -a "calls, \|connected" "$work/said"
	within 10 gone "$domid" "$vm" || { echo "it left something"; pvring list; ls "$PVRING_DIR" "$PVRING_DIR/stats"; return 1; }
	within 10 no_more_descriptors || { echo "more descriptors than $open: $(descriptors)"; return 1; }
}
limit=4
mkfifo "$work/keys"
exec 6<>"$work/keys"

kvm_boots() { # kvm_boots WIDTH: here; a KVM that interprets guests may have no paging but long mode's
	[ -r /dev/kvm ] && [ -w /dev/kvm ] &&
		timeout 20 pvring run --machine kvm --kernel "$kernel-$1" --memory 16M --append "parts=-" </dev/null 2>&1 | grep -q "parts are over"
}

good() { # its disk over and over
	until [ -e "$work/over" ]; do
		pvring blk --quiet --length 2M --seed "$(date +%N)" verify || return
		echo verified
	done
}
good >"$work/good" 2>&1 &
verifier=$!
ping -q -i 0.1 -W 10 10.77.0.1 >"$work/ping" 2>&1 &
ping=$!
within 10 grep -q verified "$work/good" || fail "the good guest does not begin"
before=$(processes)
open=$(descriptors)

if [ $# -gt 1 ]; then
	check "$1 seed $2" one "${1%%-*}" "${1#*-}" "$2" "${3-}"
	cat "$work/out"
	tail -40 "$PVRING_DIR"/h-*.log
else
	seeds="1 2 3 $(($(date +%s) % 1000000))"
	for width in x86_64 i386; do
		for seed in $seeds; do
			check "PV $width seed $seed" one pv $width "$seed"
			cat "$work/out"
		done
		kvm_boots $width || { echo "not run: PVH $width, which KVM does not boot here"; continue; }
		for seed in $seeds; do
			check "PVH $width seed $seed" one pvh $width "$seed"
			cat "$work/out"
		done
	done
fi
touch "$work/over"
wait $verifier
check "the good guest's disk was verified all the time" test $? = 0
echo "verified $(grep -c verified "$work/good") times"
kill -INT $ping
wait $ping
check "no ping of it was lost" grep -q ", 0% packet loss" "$work/ping"
check "the processes are the same" test "$(processes)" = "$before"
echo "$before"
exit $failed

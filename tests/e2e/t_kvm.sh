#!/bin/sh
# SPDX-License-Identifier: MIT
# The kvm machine with a kernel of a page, where there is a /dev/kvm, and what it says to wrong input.
. "$(dirname "$0")/lib.sh"
unset PVRING_DIR PVRING_DOMID XENSTORED_PATH
kernel() {
	gcc -m32 -nostdlib -static -Wl,-n,-Ttext=0x100000,--section-start=.note.Xen=0x105000,--build-id=none,--no-warn-rwx-segments \
		"$root/tests/e2e/kvm/$1.S" -o "$work/$1"
}
kernel tiny
kernel idle
objcopy --remove-section .note.Xen "$work/tiny" "$work/noteless" 2>/dev/null
head -c 100000 /dev/zero >"$work/zeroes"
head -c 4000 "$work/tiny" >"$work/short"
truncate -s 80M "$work/initrd"
refuses "no kernel named" 64 "needs a kernel" pvring run --machine kvm
refuses "a kernel without the machine" 65 "no PV entry.*--machine kvm" pvring run --kernel "$work/tiny"
refuses "a kernel and a command" 64 "not a command" pvring run --machine kvm --kernel "$work/tiny" -- true
refuses "no such machine" 64 "kvm or process" pvring run --machine vax
refuses "too many vCPUs" 64 "from 1 to 32" pvring run --machine kvm --kernel "$work/tiny" --vcpus 33
refuses "kernel missing" 66 "no kernel '$work/none'" pvring run --machine kvm --kernel "$work/none"
refuses "kernel is a directory" 65 "is a directory" pvring run --machine kvm --kernel "$work"
refuses "not a kernel" 65 "no ELF image" pvring run --machine kvm --kernel "$work/zeroes"
refuses "kernel cut off" 65 "beyond the end" pvring run --machine kvm --kernel "$work/short"
refuses "no PVH note" 65 "no PVH entry.*CONFIG_PVH" pvring run --machine kvm --kernel "$work/noteless"
refuses "initrd missing" 66 "no initrd '$work/none'" pvring run --machine kvm --kernel "$work/tiny" --initrd "$work/none"
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	refuses "no /dev/kvm" 66 "no /dev/kvm.*kvm-intel" unshare -m sh -c \
		"mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && exec pvring run --machine kvm --kernel '$work/tiny'"
	chmod 755 "$work"
	refuses "no permission for /dev/kvm" 77 "no permission for /dev/kvm" unshare -m sh -c \
		"mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 600 /dev/kvm c 10 232 &&
		cp '$BUILD/pvring' '$work/pvring' &&
		exec setpriv --reuid 65534 --regid 65534 --clear-groups '$work/pvring' run --machine kvm --kernel '$work/tiny'"
fi
if [ -c /dev/kvm ] && [ -r /dev/kvm ] && [ -w /dev/kvm ]; then
	refuses "too little memory" 64 "too little.*--memory" pvring run --machine kvm --kernel "$work/tiny" --initrd "$work/initrd" --memory 64M
	pvring run --machine kvm --kernel "$work/tiny" </dev/null >"$work/log" 2>"$work/err"
	check "a kernel of a page powers off" test $? = 0
	check "the mode is said in one line" grep -q '^pvring: KVM with' "$work/err"
	check "its text port" grep -q 'tiny: by the text port' "$work/log"
	check "its hypercall page" grep -q 'tiny: by the hypercall page' "$work/log"
	check "its timer and its event" grep -q 'tiny: woken by its timer' "$work/log"
	check "with four vCPUs" sh -c "pvring run --machine kvm --vcpus 4 --kernel '$work/tiny' </dev/null | grep -q woken"
	check "with 5 GiB" sh -c "pvring run --machine kvm --memory 5G --kernel '$work/tiny' </dev/null | grep -q woken"
	mkdir "$work/run"
	mkfifo "$work/keys"
	XDG_RUNTIME_DIR=$work/run
	export XDG_RUNTIME_DIR
	runs() { pvring list --dir "$work"/run/pvring-* | grep -q running; }
	timeout $((60 * slow)) script -qec "pvring run --machine kvm --kernel '$work/idle'" /dev/null <"$work/keys" >"$work/log" 2>&1 &
	script=$!
	exec 5>"$work/keys"
	check "an idle guest on a terminal" within 10 runs
	check "which is told how to end it" within 10 grep -q 'Ctrl-\] ends it' "$work/log"
	printf '\035' >&5
	wait $script
	check "Ctrl-] does" test $? = 0
	exec 5>&-
	pvring run --machine kvm --kernel "$work/idle" </dev/null 2>/dev/null &
	run=$!
	check "an idle guest" within 10 runs
	children=$(pgrep -P $run)
	kill $run
	check "SIGTERM ends it and its system" within 5 ended $run $children
	check "and leaves no directory" rmdir "$work/run"
	unset XDG_RUNTIME_DIR
	start_system
	domid=$(pvring create idle --memory 16M)
	refuses "shutdown of a domain that is down" 69 "not running" pvring shutdown idle
	refuses "reboot of no domain" 66 "no domain 'nobody'" pvring reboot nobody
fi

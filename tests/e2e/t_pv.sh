#!/bin/sh
# SPDX-License-Identifier: MIT
# The process machine with kernels of a page, in both word sizes, and what it says to wrong input.
. "$(dirname "$0")/lib.sh"
unset PVRING_DIR PVRING_DOMID XENSTORED_PATH
kernel() { # kernel NAME BITS
	gcc -m$2 -nostdlib -static -Wl,-n,-Ttext=0x200000,--section-start=.note.Xen=0x220000,--build-id=none,--no-warn-rwx-segments \
		"$root/tests/e2e/pv/$1.S" -o "$work/$1-$2"
}
# run BITS LETTER: the machine's steps, and the end that the letter chooses; to log and err, with the status
run() {
	pvring run --kernel "$work/machine-$1" --append "$2" </dev/null >"$work/log" 2>"$work/err"
}
case $BUILD in */asan | */tsan) confined=no ;; *) confined=yes ;; esac
for bits in 64 32; do
	kernel hello $bits
	pvring run --kernel "$work/hello-$bits" </dev/null >"$work/log" 2>"$work/err"
	check "$bits bits: a kernel of a page powers off" test $? = 0
	check "$bits bits: its console" grep -q '^hello by the hypercall page$' "$work/log"
	check "$bits bits: the mode is said in one line" grep -q "^pvring: a $bits-bit kernel in a process" "$work/err"
	kernel machine $bits
	run $bits -
	check "$bits bits: hypercalls, traps, page tables, events, the end" test $? = 0
	check "$bits bits: its text port" grep -q '^machine: by the text port$' "$work/log"
	check "$bits bits: no step went wrong" grep -q '^machine: all is well$' "$work/log"
	for end in "f a fault before there is a table" "d a fault without a table" "h interrupts off" "g no way back" "j a jump out of the window" "e sysenter"; do
		run $bits "${end%% *}"
		check "$bits bits: ${end#? } is a crash" test $? = 1
		check "$bits bits: ${end#? } is one line" test "$(grep -c '^pvring: the guest crashed: .* at 0x' "$work/err")" = 1
	done
	[ $confined = no ] || check "$bits bits: Linux's system calls are exceptions" run $bits s
done
if [ "$(id -u)" = 0 ] && [ $confined = yes ] && unshare -m true 2>/dev/null; then
	chmod 755 "$work"
	cp "$BUILD/pvring" "$work/pvring"
	check "without root and without /dev/kvm" unshare -m sh -c \
		"mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 &&
		exec setpriv --reuid 65534 --regid 65534 --clear-groups '$work/pvring' run --kernel '$work/machine-64' </dev/null"
fi
objcopy --remove-section .note.Xen "$work/hello-64" "$work/noteless" 2>/dev/null
refuses "no PV note" 65 "no PV entry.*--machine kvm" pvring run --kernel "$work/noteless"
refuses "more than one vCPU" 69 "one vCPU; --machine kvm" pvring run --kernel "$work/hello-64" --vcpus 2
refuses "too much memory" 64 "at most 1776M" pvring run --kernel "$work/hello-64" --memory 2G
refuses "too little memory" 64 "too little.*--memory" pvring run --kernel "$work/hello-64" --memory 2M
refuses "a command line too long" 64 "longer than 1023" pvring run --kernel "$work/hello-64" --append "$(printf '%01024d' 1)"
refuses "a kernel and a command" 64 "not a command" pvring run --kernel "$work/hello-64" -- true
refuses "an initrd without a kernel" 64 "need --kernel" pvring run --initrd "$work/hello-64"

# What runs while a guest sleeps: nothing. And what its process may do.
pvring run --kernel "$work/machine-64" --append w </dev/null >"$work/waits.log" 2>&1 &
run=$!
check "a guest that waits" within 10 grep -q 'all is well' "$work/waits.log"
guest=$(pgrep -P $run -x pvring-guest)
if [ $confined = yes ]; then
	check "its process is confined" grep -q '^Seccomp:.2$' "/proc/$guest/status"
	check "it has nothing open but its console, its memory and its events" sh -c \
		"! ls -l /proc/$guest/fd | sed -n 's/.* -> //p' | grep -v '^/dev/null$\|^$work/\|^anon_inode:\|^/memfd:\|^socket:'"
fi
turns() { awk '/ctxt_switches/ { n += $2 } END { print n }' /proc/$guest/task/*/status; }
sleeps() { before=$(turns) && sleep 1 && test "$(turns)" = "$before"; }
check "asleep it takes no turn at all" within 10 sleeps
kill $run
check "SIGTERM ends it" within 10 ended $run

# In the background, as a guest of a hypervisor that stays; and what is counted.
start_system
printf 'name = "%s"\nkernel = "%s"\nmemory = 32\ntype = "pv"\nextra = "w"\n' pv "$work/machine-64" >"$work/pv.cfg"
check "create from a file, type pv" pvring create "$work/pv.cfg"
check "it runs" within 10 sh -c "pvring stats | grep -q emulated_control"
counts() { pvring stats | grep -Eq "$1"; }
check "its counts: hypercalls about tables, faults, mappings, emulated instructions" within 10 counts \
	'page_tables [1-9].* page_faults [1-9].* mmaps [1-9].* pages_mapped [1-9].* emulated_interrupt [1-9].* emulated_segment [1-9].* emulated_control [1-9]'
check "and as JSON" sh -c "pvring stats --json | grep -q '\"pages_mapped\": [1-9]'"
pvring destroy pv
check "destroyed, its counts are gone" within 10 sh -c "! pvring stats | grep -q '^guest '"

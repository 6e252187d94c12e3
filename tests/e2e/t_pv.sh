#!/bin/sh
# SPDX-License-Identifier: MIT
# The process machine with kernels of a page, in both word sizes, and what it says to wrong input.
. "$(dirname "$0")/lib.sh"
unset PVRING_DIR PVRING_DOMID XENSTORED_PATH
kernel() { # kernel NAME BITS
	gcc -m$2 -nostdlib -static -Wl,-n,-Ttext=0x200000,--section-start=.note.Xen=0x220000,--build-id=none,--no-warn-rwx-segments \
		"$root/tests/e2e/pv/$1.S" -o "$work/$1-$2"
}
for bits in 64 32; do
	kernel hello $bits
	pvring run --kernel "$work/hello-$bits" </dev/null >"$work/log" 2>"$work/err"
	check "$bits bits: a kernel of a page powers off" test $? = 0
	check "$bits bits: its console" grep -q '^hello by the hypercall page$' "$work/log"
	check "$bits bits: the mode is said in one line" grep -q "^pvring: a $bits-bit kernel in a process" "$work/err"
done
objcopy --remove-section .note.Xen "$work/hello-64" "$work/noteless" 2>/dev/null
refuses "no PV note" 65 "no PV entry.*--machine kvm" pvring run --kernel "$work/noteless"
refuses "more than one vCPU" 69 "one vCPU; --machine kvm" pvring run --kernel "$work/hello-64" --vcpus 2
refuses "too much memory" 64 "at most 1776M" pvring run --kernel "$work/hello-64" --memory 2G
refuses "too little memory" 64 "too little.*--memory" pvring run --kernel "$work/hello-64" --memory 2M
refuses "a command line too long" 64 "longer than 1023" pvring run --kernel "$work/hello-64" --append "$(printf '%01024d' 1)"
refuses "a kernel and a command" 64 "not a command" pvring run --kernel "$work/hello-64" -- true
refuses "an initrd without a kernel" 64 "need --kernel" pvring run --initrd "$work/hello-64"

#!/bin/sh
# SPDX-License-Identifier: MIT
# The benchmarks of a guest kernel: every figure is there and is one, and JSON is what it should be. How large they are
# is no test.
. "$(dirname "$0")/lib.sh"
unset PVRING_DIR PVRING_DOMID XENSTORED_PATH
kernel=$root/build/guest-x86_64

# bench NAME ROWS: a round of it has so many rows, each with a median above 0.
bench() {
	timeout $((60 * slow)) pvring bench "$1" --rounds 1 --json --kernel "$kernel" >"$work/$1.json" 2>"$work/$1.log" || return 1
	medians=$(sed -n 's/.*"median": \([^,]*\),.*/\1/p' "$work/$1.json")
	echo "$medians"
	[ "$(echo "$medians" | wc -l)" = "$2" ] && ! echo "$medians" | grep -qv '^[0-9.e+-]*[1-9]' &&
		grep -q '^}$' "$work/$1.json"
}

check "bench timer" bench timer 6
# A sanitizer's build counts all page tables again after each of some 25,000 calls.
[ "$slow" = 1 ] && check "bench mmu" bench mmu 14
check "bench trap" bench trap 19
check "its conclusion" grep -q 'a hundredth of a CPU is [1-9][0-9]* emulated instructions a second' "$work/trap.json"
check "bench boot" bench boot 6

refuses "no such kernel" 66 "nonesuch: No such file" pvring bench mmu --kernel "$work/nonesuch"
refuses "no kernel at all" 66 "make guest" sh -c "cp '$BUILD/pvring' '$work/pvring' && exec '$work/pvring' bench mmu"
echo "not a kernel" >"$work/text"
timeout $((60 * slow)) pvring bench mmu --kernel "$work/text" >"$work/out" 2>"$work/err"
check "a file that is no kernel" test $? -ne 0 -a -s "$work/err"

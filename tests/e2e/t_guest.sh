#!/bin/sh
# SPDX-License-Identifier: MIT
# The guest kernel of guest/ as a PV guest, both widths: every scenario, and what becomes of one that fails.
. "$(dirname "$0")/lib.sh"
unset PVRING_DIR PVRING_DOMID XENSTORED_PATH
scenarios="boot traps mmu=stress,400 timer=20 clock tasks blk=first blk=verify,2M"
says() { grep -q "^$1" "$work/log"; }

for width in i386 x86_64; do
	guest=$root/build/guest-$width
	truncate -s 4M "$work/disk.img"
	# shellcheck disable=SC2086
	timeout $((60 * slow)) pvring run --kernel "$guest" --append "$scenarios" --memory 32M --disk "$work/disk.img" \
		</dev/null >"$work/log" 2>"$work/err"
	check "$width: powers off" test $? = 0
	check "$width: it is a PV guest of its width" says "boot: $(echo "$width" | sed 's/i386/32/; s/x86_64/64/') bits, PV, Xen"
	for row in traps mmu timer clock tasks 'blk: first' 'blk: 2048 KiB'; do
		check "$width: $row" says "$row"
	done
	check "$width: DONE" says DONE
	timeout $((20 * slow)) pvring run --kernel "$guest" --append "boot nonsense" --memory 16M </dev/null >"$work/log" 2>"$work/err"
	check "$width: a scenario that fails is a crash" test $? = 1
	check "$width: with its reason" says "FAILED: nonsense: this kernel has no such scenario"
	timeout $((20 * slow)) pvring run --kernel "$guest" --append "blk=verify,64M" --memory 16M --disk "$work/disk.img" \
		</dev/null >"$work/log" 2>"$work/err"
	check "$width: a disk that is too small" says "FAILED: blk: the disk is smaller"
done

#!/bin/bash
# SPDX-License-Identifier: MIT
# matrix.sh: the guest kernel of guest/, both widths, on bare (emulated) hardware, as a PVH guest of the kvm machine and as a PV
# guest of the process machine. One table: scenarios down, the six ways across. Then how many lines are shared.
# Fails when a cell does.
#
# PVH needs a KVM that runs any guest; where /dev/kvm is missing or is not that, the one of the nested machine (kvm/nested.sh).
. "$(dirname "$0")/lib.sh"
here=$root/tests/e2e
export NESTED=${NESTED:-$root/build/kvm-nested}
guest=$root/build/guest
rows="boot traps mmu timer clock tasks idle blk"
common="boot traps mmu=stress,1000 timer=20 clock tasks"
devices="idle=1 blk=verify,1M"
columns="native-i386 native-x86_64 PVH-i386 PVH-x86_64 PV-i386 PV-x86_64"

seconds() { # seconds COLUMN COMMAND...: its output becomes the column's log
	column=$1 began=$(date +%s%N)
	shift
	timeout -k 5 100 "$@" </dev/null >"$work/$column.log" 2>"$work/$column.err"
	echo $((($(date +%s%N) - began) / 100000000)) >"$work/$column.took"
}

native() { # native WIDTH
	seconds "native-$1" "qemu-system-$1" -display none -serial none -monitor none -m 64 -no-reboot -debugcon stdio \
		-device isa-debug-exit,iobase=0xf4,iosize=1 -kernel "$guest-$1" -append "$common"
}

run_line() { # run_line WIDTH OPTION...: the guest by `pvring run`, with a disk
	width=$1
	shift
	truncate -s 4M "$work/$width.img"
	echo "pvring run $* --kernel $guest-$width --memory 32M --disk $work/$width.img"
}

pv() { # pv WIDTH
	# shellcheck disable=SC2046
	seconds "PV-$1" $(run_line "$1") --append "$common $devices"
}

# What /dev/kvm must be able to do: paging without long mode, and any trap.
kvm_is_whole() {
	[ -r /dev/kvm ] && [ -w /dev/kvm ] &&
		timeout 20 pvring run --machine kvm --kernel "$guest-i386" --memory 32M --append "boot traps" </dev/null 2>/dev/null | grep -q ^DONE
}

pvh_here() {
	for width in i386 x86_64; do
		# shellcheck disable=SC2046
		seconds "PVH-$width" $(run_line "$width" --machine kvm) --append "$common $devices"
	done
}

pvh_nested() {
	payload=$work/payload
	mkdir -p "$payload/bin" "$payload/lib"
	cp "$BUILD/pvring" "$guest-i386" "$guest-x86_64" "$payload/bin/"
	strip "$payload"/bin/*
	ldd "$BUILD/pvring" | grep -o '/[^ ]*' | while read -r library; do cp -Ln "$library" "$payload/lib/"; done
	cat >"$payload/run.sh" <<-RUN
		cd /tmp
		column() {
			truncate -s 4M \$1.img
			began=\$(cut -d' ' -f1 /proc/uptime | tr -d .)
			timeout 100 pvring run --machine kvm --kernel /payload/bin/guest-\$1 --memory 32M --disk \$1.img \\
				--append "$common $devices" </dev/null >\$1.log 2>\$1.err
			echo \$(((\$(cut -d' ' -f1 /proc/uptime | tr -d .) - began) / 10)) >\$1.took
		}
		column i386 & column x86_64 & wait
		echo # what the firmware left on the line
		for file in i386.* x86_64.*; do case \$file in *.img) ;; *) sed "s/^/PVH-\$file> /" \$file ;; esac; done
	RUN
	"$here/kvm/nested.sh" -b -t 200 "$payload" >"$work/nested.log" 2>&1 || tail -20 "$work/nested.log"
	for width in i386 x86_64; do
		for part in log err took; do sed -n "s/^PVH-$width.$part> //p" "$work/nested.log" >"$work/PVH-$width.$part"; done
	done
}

cell() { # cell ROW COLUMN
	case $2-$1 in native-*-idle | native-*-blk) echo - && return ;; esac
	[ -e "$work/$2.log" ] || { echo - && return; }
	if grep -q "^$1: " "$work/$2.log" && ! grep -q "^FAILED: $1" "$work/$2.log"; then echo pass; else echo FAIL; fi
}

table() {
	format="%-8s%12s %13s%12s%12s%12s%12s\n"
	# shellcheck disable=SC2059,SC2086
	printf "$format" "" $columns
	for row in $rows; do
		cells=
		for column in $columns; do
			got=$(cell "$row" "$column")
			[ "$got" = FAIL ] && failed=1
			cells="$cells $got"
		done
		# shellcheck disable=SC2059,SC2086
		printf "$format" "$row" $cells
	done
	took=
	for column in $columns; do took="$took $(sed 's/\(.\)$/.\1/; s/^\./0./' "$work/$column.took" 2>/dev/null || echo -)"; done
	# shellcheck disable=SC2059,SC2086
	printf "$format" seconds $took
}

ends() { # every way ends with DONE; what was said where not
	for column in $columns; do
		[ -e "$work/$column.log" ] || continue
		grep -q ^DONE "$work/$column.log" && continue
		failed=1
		echo "$column did not end with DONE:"
		tail -n 5 "$work/$column.log" "$work/$column.err" 2>/dev/null | sed 's/^/  | /'
	done
}

native i386
native x86_64
if kvm_is_whole; then pvh_here; else pvh_nested; fi
pv i386
pv x86_64
table
ends
"$here/shared_lines.sh"

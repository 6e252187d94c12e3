#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Compares include/pvring/xen with libxen-dev's headers: every size, offset, width and constant, for
# x86_64 and i386, and the foreign block layouts with the native ones of each width. Run from the
# top, with a directory for what it builds: tests/abi/run.sh build/abi. CC must know -m32.
#
# shellcheck disable=SC2086 # flags are words
set -eu

out=$1
cc=${CC:-gcc}
here=tests/abi
xen=/usr/include/xen/xen.h
# gcc-12-multilib alone leaves the kernel's <asm/errno.h> where only -m64 looks.
asm=/usr/include/$($cc -print-multiarch)
cflags="-std=gnu11 -Wall -Wextra -Werror -Iinclude -idirafter $asm"

die()
{
	echo "abi: $*" >&2
	exit 1
}

[ -e $xen ] || die "$xen is missing: install libxen-dev"
echo 'int main(void) { return 0; }' | $cc -m32 -x c - -o /dev/null 2>/dev/null ||
	die "$cc -m32 does not link: install gcc-12-multilib or gcc-multilib"
mkdir -p "$out"

# A list that is not complete proves nothing. Guards, helpers, what only Linux has and the bits of an
# entry, which are the processor's, are excepted.
missing=$(for h in include/pvring/xen/*.h; do
	sed -n 's/^#define \([A-Za-z_][A-Za-z0-9_]*\).*/\1/p; s/^struct \([a-z0-9_]*\) {$/\1/p' "$h"
done | grep -Evx 'PVR_.*|XSD_ERRORS|XEN_NETIF_EXTRA_TYPE_XDP|_PAGE_.*|.*_PPI|blkif_x86_(32|64)_.*' |
	sort -u | while read -r name; do
		grep -qw -e "$name" $here/list.h || grep -qw -e "${name#blkif_}" $here/blkif_list.h ||
			echo "$name"
	done)
[ -z "$missing" ] || die "not in list.h: $missing"

# facts NAME FLAG...: build with the flags, write what it prints into NAME.
facts()
{
	name=$out/$1
	shift
	$cc $cflags "$@" $here/facts.c -o "$name.bin"
	"$name.bin" >"$name"
}

# same WHAT OURS XEN
same()
{
	diff -u --label "$1: pvring" --label "$1: libxen-dev" "$out/$2" "$out/$3" ||
		die "$1: pvring's headers (-) and libxen-dev's (+) differ"
}

for bits in 32 64; do
	facts ours$bits -m$bits
	facts xen$bits -m$bits -DPVR_ABI_XEN
	facts blkif$bits -m$bits -DPVR_ABI_XEN -DPVR_ABI_BLKIF=blkif
done
same x86_64 ours64 xen64
same i386 ours32 xen32
for bits in 32 64; do
	for as in 32 64; do
		facts foreign$bits.$as -m$bits -DPVR_ABI_BLKIF=blkif_x86_$as
		same "blkif_x86_${as}_* built for $bits bits" foreign$bits.$as blkif$as
	done
done

# Freestanding: no header may need a libc or libxen-dev, and each stands alone.
if grep -n '^#include' include/pvring/xen/*.h |
	grep -Ev '<(stdint|stddef)\.h>|"pvring/xen/[a-z_]+\.h"'; then
	die "the headers may include stdint.h, stddef.h and each other"
fi
for h in include/pvring/xen/*.h; do
	for m in 32 64; do
		echo "#include \"${h#include/}\"" |
			$cc $cflags -m$m -ffreestanding -nostdlib -x c -fsyntax-only - ||
			die "$h does not stand alone for $m bits"
	done
done

version=$(dpkg-query -W -f '${Version}' libxen-dev 2>/dev/null || echo '?')
echo "abi: $(wc -l <"$out/ours64") facts equal to Xen's headers (libxen-dev $version) on x86_64," \
	"$(wc -l <"$out/ours32") on i386; foreign block layouts equal both ways"

#!/bin/sh
# SPDX-License-Identifier: MIT
# shared_lines.sh: of the lines of the guest kernel, how many are there for one width or one hypervisor alone: the files
# only_*.c; what stands between #ifdef __x86_64__ and its #endif, on either side of the #else; the entry of PV, marked so
# in entry.S. Empty lines do not count, comments do. Then the same with the frontends that the kernel is linked with.
cd "$(dirname "$0")/../.." || exit 1
own=$(ls guest/*.[ch] guest/lwip/*.[ch] guest/lwip/*/*.h ports/x86/*) # of lwIP only what joins it to the kernel
count() { # count FILE...: shared and unshared
	awk '
		FNR == 1 { inside = only = 0 }
		/^#ifdef __x86_64__/ { inside = 1; next }
		inside && /^#else/ { next }
		inside && /^#endif/ { inside = 0; next }
		/\/\* only .* \*\/$/ { only = 1 }
		/\/\* both \*\/$/ { only = 0 }
		NF { if (inside || only || FILENAME ~ /only_/) alone++; else shared++ }
		END { print shared + 0, alone + 0 }' "$@"
}
# shellcheck disable=SC2046,SC2086
set -- $(count $own) $(count rings/*.[ch] frontend/*.[ch] blkfront/*.[ch] netfront/*.[ch])
percent() { echo $((($1 * 1000 / ($1 + $2) + 5) / 10)); }
echo "lines of guest/ and ports/x86: $1 shared, $2 for one width or one hypervisor: $(percent "$1" "$2") % shared"
echo "with the frontends in it: $(($1 + $3)) shared, $(($2 + $4)) not: $(percent $(($1 + $3)) $(($2 + $4))) % shared"

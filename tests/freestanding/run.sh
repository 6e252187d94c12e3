#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The frontends must run in a kernel that has no libc: build them without its headers, for every
# architecture whose compiler is here, and look at what each archive wants from outside. Only the port
# and the four memory functions are allowed; a call into libgcc (64-bit division or atomics on i386) is
# a kernel's trouble too. The guest kernel's port, ports/x86, is compiled with the same flags and must supply all that the
# archive wants. docs/PORTING.md prints one file of it, and says how long the others are: both must still be so.
#
# usage: tests/freestanding/run.sh BUILD-DIRECTORY SOURCE...
set -eu
export LC_ALL=C

out=$1
shift
flags="-std=gnu11 -O2 -g -ffreestanding -nostdlib -nostdinc -fno-stack-protector -fno-pic
	-Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Werror -Iinclude -Iinclude/freestanding"
allowed='^(pvr_port_[a-z0-9_]+|memcpy|memset|memmove|memcmp)$'
said=

build() { # arch, prefix of the binutils, compiler and its flags
	arch=$1 tools=$2
	shift 2
	dir=$out/freestanding/$arch
	rm -rf "$dir"
	mkdir -p "$dir"
	for source in $sources; do
		object=$dir/$(echo "$source" | tr / _ | sed 's/c$/o/')
		# shellcheck disable=SC2086
		"$@" $flags -isystem "$("$@" -print-file-name=include)" -c "$source" -o "$object"
	done
	"${tools}ar" rcs "$dir/libpvring.a" "$dir"/*.o
	"${tools}nm" -g --defined-only "$dir/libpvring.a" | awk 'NF == 3 { print $3 }' | sort -u >"$dir/defined"
	"${tools}nm" -u "$dir/libpvring.a" | awk '$1 == "U" { print $2 }' | sort -u >"$dir/wanted"
	comm -13 "$dir/defined" "$dir/wanted" >"$dir/undefined"
	if extra=$(grep -Ev "$allowed" "$dir/undefined"); then
		echo "freestanding: $arch: wants symbols no kernel promises:" $extra >&2
		exit 1
	fi
	said="$said $arch ($(wc -l <"$dir/undefined") symbols)"
}

port() { # arch, compiler and its flags: whether ports/x86 supplies what the archive of that arch wants
	arch=$1
	shift
	dir=$out/freestanding/$arch
	for source in ports/x86/*.c; do
		# shellcheck disable=SC2086
		"$@" $flags -I. -mgeneral-regs-only -isystem "$("$@" -print-file-name=include)" -c "$source" -o "$dir/port_$(basename "$source" .c).o"
	done
	nm -g --defined-only "$dir"/port_*.o | awk 'NF == 3 { print $3 }' | sort -u >"$dir/supplied"
	if lacks=$(comm -23 "$dir/undefined" "$dir/supplied" | grep .); then
		echo "freestanding: $arch: ports/x86 lacks:" $lacks >&2
		exit 1
	fi
}

# The table of docs/PORTING.md: | step | what | `file` `file` | lines | ... | may be off by a fifth.
lines_are_as_said() {
	grep '^|[ 0-9]*|.*`.*| [0-9]* |' docs/PORTING.md | while IFS='|' read -r _ _ _ files lines _; do
		# shellcheck disable=SC2046
		really=$(cat $(echo "$files" | tr -d '`') | wc -l)
		if [ $((really * 5)) -gt $((lines * 6)) ] || [ $((really * 6)) -lt $((lines * 5)) ]; then
			echo "freestanding: docs/PORTING.md says that$files has$lines lines; there are $really" >&2
			exit 1
		fi
	done
}

sources=$*
mkdir -p "$out/freestanding"
sed -n '/^<!-- port.c: .*from here/,/^<!-- port.c: to here/p' docs/PORTING.md | sed '/^<!--/d; /^```/d' |
	diff - ports/x86/port.c >&2 || { echo "freestanding: docs/PORTING.md prints another ports/x86/port.c" >&2; exit 1; }
lines_are_as_said
build x86_64 '' gcc -m64
build i386 '' gcc -m32
port x86_64 gcc -m64
port i386 gcc -m32
if command -v aarch64-linux-gnu-gcc-12 >/dev/null; then
	# Without the option gcc calls libgcc to choose between two kinds of atomics at run time.
	build aarch64 aarch64-linux-gnu- aarch64-linux-gnu-gcc-12 -mno-outline-atomics
else
	said="$said, aarch64 left out (gcc-12-aarch64-linux-gnu is not installed)"
fi
echo "freestanding: ok:$said want the port and memcpy, memset, memmove, memcmp only, and ports/x86 supplies them"

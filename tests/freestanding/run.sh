#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The frontends must run in a kernel that has no libc: build them without its headers, for every
# architecture whose compiler is here, and look at what each archive wants from outside. Only the port
# and the four memory functions are allowed; a call into libgcc (64-bit division or atomics on i386) is
# a kernel's trouble too. The port printed in docs/PORTING.md is compiled with them, and must supply all
# that the archive wants of a port.
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
	# shellcheck disable=SC2086
	"$@" $flags -isystem "$("$@" -print-file-name=include)" -c "$listing" -o "$dir/port.o"
	"${tools}nm" -g --defined-only "$dir/port.o" | awk '{ print $3 }' | sort -u >"$dir/supplied"
	if lacks=$(grep '^pvr_port_' "$dir/undefined" | comm -23 - "$dir/supplied" | grep .); then
		echo "freestanding: $arch: the port in docs/PORTING.md lacks:" "$lacks" >&2
		exit 1
	fi
	said="$said $arch ($(wc -l <"$dir/undefined") symbols)"
}

sources=$*
listing=$out/freestanding/port.c
mkdir -p "$out/freestanding"
sed -n '/^<!-- port.c: .*from here/,/^<!-- port.c: to here/p' docs/PORTING.md | sed '/^<!--/d; /^```/d' >"$listing"
if ! test -s "$listing"; then
	echo "freestanding: docs/PORTING.md has no listing of a port" >&2
	exit 1
fi
build x86_64 '' gcc -m64
build i386 '' gcc -m32
if command -v aarch64-linux-gnu-gcc-12 >/dev/null; then
	# Without the option gcc calls libgcc to choose between two kinds of atomics at run time.
	build aarch64 aarch64-linux-gnu- aarch64-linux-gnu-gcc-12 -mno-outline-atomics
else
	said="$said, aarch64 left out (gcc-12-aarch64-linux-gnu is not installed)"
fi
echo "freestanding: ok:$said want the port and memcpy, memset, memmove, memcmp only"

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# build.sh DIR: prepare DIR/source, configured fio source of the version of the fio that is installed, for the
# engine to be compiled against: its headers are not packaged. From the distribution's source package, or from
# $FIO_SRC, a directory with fio's source. Prints the version, "fio-3.33".
set -eu
dir=$1 here=$(dirname "$0")
die() { echo "make fio-engine: $*" >&2; exit 69; }

command -v fio >/dev/null || die "fio is missing; please run: sudo apt-get install -y fio dpkg-dev"
version=$(fio --version)
source_version() { sed -n 's/^DEF_VER=//p' "$1/FIO-VERSION-GEN" 2>/dev/null; }

fetch() {
	package=$(dpkg-query -W -f '${source:Version}' fio 2>/dev/null) ||
		die "$version is not the distribution's: set FIO_SRC=DIRECTORY to its source"
	"$here/../source.sh" "$dir" "fio=$package" fio "$(dpkg-query -W -f '${Version}' fio)" ||
		die "$(tail -1 "$dir/fetch.log"); set FIO_SRC=DIRECTORY to have it from elsewhere"
}

if [ "$(source_version "$dir/source")" != "$version" ] || [ ! -f "$dir/source/config-host.h" ]; then
	mkdir -p "$dir"
	dir=$(cd "$dir" && pwd)
	rm -rf "$dir/source" "$dir"/source.new "$dir"/fio-*
	if [ -n "${FIO_SRC-}" ]; then
		[ -f "$FIO_SRC/FIO-VERSION-GEN" ] || die "FIO_SRC=$FIO_SRC has no source of fio"
		cp -R "$FIO_SRC" "$dir/source.new"
	else
		(fetch)
	fi
	got=$(source_version "$dir/source.new")
	[ "$got" = "$version" ] ||
		die "the source is of ${got:-no known version} and the installed fio is $version: install that fio, or set FIO_SRC=DIRECTORY to the source of $version"
	(cd "$dir/source.new" && ./configure --disable-native) >"$dir/configure.log" 2>&1 ||
		die "fio's configure failed, see $dir/configure.log"
	mv "$dir/source.new" "$dir/source"
fi
echo "$version"

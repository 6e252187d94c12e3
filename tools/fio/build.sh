#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# build.sh DIR: prepare DIR/source, configured fio source of the version of the fio that is installed, for the
# engine to be compiled against: its headers are not packaged. From the distribution's source package, or from
# $FIO_SRC, a directory with fio's source. Prints the version, "fio-3.33".
set -eu
dir=$1
die() { echo "make fio-engine: $*" >&2; exit 69; }

command -v fio >/dev/null || die "fio is missing; please run: sudo apt-get install -y fio dpkg-dev"
version=$(fio --version)
source_version() { sed -n 's/^DEF_VER=//p' "$1/FIO-VERSION-GEN" 2>/dev/null; }

# The archive that the installed fio came from has its source too.
sources() {
	apt-cache policy fio | awk -v v="$1" '
		/^ \*\*\*/ || /^     [^ ]/ { at = 0 }
		/^ \*\*\*/ && $2 == v { at = 1 }
		at && $2 ~ /^(https?|file|mirror)/ { split($3, s, "/"); print "deb-src " $2 " " s[1] " " s[2] }'
}
fetch() {
	command -v apt-get >/dev/null || die "no apt-get to fetch the source of $version: unpack it and set FIO_SRC=DIRECTORY"
	command -v dpkg-source >/dev/null || die "dpkg-dev is missing; please run: sudo apt-get install -y dpkg-dev"
	package=$(dpkg-query -W -f '${source:Version}' fio 2>/dev/null) ||
		die "$version is not the distribution's: set FIO_SRC=DIRECTORY to its source"
	installed=$(dpkg-query -W -f '${Version}' fio)
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	sources "$installed" >"$dir/sources.list"
	[ -s "$dir/sources.list" ] ||
		echo "deb-src http://deb.debian.org/debian $(. /etc/os-release && echo "$VERSION_CODENAME") main" >"$dir/sources.list"
	here=$(cd "$dir" && pwd)
	apt="apt-get -q -o Dir::Etc::sourcelist=$here/sources.list -o Dir::Etc::sourceparts=/dev/null
		-o Dir::State::lists=$here/lists -o Dir::Cache=$here/cache -o APT::Sandbox::User=$(id -un)"
	if ! { $apt update && cd "$dir" && $apt source "fio=$package"; } >"$here/fetch.log" 2>&1; then
		tail -3 "$here/fetch.log" >&2
		die "cannot fetch the source of fio $package; set FIO_SRC=DIRECTORY to have it from elsewhere"
	fi
	cd "$here"
	set -- fio-*/
	rm -rf source.new
	mv "${1%/}" source.new
	rm -f fio_*
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

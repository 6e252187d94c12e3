#!/bin/sh
# SPDX-License-Identifier: MIT
# source.sh DIR SOURCE BINARY VERSION: unpack the distribution's source package SOURCE (NAME or NAME=VERSION) into
# DIR/source.new, from the archive that has VERSION of the package BINARY. What apt knows of this machine stays as it is.
# Without it: status 69, and the reason is the last line of DIR/fetch.log.
set -eu
dir=$1 source=$2 binary=$3 version=$4
mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
dir=$(cd "$dir" && pwd)
exec >"$dir/fetch.log" 2>&1
for command in apt-get:apt dpkg-source:dpkg-dev; do
	command -v "${command%:*}" >/dev/null || { echo "${command%:*} is missing; please run: sudo apt-get install -y ${command#*:}"; exit 69; }
done
apt-cache policy "$binary" | awk -v v="$version" '
	/^ (\*\*\*|   ) [^ ]/ { at = ($1 == "***" ? $2 : $1) == v }
	at && $2 ~ /^(https?|file|mirror)/ { split($3, s, "/"); print "deb-src " $2 " " s[1] " " s[2] }' >"$dir/sources.list"
[ -s "$dir/sources.list" ] ||
	echo "deb-src http://deb.debian.org/debian $(. /etc/os-release && echo "$VERSION_CODENAME") main" >"$dir/sources.list"
apt="apt-get -q -o Dir::Etc::sourcelist=$dir/sources.list -o Dir::Etc::sourceparts=/dev/null
	-o Dir::State::lists=$dir/lists -o Dir::Cache=$dir/cache -o APT::Sandbox::User=$(id -un)
	-o Acquire::Retries=1 -o Acquire::http::Timeout=15"
cd "$dir"
name=${source%%=*}
rm -rf source.new "$name"-*/ "$name"_*
{ $apt update && $apt source "$source"; } || { echo "cannot fetch the source of $source"; exit 69; }
set -- "$name"-*/
mv "${1%/}" source.new
rm -f "$name"_*

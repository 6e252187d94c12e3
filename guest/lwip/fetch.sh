#!/bin/sh
# SPDX-License-Identifier: MIT
# fetch.sh DIR: lwIP's source into DIR/source, once: from the distribution's source package, or from $LWIP_SRC, a
# directory with it. Where it cannot be had one line says so, and the guest is built without a network.
set -eu
dir=$1
[ -f "$dir/source/src/core/tcp.c" ] && exit
mkdir -p "$dir"
rm -rf "$dir/source" "$dir/source.new"
if [ -n "${LWIP_SRC-}" ]; then
	cp -R "$LWIP_SRC" "$dir/source.new"
elif ! "${0%/*}/../../tools/source.sh" "$dir" lwip liblwip-dev \
	"$(apt-cache policy liblwip-dev 2>/dev/null | awk '$1 == "Candidate:" { print $2 }')"; then
	echo "guest: no network, for want of lwIP's source: $(tail -1 "$dir/fetch.log"), or set LWIP_SRC=DIRECTORY"
	exit
fi
if [ -f "$dir/source.new/src/core/tcp.c" ]; then
	mv "$dir/source.new" "$dir/source"
else
	echo "guest: no network: LWIP_SRC=${LWIP_SRC-} has no source of lwIP"
fi

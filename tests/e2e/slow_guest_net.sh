#!/bin/sh
# SPDX-License-Identifier: MIT
# The guest kernel's network: both word sizes as PV guests.
. "$(dirname "$0")/lib.sh"
unset PVRING_DIR PVRING_DOMID XENSTORED_PATH
if ! [ -f "$root/build/lwip/source/src/core/tcp.c" ]; then
	echo "guest_net: not run: no source of lwIP"
	exit 0
fi
for width in i386 x86_64; do
	check "pings and 1 MiB each way, $width" timeout 100 "$root/tests/e2e/guest_net.sh" --kernel "$root/build/guest-$width"
done

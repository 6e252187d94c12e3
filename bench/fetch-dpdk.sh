#!/bin/sh
# SPDX-License-Identifier: MIT
# fetch-dpdk.sh DIRECTORY: Debian's dpdk-testpmd and the libraries it needs into a directory, without installing them
# (the package would bring 224 others). For bench/compare-net.sh, which finds it by $DPDK_DIR. EAL loads no drivers from
# below a directory that everybody may write, such as /tmp.
set -eu
[ $# = 1 ] || { echo "usage: $0 DIRECTORY" >&2; exit 64; }
mkdir -p "$1/packages"
cd "$1/packages"
apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances dpdk-dev |
	awk '/^[a-z]/ && !/-dev$/ && /^(dpdk|lib|ibverbs-providers)/ || /^dpdk-dev$/ {print $1}' | sort -u |
	while read -r package; do
		dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || echo "$package"
	done >list
xargs apt-get download -q <list >log 2>&1 || { tail -3 log >&2; exit 69; }
for package in *.deb; do dpkg-deb -x "$package" ..; done
rm -rf ../packages
find .. -name 'dpdk-testpmd*' -type f

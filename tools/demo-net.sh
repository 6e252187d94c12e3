#!/bin/sh
# SPDX-License-Identifier: MIT
# demo-net.sh: the network half of `make demo`. The host's side is a network namespace too, so the machine's own network
# is left alone. Without root that takes user namespaces; where they are refused it says so and is left out.
set -eu
bytes=$((128 << 20))

case ${1-} in
'')
	if [ "$(id -u)" = 0 ]; then
		unshare=-n
	else
		unshare=-Urn
	fi
	without() { echo; echo "== No network half here: $1"; exit 0; }
	[ -r /dev/net/tun ] && [ -w /dev/net/tun ] || without "/dev/net/tun is not there, or not for you"
	unshare $unshare true 2>/dev/null || without "no network namespaces (root, or user namespaces for everybody)"
	unshare $unshare ip link add br0 type bridge 2>/dev/null || without "no bridges"
	dir=$(mktemp -d "${TMPDIR:-/tmp}/pvring-demo-XXXXXX")
	trap 'rm -rf "$dir"' EXIT
	unshare $unshare "$0" host "$dir"
	;;
host)
	dir=$2
	ip link set lo up
	ip link add br0 type bridge
	ip addr add 10.0.0.1/24 dev br0
	ip link set br0 up
	head -c "$bytes" /dev/urandom >"$dir/data"
	busybox httpd -f -p 10.0.0.1:80 -h "$dir" &
	server=$!
	trap 'kill $server' EXIT
	echo
	echo "== A bridge with a web server, a network backend, and a guest whose eth0 is a frontend"
	echo "   \$ pvring run --net tap,bridge=br0,ip=10.0.0.2/24 -- ..."
	pvring run --net tap,bridge=br0,ip=10.0.0.2/24 -- "$0" guest "$dir"
	;;
guest)
	dir=$2
	echo
	echo "== The guest's ping, through netfront, ring and netback"
	echo "   \$ ping -c 3 10.0.0.1"
	ping -c 3 -i 0.2 -w 5 10.0.0.1 | sed -n '2,4p;$p'
	echo
	echo "== $((bytes >> 20)) MiB over TCP, compared by checksum"
	echo "   \$ curl http://10.0.0.1/data | sha256sum"
	there=$(sha256sum <"$dir/data")
	here=$(curl -sS --max-time 60 -w '%{stderr}%{size_download} bytes in %{time_total} s, %{speed_download} bytes/s\n' \
		http://10.0.0.1/data | sha256sum)
	echo "$here"
	[ "$there" = "$here" ] || { echo "the checksum differs: $there" >&2; exit 1; }
	echo "the same as the server's"
	echo
	echo "== What the backend counted"
	echo "   \$ pvring stats"
	pvring stats
	;;
esac

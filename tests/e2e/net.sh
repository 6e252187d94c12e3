# SPDX-License-Identifier: MIT
# What the network tests share: a network namespace that stands for the host, so that the machine's own network is
# left alone; in it a bridge at 10.77.0.1 and fd77::1, a web server and iperf3. Source it instead of lib.sh.
if [ "$(id -u)" != 0 ] || ! unshare -n true 2>/dev/null || ! [ -c /dev/net/tun ]; then
	echo "network: not run: it needs root, network namespaces and /dev/net/tun"
	exit 0
fi
[ "${PVRING_TEST_NET-}" ] || PVRING_TEST_NET=1 exec unshare -n "$0" "$@"
. "$(dirname "$0")/lib.sh"

bytes=$((16 << 20))
start_host() {
	ip link set lo up
	ip link add br0 type bridge
	echo 0 >/proc/sys/net/ipv6/conf/br0/accept_dad
	ip addr add 10.77.0.1/24 dev br0
	ip addr add fd77::1/64 dev br0 nodad
	ip link set br0 up
	mkdir "$work/www"
	head -c "$bytes" /dev/urandom >"$work/www/data"
	busybox httpd -f -p 10.77.0.1:80 -h "$work/www" &
	pids="$! $pids"
	iperf3 -s >/dev/null 2>&1 &
	pids="$! $pids"
	sum=$(sha256sum <"$work/www/data")
	export sum
	within 10 listens 80 && within 10 listens 5201 || fail "the servers did not start"
}

# listens PORT: nobody is served by that port's server, and it listens. iperf3's serves one client after another, and
# does not listen in between.
listens() {
	[ "$(ss -Htan state listening state established state close-wait "sport = :$1" | wc -l)" = 1 ]
}

# guest SPEC COMMAND...: the command as a guest, 10.77.0.2 and fd77::2.
guest() {
	spec=$1
	shift
	timeout 60 pvring run --net "tap,bridge=br0,ip=10.77.0.2/24,ip=fd77::2/64$spec" -- "$@"
}

# The network backend of the `pvring run` with pid $1, another than $2.
backend() {
	new=$(pgrep -x pvring-netback -P "$1") && [ "$new" != "$2" ]
}
# kills N RUN PAUSE...: it, N times, a pause of the list after it is there.
kills() {
	count=$1 run=$2
	shift 2
	last=
	for try in $(seq "$count"); do
		within 10 backend "$run" "$last" || return
		last=$(pgrep -x pvring-netback -P "$run")
		sleep "$1"
		kill -9 "$last" && echo killed
		pause=$1
		shift
		set -- "$@" "$pause"
	done
}

# endless: the web server has /cgi-bin/endless, pieces of a mebibyte of its data until there is $work/over, then the word
# "over". A guest that runs $take has them by one connection, each compared.
endless() {
	mkdir -p "$work/www/cgi-bin"
	head -c 1M "$work/www/data" >"$work/piece"
	cat >"$work/www/cgi-bin/endless" <<-EOF
		#!/bin/sh
		echo
		until [ -e "$work/over" ]; do cat "$work/piece"; done
		echo over
	EOF
	chmod +x "$work/www/cgi-bin/endless"
	take="curl -sS --limit-rate 8M --max-time 200 http://10.77.0.1/cgi-bin/endless | (
		while head -c 1M >'$work/taken' && cmp -s '$work/taken' '$work/piece'; do :; done
		[ \"\$(cat '$work/taken')\" = over ])"
}

# What `guest` runs, by a shell.
pings='ping -q -c 3 -i 0.1 -w 5 10.77.0.1 && ping -q -c 3 -i 0.1 -w 5 fd77::1 &&
	ping -q -c 3 -i 0.1 -w 5 -s 65000 10.77.0.1 && ping -q -c 3 -i 0.1 -w 5 -s 65000 fd77::1'
fetch='[ "$(curl -sS --max-time 40 http://10.77.0.1/data | sha256sum)" = "$sum" ]'

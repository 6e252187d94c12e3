#!/bin/sh
# SPDX-License-Identifier: MIT
# Every combination of the network's features on and off, negotiated as asked, under real programs (net_guest.sh).
# 256 MiB cross with a few of them, both ways, and 4 MiB with the others.
. "$(dirname "$0")/net.sh"
start_host
head -c 256M /dev/urandom >"$work/www/large"
head -c 4M /dev/urandom >"$work/www/small"
mkdir "$work/www/cgi-bin"
printf '#!/bin/sh\necho\nexec sha256sum\n' >"$work/www/cgi-bin/sum"
chmod +x "$work/www/cgi-bin/sum"
for port in 5202 5203 5204 5205 5206; do # a server has one client at a time
	iperf3 -s -p $port >/dev/null 2>&1 &
	pids="$! $pids"
done

combination=0
while [ $combination -lt 64 ]; do
	set --
	without= names=
	bit=1
	for feature in sg gso csum static split; do
		on=$((combination & bit ? 0 : 1))
		set -- "$@" $on
		[ $on = 1 ] && names="$names $feature" || without="$without+$feature"
		bit=$((bit * 2))
	done
	queues=$((combination & bit ? 4 : 1))
	data=small
	case $combination in 0 | 31 | 32 | 8 | 40 | 63) data=large ;; esac
	check "$queues queues,${names:- nothing more} ($data)" guest ",queues=$queues${without:+,without=${without#+}}" \
		"$root/tests/e2e/net_guest.sh" "$work/www/$data" "$@" $queues
	combination=$((combination + 1))
done

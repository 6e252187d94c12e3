#!/bin/sh
# SPDX-License-Identifier: MIT
# net_guest.sh DATA SG GSO CSUM STATIC SPLIT QUEUES: what slow_net.sh runs as a guest for each combination of features,
# 1 or 0. First that it is this combination which was negotiated, then real programs, DATA of the web server compared by
# checksum both ways, at last by the counters that what is on was used and what is off was not. Says what fails.
data=$1 sg=$2 gso=$(($3 & $2 & $4)) csum=$4 static=$5 split=$6 queues=$7
status=0

expect() { # WHAT COMMAND...
	what=$1
	shift
	said=$("$@" 2>&1) && return
	echo "$what: $(echo "$said" | tail -4)"
	status=1
}

nodes=$(xenstore-ls -f | sed -n 's,.*/\(backend\|device\)/vif/\([0-9]*/\)*,\1 ,p')
node() { [ "$(echo "$nodes" | sed -n "s,^$1 = \"\(.*\)\",\1,p")" = "$2" ]; }
for half in backend device; do
	expect "sg of $half" node "$half feature-sg" "$sg"
	expect "gso4 of $half" node "$half feature-gso-tcpv4" "$gso"
	expect "gso6 of $half" node "$half feature-gso-tcpv6" "$gso"
	expect "csum of $half" node "$half feature-no-csum-offload" $((!csum))
	expect "csum6 of $half" node "$half feature-ipv6-csum-offload" "$csum"
done
expect "split of backend" node "backend feature-split-event-channels" "$split"
port=event-channel
[ "$split" = 0 ] || port=$port-rx
for queue in $(seq 0 $((queues - 1))); do
	[ "$queues" = 1 ] && at= || at=queue-$queue/
	expect "event channels" sh -c 'echo "$1" | grep -q "^device $2 = "' - "$nodes" "$at$port"
done

ping="ping -q -c 2 -i 0.01 -w 5"
iperf="timeout 10 iperf3"
expect ping $ping 10.77.0.1
expect ping6 $ping fd77::1
expect "ping -s 65000" $ping -s 65000 10.77.0.1
expect "ping6 -s 65000" $ping -s 65000 fd77::1
expect "iperf3 TCP out" $iperf -c 10.77.0.1 -p 5201 -n 8M
expect "iperf3 TCP in" $iperf -c 10.77.0.1 -p 5202 -n 8M -R
expect "iperf3 TCP of IPv6 out, 4 in parallel" $iperf -c fd77::1 -p 5203 -n 8M -P 4
expect "iperf3 TCP of IPv6 in, 4 in parallel" $iperf -c fd77::1 -p 5204 -n 8M -P 4 -R
expect "iperf3 UDP out" $iperf -c 10.77.0.1 -p 5205 -u -b 100M -n 1M
expect "iperf3 UDP in" $iperf -c 10.77.0.1 -p 5206 -u -b 100M -n 1M -R
sum=$(sha256sum <"$data")
fetch="curl -sS --max-time 40 http://10.77.0.1"
expect "a checksum, in" sh -c '[ "$(eval $1 | sha256sum)" = "$2" ]' - "$fetch/${data##*/}" "$sum"
expect "a checksum, out" sh -c '[ "$(eval $1)" = "$2" ]' - "$fetch/cgi-bin/sum -H Expect: --data-binary @$data" "$sum"

stats=$(pvring stats --json)
count() { echo "$stats" | sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p"; }
used() { # WHAT ON COUNTER: it counted if it is on, and only then
	expect "$1 ($2)" test $(($(count "$3") > 0)) = "$2"
}
expect queues test "$(count queues)" = "$queues"
used "GSO of the guest" "$gso" tx_gso
used "GSO to the guest" "$gso" rx_gso
used "static grants" "$static" grants_static
used "grants for a packet" $((!static)) grants_mapped
for why in tx_dropped_grant tx_dropped_malformed rx_dropped_grant rx_dropped_malformed rx_dropped_too_big; do
	used "nothing lost by fault: $why" 0 $why
done
exit $status

# SPDX-License-Identifier: MIT
# The network of a running Linux guest, by its own xen-netfront: sourced after live.sh, with a network.
down() { # the guest fetches a file
	want=$(md5sum <www/data)
	got=$(ask 'wget -q -O - http://10.77.0.1/data | md5sum')
	[ "$got" = "$want" ] || { echo "$got, not $want"; return 1; }
}
up() { # and sends one
	receive
	ask 'wget -q -O /d http://10.77.0.1/data; nc 10.77.0.1 9000 </d; rm /d'
	received
}
counters() { pvring stats --json | tr -d ' ",'; }
count() { # count NAME: the counters of that name, summed
	counters | awk -F: -v name="$1" '$1 == name { n += $2 } END { print n + 0 }'
}
figures() {
	counters | awk -F: '{ n[$1] += $2 }
		END { print n["hypercalls"], n["sends"], n["timers"], n["interrupts"], n["tx_packets"] + n["rx_packets"] }'
}
# per_packet NAME COMMAND...: how many exits and notifications a packet took; a figure, not a check.
per_packet() {
	name=$1; shift
	was=$(figures)
	"$@" >/dev/null
	echo "$was $(figures)" | awk -v name="$name" '{ n = $10 - $5
		printf "%s: %d packets; each: exits %.2f, of them sends %.2f, timers %.2f; interrupts by us %.2f\n",
			name, n, ($6 - $1) / n, ($7 - $2) / n, ($8 - $3) / n, ($9 - $4) / n }'
}
net_checks() { # an interface of two queues
	check "an interface with two queues" ask "[ -e /sys/class/net/eth0/queues/rx-1 ]"
	ask 'ip link set lo up; ip addr add 10.77.0.2/24 dev eth0; ip link set eth0 up'
	check "ping" ask 'ping -q -c 3 -i 0.2 -w 30 10.77.0.1'
	check "ping of 60,000 bytes" ask 'ping -q -c 3 -i 0.2 -w 30 -s 60000 10.77.0.1'
	check "a copy to the guest by TCP, the same checksum" down
	check "a copy from the guest by TCP, the same checksum" up
	check "packets of many segments in both directions" sh -c "[ $(count tx_gso) -gt 0 ] && [ $(count rx_gso) -gt 0 ]"
	check "no packet was malformed" test "$(($(count tx_dropped_malformed) + $(count rx_dropped_malformed)))" = 0
	[ -e /payload/figures ] || return 0
	per_packet "fetched by TCP" down
	per_packet "sent by TCP" up
	per_packet "100 pings in a row" ask 'ping -q -c 100 -i 0.002 10.77.0.1'
}

# SPDX-License-Identifier: MIT
# The network of a running Linux guest, by its own xen-netfront: sourced by run.sh, after live.sh.
net_host() { # a bridge at 10.77.0.1 with a web server
	[ -d /sys/class/net/br0 ] && return
	ip link add br0 type bridge
	ip addr add 10.77.0.1/24 dev br0
	ip link set br0 up
	mkdir -p www
	dd if=/dev/urandom of=www/data bs=64k count=128 2>/dev/null
	httpd -p 10.77.0.1:80 -h www
}
same() { [ "$(md5sum <"$1")" = "$(md5sum <"$2")" ]; }
down() { # the guest fetches a file
	want=$(md5sum <www/data)
	got=$(ask 'wget -q -O - http://10.77.0.1/data | md5sum')
	[ "$got" = "$want" ] || { echo "$got, not $want"; return 1; }
}
up() { # and sends one
	rm -f got hold; mkfifo hold # nc ends when its input does
	timeout 40 nc -l -p 9000 >got 0<>hold &
	nc=$!
	ask 'wget -q -O /d http://10.77.0.1/data; nc 10.77.0.1 9000 </d; rm /d'
	wait $nc
	same got www/data
}
count() { # count NAME: the counters of that name, summed
	pvring stats --json | tr -d ' ",' | sed -n "s/^$1:\([0-9]*\).*/\1/p" | awk '{ n += $1 } END { print n + 0 }'
}
front() { xenstore-read /local/domain/1/device/vif/0/$1; }
net_checks() { # net_checks NAME QUEUES
	check "$1: an interface with $2 queues" ask "[ -e /sys/class/net/eth0/queues/rx-$(($2 - 1)) ]"
	ask 'ip link set lo up; ip addr add 10.77.0.2/24 dev eth0; ip link set eth0 up'
	check "$1: ping" ask 'ping -q -c 3 -i 0.2 -w 10 10.77.0.1'
	check "$1: ping of 60,000 bytes" ask 'ping -q -c 3 -i 0.2 -w 10 -s 60000 10.77.0.1'
	check "$1: a copy to the guest by TCP, the same checksum" down
	check "$1: a copy from the guest by TCP, the same checksum" up
	check "$1: packets of many segments in both directions" sh -c "[ $(count tx_gso) -gt 0 ] && [ $(count rx_gso) -gt 0 ]"
	check "$1: no packet was malformed" test "$(($(count tx_dropped_malformed) + $(count rx_dropped_malformed)))" = 0
}

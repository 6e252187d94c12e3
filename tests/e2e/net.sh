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
}

# guest SPEC COMMAND...: the command as a guest, 10.77.0.2 and fd77::2.
guest() {
	spec=$1
	shift
	timeout 60 pvring run --net "tap,bridge=br0,ip=10.77.0.2/24,ip=fd77::2/64$spec" -- "$@"
}

# What `guest` runs, by a shell.
pings='ping -q -c 3 -i 0.1 -w 5 10.77.0.1 && ping -q -c 3 -i 0.1 -w 5 fd77::1 &&
	ping -q -c 3 -i 0.1 -w 5 -s 65000 10.77.0.1 && ping -q -c 3 -i 0.1 -w 5 -s 65000 fd77::1'
fetch='[ "$(curl -sS --max-time 40 http://10.77.0.1/data | sha256sum)" = "$sum" ]'

#!/bin/sh
# SPDX-License-Identifier: MIT
# Real programs through netfront and netback: ping, curl by checksum, iperf3, with features on and off.
. "$(dirname "$0")/net.sh"
start_host

for without in "" ,without=gso ,without=csum+gso ,without=sg+gso ,without=split ,without=static ,without=ctrl ,queues=4; do
	check "ping and ping6, small and of 65000 bytes (${without#,})" guest "$without" sh -c "$pings"
	check "16 MiB by curl as they are (${without#,})" guest "$without" sh -c "$fetch"
done
iperf() { # iperf SPEC OPTION...
	spec=$1
	shift
	within 10 listens 5201 && guest "$spec" iperf3 -t 1 "$@"
}
check "iperf3 TCP to the host" iperf "" -c 10.77.0.1
check "iperf3 TCP from the host, IPv6" iperf "" -c fd77::1 -R
check "iperf3 TCP, 4 streams on 4 queues" iperf ,queues=4 -c 10.77.0.1 -P 4
check "iperf3 UDP both ways" iperf "" -c 10.77.0.1 -u -b 200M --bidir
check "an MTU of 9000" guest ,mtu=9000 ping -q -c 2 -i 0.1 -W 2 -M do -s 8972 10.77.0.1
check "a status comes back" sh -c '! pvring run --net loop -- sh -c "exit 3"; [ $? = 0 ]'
check "lo is up" guest "" ping -q -c 1 -W 2 127.0.0.1

# The backend dies while data flows: the connection goes on.
endless
pvring run --net tap,bridge=br0,ip=10.77.0.2/24 -- sh -c "$take" 2>"$work/killed.log" &
run=$!
kills 3 $run 0.4 >"$work/kills" 2>&1
touch "$work/over"
wait $run
status=$?
check "three times killed" test "$(grep -c killed "$work/kills")" = 3
check "a TCP connection survives the backend's death" test $status = 0

# passt maps its gateway to the loopback of the host.
if command -v passt >/dev/null; then
	busybox httpd -f -p 127.0.0.1:8080 -h "$work/www" &
	pids="$! $pids"
	ip link add up0 type veth peer name up1 # passt wants a way out of the host
	ip addr add 192.0.2.1/24 dev up0
	ip link set up0 up
	ip link set up1 up
	ip route add default via 192.0.2.2
	within 10 listens 8080
	check "through passt, without a TAP outside" timeout 60 pvring run --net user -- \
		sh -c '[ "$(curl -sS --max-time 40 http://10.0.2.2:8080/data | sha256sum)" = "$sum" ]'
fi

refuses "a bridge that is not there" 69 "nosuch" pvring run --net tap,bridge=nosuch -- true
refuses "a network of an unknown kind" 64 "unknown kind of network" pvring run --net carrier-pigeon -- true

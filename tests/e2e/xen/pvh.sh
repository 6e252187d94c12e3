# SPDX-License-Identifier: MIT
# In dom0: Debian's kernel as PVH domUs on pvring's backends: everything its frontends negotiate, disks and interfaces
# that come and go, an NBD disk, a network backend that dies; and the way back to Linux's backends.
. /payload/common.sh
mv /payload/libnbd.so.0 /lib/x86_64-linux-gnu/
backends
frontend() { grep -q "/device/$1 = \"$2\"" xs.log; }
offered() { grep -q "/backend/$1/[0-9]*/$2 = \"$3\"" xs.log; }
count() { # count NAME: that of all disks or interfaces
	pvring stats --json | tr -d ' ",' | awk -F: -v name="$1" '$1 == name {n += $2} END {print n + 0}'
}
counted() { for name; do [ "$(count $name)" -gt 0 ] || { echo "$name: none"; return 1; }; done; }
ask() { # ask COMMAND: its output in the guest, and its status
	echo "($1) 2>&1; echo status \$?" | timeout 120 nc 10.77.0.2 7000 >asked
	sed '$d' asked
	[ "$(tail -1 asked)" = "status 0" ]
}
in_domu() { within ${2:-20} ask "$1"; } # becomes true there

# Two CPUs, so two queues each; rings of 16 pages. For each queue of a disk Linux has 66 MiB of pages ready then.
vcpus=2 memory=800 config pvh pvh "ext4,verify=96,net,shell blkfront=max_ring_page_order=4" \
	"$(disks xvda /tmp/disk.img xvdb /tmp/big.img)" "$(vif)"
receive
xl create pvh.cfg >/dev/null
within 120 said pvh shell || console pvh | tail -20
show $(xl domid pvh) | tee xs.log
check "PVH: ext4, and 96 MiB" verified pvh 96
check "PVH: ping, and a copy to it" networked pvh
check "PVH: a copy from it" received
check "two queues to each disk" frontend vbd/51728/multi-queue-num-queues 2
check "rings of 16 pages" frontend vbd/51728/ring-page-order 4
check "the last of them" frontend vbd/51728/queue-1/ring-ref15 '[0-9]*'
check "persistent grants are agreed on" frontend vbd/51728/feature-persistent 1
check "two queues to the interface" frontend vif/0/multi-queue-num-queues 2
check "split event channels" frontend vif/0/queue-1/event-channel-rx '[0-9]*'
check "GSO and checksums are agreed on" eval 'frontend vif/0/feature-gso-tcpv4 1 &&
	frontend vif/0/feature-gso-tcpv6 1 && frontend vif/0/feature-ipv6-csum-offload 1 && frontend vif/0/feature-sg 1'
check "multicast control is offered" offered vif 0/feature-multicast-control 1
check "used: indirect requests, grants again, discards, flushes" counted indirect grants_reused discards flushes
check "used: large packets each way" counted tx_gso rx_gso

# Disks, ten times: what dom0 has written there is read by the guest, and the other way round.
gone_there() { in_domu "! [ -e /sys/bus/xen/devices/$1 ]"; }
sums='for at in 0 1; do dd if=$disk bs=256k skip=$at count=1 $how 2>/dev/null | md5sum; done'
come='for i in $(seq 100); do [ -e $it ] && break; sleep 0.2; done'
reads() { ask "it=/dev/$1; $come; disk=\$it how=iflag=direct; $sums"; } # from a disk that has just come
writes() {
	ask "it=/dev/$1; $come; dd if=/dev/urandom of=/tmp/r bs=256k count=1 && dd if=/tmp/r of=\$it bs=256k seek=1 oflag=direct"
}
disk_round() {
	dd if=/dev/urandom of=small.img bs=256k count=1 conv=notrunc 2>/dev/null
	xl block-attach pvh "$(disk xvdc /tmp/small.img)" && writes xvdc && reads xvdc >there || return 1
	xl block-detach pvh xvdc && gone_there vbd-51744 || { echo "not gone"; return 1; }
	disk=small.img how=
	eval "$sums" | cmp - there
}
rounds() { for round in $(seq $1); do $2 || { echo "round $round"; return 1; }; done; }
check "ten times a disk, read and written" rounds 10 disk_round
check "of which no node is left" eval '! xenstore-ls -f | grep /vbd/.*/51744'

# Interfaces, on a bridge of their own.
ip link add br1 type bridge
ip addr add 10.78.0.1/24 dev br1
ip link set br1 up
vif_round() {
	xl network-attach pvh script=vif-pvring bridge=br1 mac=00:16:3e:00:00:02 || return 1
	ask "it=/sys/class/net/eth1; $come; ip addr add 10.78.0.2/24 dev eth1; ip link set eth1 up
		ping -q -c 3 -i 0.2 -w 20 -s 1000 10.78.0.1" || return 1
	xl network-detach pvh 1 && gone_there vif-1 || { echo "not gone"; return 1; }
}
check "three times an interface" rounds 3 vif_round

# A qcow2 by way of an NBD server: what the first disk's guest wrote, the second's reads.
qemu-nbd -f qcow2 -t -x '' -k /tmp/nbd.sock /payload/nbd.qcow2 &
server=$!
nbd_round() { # nbd_round COMMAND...: while it is there
	xl block-attach pvh "format=raw,vdev=xvdd,access=rw,$script,target=nbd+unix:///?socket=/tmp/nbd.sock" || return 1
	"$@" && xl block-detach pvh xvdd && gone_there vbd-51760
}
nbd_first() { writes xvdd && reads xvdd >there; }
nbd_again() { reads xvdd | cmp - there; }
check "an NBD disk, written" nbd_round nbd_first
check "and read when it comes again" nbd_round nbd_again
kill $server

# The network's backend is killed in the middle of a copy to the guest, then of one from it.
dd if=/dev/urandom of=www/large bs=1M count=48 2>/dev/null
bytes_to() { cat /sys/class/net/br0/statistics/tx_bytes; }
bytes_from() { stat -c %s got 2>/dev/null || echo 0; }
killed_when() { # killed_when BYTES: two megabytes after now, by what BYTES counts, and before forty
	local begin=$($1) now=0
	for look in $(seq 600); do
		now=$(($($1) - begin))
		[ $now -gt 2000000 ] && break
		sleep 0.05
	done
	kill -9 $(netback)
	echo "COUNT netback killed after $now of 50331648 bytes" >>kills
	[ $now -gt 2000000 ] && [ $now -lt 40000000 ]
}
copy_to() {
	ask 'wget -q -O - http://10.77.0.1/large | md5sum' >sum &
	local asker=$!
	killed_when bytes_to && wait $asker && [ "$(cat sum)" = "$(md5sum <www/large)" ]
}
copy_from() {
	receive
	ask 'dd if=/dev/urandom bs=1M count=48 2>/dev/null | tee /tmp/up | nc 10.77.0.1 9000; md5sum </tmp/up; rm /tmp/up' >sum &
	local asker=$!
	killed_when bytes_from && wait $receiver $asker && [ "$(cat sum)" = "$(md5sum <got)" ]
}
check "netback killed in a copy to the guest" copy_to
check "netback killed in a copy from it" copy_from
cat kills blkback.log netback.log
check "the interface was taken over" eval '[ "$(grep -c "vif .*taken over" netback.log)" = 2 ]'
ask '(sleep 1; poweroff -f) >/dev/null 2>&1 </dev/null &'
check "PVH: it ends" within 30 gone pvh
check "PVH: e2fsck" e2fsck -fn disk.img

# The way back: pvring's backends end, Linux's serve the same image and bridge.
systemctl stop pvring-blkback pvring-netback
modprobe -a loop xen-blkback xen-netback
config back pvh ext4,verify=8,net "disk=['format=raw,vdev=xvda,access=rw,target=/tmp/disk.img','format=raw,vdev=xvdb,access=rw,target=/tmp/small.img']" \
	"vif=['bridge=br0,mac=00:16:3e:00:00:01']"
receive
xl create back.cfg >/dev/null
ends back 120
check "back: ext4, and 8 MiB, by xen-blkback" verified back 8
check "back: e2fsck" e2fsck -fn disk.img
check "back: ping, and a copy, by xen-netback" networked back
kill $receiver 2>/dev/null
dmesg | grep segfault
exit $failed

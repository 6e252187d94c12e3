# SPDX-License-Identifier: MIT
# Devices that come, grow and go while a Linux guest runs, and what the verbs show of it: sourced after
# live.sh and net.sh. The guest has xvda and eth0.
in_guest() { within 100 ask "$@"; } # becomes true there
verbs() {
	pvring list | grep -q '^guest .* running' && pvring list --json | tr -d ' ' | grep -q '"vcpus":2'
}
exits() { [ "$(count hypercalls)" -gt 0 ] && [ "$(count vcpus)" = 2 ]; }
top_shows() { pvring top -b -i 1 -d 1 >top.out; cat top.out; grep -q xvda top.out; }
written() { # written DISK FILE: by the guest, found here
	ask "dd if=/dev/urandom of=/dev/$1 bs=64k count=16 2>/dev/null; sync; dd if=/dev/$1 bs=64k count=16 2>/dev/null | md5sum" >sum
	[ "$(cat sum)" = "$(dd if=$2 bs=64k count=16 2>/dev/null | md5sum)" ]
}
hotplug_checks() {
	check "pvring list" verbs
	check "stats count its exits" exits
	check "top -b has its disk" top_shows

	dd if=/dev/zero of=b.img bs=1M count=8 2>/dev/null
	check "block-attach" pvring block-attach guest /tmp/b.img,vdev=xvdb
	check "the guest has the disk, of that size" in_guest '[ -b /dev/xvdb ] && [ "$(cat /sys/block/xvdb/size)" = 16384 ]'
	check "and writes it" written xvdb b.img
	dd if=/dev/zero of=b.img bs=1M count=4 seek=8 2>/dev/null
	check "block-resize" pvring block-resize guest xvdb
	check "the guest sees the new size" in_guest '[ "$(cat /sys/block/xvdb/size)" = 24576 ]'
	check "block-detach" pvring block-detach guest xvdb
	check "the disk is gone from the guest" in_guest '! [ -e /sys/block/xvdb ] && ! [ -e /sys/bus/xen/devices/vbd-51728 ]'
	check "block-attach of a disk to read" pvring block-attach guest /tmp/b.img,readonly=on,vdev=xvdb
	check "the guest may only read it" in_guest '[ -b /dev/xvdb ] && [ "$(cat /sys/block/xvdb/ro)" = 1 ]'
	check "block-detach again" pvring block-detach guest xvdb

	check "network-attach" pvring network-attach guest tap,bridge=br0
	check "the guest has the interface" in_guest '[ -e /sys/class/net/eth1 ]'
	ask 'ip link set eth0 down; ip addr add 10.77.0.3/24 dev eth1; ip link set eth1 up' >/dev/null
	check "ping by it" ask 'ping -q -c 3 -i 0.2 -w 30 -I eth1 10.77.0.1'
	check "network-detach" pvring network-detach guest 1
	check "the interface is gone from the guest" in_guest '! [ -e /sys/class/net/eth1 ]'
	ask 'ip link set eth0 up' >/dev/null
	check "ping by the first one" ask 'ping -q -c 3 -i 0.2 -w 30 10.77.0.1'
}

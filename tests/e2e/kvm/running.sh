# SPDX-License-Identifier: MIT
# A guest of two vCPUs that runs on while its network is tried, memory is taken from it, devices come and go, and its
# backends are killed: sourced after the others.
less_memory() { # than it began with
	xenstore-write /local/domain/1/memory/target 131072
	in_guest '[ $(sed -n "s/^MemTotal: *\([0-9]*\) kB/\1/p" /proc/meminfo) -lt 200000 ]'
}
left_alone() { ! kill -0 $live; }
running_checks() {
	cp /payload/disk.img d.img
	check "a guest that listens to its console" live_start cloud 2 --disk d.img --net tap,bridge=br0,queues=2
	grep -a '^pvring: ' live.log
	check "cloud,2: has its vCPUs, and Xen's clock" ask '[ $(nproc) = 2 ] && grep xen /sys/devices/system/clocksource/clocksource0/current_clocksource'
	check "cloud,2: reads its disk" ask 'mount -t ext4 /dev/xvda /mnt && (cd /mnt && md5sum -c ref.md5) && umount /mnt'
	net_checks
	hotplug_checks
	kill_checks
	check "it gives memory back" less_memory
	check "which stats count" sh -c "pvring stats | grep 'ballooned pages [1-9]'"
	pvring stats
	echo "the store:"; xenstore-ls -f
	check "it is asked to power off" pvring shutdown guest
	check "and does" within 60 left_alone
	check "without waiting for a device" sh -c '! grep -a "timeout closing" live.log'
	check "it left no daemon behind" sh -c "! pidof pvring-hv pvring-blkback pvring-netback"
	check "e2fsck finds nothing" e2fsck -fn d.img
	exec 3>&-
}

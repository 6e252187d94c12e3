# SPDX-License-Identifier: MIT
# In dom0: the same requests and packets of the same domU, served by Linux's backends and by pvring's, and what they
# cost: notifications, as interrupts of the domU and of dom0, and grant operations, where dom0's kernel makes them for
# either. Counts only: under an emulated CPU time means nothing.
. /payload/common.sh
initrd
network
modprobe loop
for n in 0 1; do
	truncate -s 64M disk$n.img
	losetup /dev/loop$n disk$n.img
done

# The count of pages is the fourth argument of map and unmap, of copies the second: a histogram of them is calls and
# pages. (drivers/xen/grant-table.c of Linux; what a PV dom0 does twice for gntdev is one operation here.)
trace=/sys/kernel/debug/tracing
{
	echo 'p:map gnttab_map_refs n=%cx:u32'
	echo 'p:unmap gnttab_unmap_refs n=%cx:u32'
	echo 'p:copy gnttab_batch_copy n=%si:u32'
} >$trace/kprobe_events
for e in map unmap copy; do echo hist:keys=n >$trace/events/kprobes/$e/trigger; done
counters() { # counters EVENTS-OF: notifications of dom0, then calls and pages of map, unmap, copy
	awk -v name="$1" '$NF ~ name {n += $2} END {printf "%d", n}' /proc/interrupts
	for e in map unmap copy; do
		awk '/hitcount:/ {gsub(/[{}:,]/, " "); c += $4; n += $2 * $4} END {printf " %d %d", c, n}' \
			$trace/events/kprobes/$e/hist
	done
	echo
}

# For Linux's backends: the least that Xen's own scripts do, for loop devices and the bridge.
cat >/etc/xen/scripts/block-least <<'L'
#!/bin/sh
[ "$1" = add ] || exit 0
device=$(xenstore-read "$XENBUS_PATH/params")
xenstore-write "$XENBUS_PATH/physical-device" "7:${device#/dev/loop}" "$XENBUS_PATH/hotplug-status" connected
L
cat >/etc/xen/scripts/vif-least <<'L'
#!/bin/sh
[ "$1" = online ] || exit 0
ip link set "$vif" master br0 up
xenstore-write "$XENBUS_PATH/hotplug-status" connected
L
cp /payload/*-pvring /etc/xen/scripts/
chmod +x /etc/xen/scripts/*-least

# One step of the domU: a line of `counts` with what it was, how many, and each counter's difference.
step() { # step DOMAIN STEP EVENTS-OF
	within 60 said $1 "ready $2" || { echo "$1 is not ready for $2"; console $1 | tail -15; return; }
	set -- "$@" "$(counters "$3")"
	echo >"$(xenstore-read /local/domain/$(xl domid $1)/console/tty)"
	within 60 said $1 "done $2" || { console $1 | tail -15; return; }
	echo "$1 $2 $(console $1 | sed -n "s/.*DOMU done $2 //p") $4 $(counters "$3")" >>counts
}
serve() { # serve NAME BLOCK-EVENTS NET-EVENTS VIF-SCRIPT DISK0 DISK1
	local name=$1 block=$2 net=$3 vif=$4 d
	config $name pv requests=xvda,persistent=N,requests=xvdb,packets=ping,packets=in,packets=out,stay "disk=['$5']"
	receive
	xl create $name.cfg >/dev/null
	d=$(xl domid $name)
	step $name requests=xvda $block
	within 20 said $name persistent=N
	xl block-attach $name "$6"
	step $name requests=xvdb $block
	check "$name: no persistent grants where none were asked for" \
		grep -qx 0 <(xenstore-read /local/domain/$d/device/vbd/51728/feature-persistent)
	xl network-attach $name script=$vif bridge=br0 mac=00:16:3e:00:00:01
	for s in ping in out; do step $name packets=$s $net; done
	check "$name: 8 MiB came" within 10 eval "[ \$(stat -c %s got) = 8388608 ]"
	kill $receiver 2>/dev/null
	xl destroy $name
	within 10 eval "! xl list $d"
}
modprobe xen-blkback
modprobe xen-netback
script=script=block-least
serve linux blkif-backend vif vif-least "$(disk xvda /dev/loop0)" "$(disk xvdb /dev/loop1)"
dmesg | grep segfault
rmmod xen-blkback xen-netback
pvring blkback >blkback.log 2>&1 &
pvring netback >netback.log 2>&1 &
sleep 1
script=script=block-pvring
serve pvring evtchn:pvring evtchn:pvring vif-pvring \
	"$(disk xvda /tmp/disk0.img)" "$(disk xvdb /tmp/disk1.img)"
cat blkback.log netback.log
pvring stats
dmesg | grep segfault
# What was counted, for each request or packet; of the copies for each 64 KiB, since TCP cuts them as it likes.
awk '
BEGIN {
	printf "COUNT %-14s %-7s %6s %8s %8s   %-14s %-14s %-14s\n", "", "", "number", "to dom0", "to domU",
		"map, pages", "unmap, pages", "copy, pages"
}
{
	n = $2 ~ /=(in|out)$/ ? 128 : $3
	printf "COUNT %-14s %-7s %6d %8.2f %8.2f", $2, $1, $3, ($12 - $5) / n, $4 / n
	for (i = 6; i <= 10; i += 2)
		printf "   %5.2f %7.2f ", ($(i + 7) - $i) / n, ($(i + 8) - $(i + 1)) / n
	print ""
}' counts
# figure NAME STEP COLUMN...: their sum, of what was counted
figure() {
	local name=$1 step=$2 sum=0 i
	shift 2
	for i; do sum=$((sum + $(awk -v n=$name -v s=$step -v i=$i '$1 == n && $2 == s {print $i - (i > 11 ? $(i - 7) : 0)}' counts))); done
	echo $sum
}
# By column: 3 number, 4 to the domU, 12 to dom0, 14 16 18 pages that were mapped, unmapped, copied.
for name in linux pvring; do
	for s in xvda xvdb; do
		check "$name: as many requests of $s as of Linux's" test $(figure $name requests=$s 3) = $(figure linux requests=$s 3)
	done
	check "$name: a page for each request, unmapped again" test $(figure $name requests=xvdb 14) -ge 656 -a \
		$(figure $name requests=xvdb 14) = $(figure $name requests=xvdb 16)
	check "$name: few pages with persistent grants" test $(figure $name requests=xvda 14) -lt 656
	check "$name: 200 pages for 100 pings" test $(figure $name packets=ping 14 18) -ge 200
	check "$name: the pages of 8 MiB to the domU" test $(figure $name packets=in 14 18) -ge 2048
	check "$name: the pages of 8 MiB from it" test $(figure $name packets=out 14 18) -ge 2048
	for s in requests=xvda requests=xvdb packets=ping packets=in packets=out; do
		check "$name: $s: notifications each way" test $(figure $name $s 4) -gt 0 -a $(figure $name $s 12) -gt 0
	done
done
exit $failed

# SPDX-License-Identifier: MIT
# In dom0: pvring's own guest kernel, for both widths, as a PVH domU that xl starts; on Linux's xen-blkback (over loop)
# and xen-netback, and on pvring's backends. The 32-bit kernel speaks x86_32-abi to 64-bit backends.
. /payload/common.sh
network
modprobe loop

ended() { xl list $1 | awk 'NR == 2 && $5 ~ /[sc]/ {end = 1} END {exit !end}'; }
# start NAME WIDTH DISK VIF: until the kernel has ended; the domain stays, to be looked at.
#
# `flat`: QEMU 7.2 sets the accessed bit in the four entries of PAE's top level, where it is reserved. Xen's own walk then
# refuses the table, and an instruction that Xen has to look at, such as cpuid, is begun again for ever.
start() {
	local flat=
	[ $2 = i386 ] && flat=flat
	cat >$1.cfg <<-C
		name="$1"
		type="pvh"
		kernel="/payload/guest-$2"
		extra="boot $flat blk=verify,4M ip=10.77.0.2/24 net=ping,10.77.0.1"
		memory=64
		vcpus=1
		on_poweroff="preserve"
		on_crash="preserve"
		disk=['$3']
		vif=['$4']
	C
	xl create $1.cfg && within 60 ended $1
}
printed() { console $1 | grep -q "^$2" || { console $1 | tail; return 1; } }
said_node() { grep -q "/device/$1 = \"$2\"" xs.log; }
row() { # row NAME WIDTH DISK VIF
	local d abi=${2/i386/x86_32}-abi
	check "$1: xl starts it, and it ends" start "$@"
	d=$(xl domid $1) || return
	show $d >xs.log
	grep -E '/device/.*/(protocol|state) ' xs.log
	check "$1: its disk speaks $abi" said_node vbd/51712/protocol $abi
	check "$1: the disk is written, read and compared" printed $1 "blk: 4096 KiB"
	check "$1: ping" printed $1 "net: 3 echo requests answered"
	check "$1: nothing failed" printed $1 DONE
	xl destroy $1
	check "$1: the backends let it go" within 10 eval "! xl list $d"
}

modprobe xen-blkback
modprobe xen-netback
for width in x86_64 i386; do
	truncate -s 16M linux-$width.img
	losetup /dev/loop0 linux-$width.img
	row linux-$width $width phy:/dev/loop0,xvda,w bridge=br0,mac=00:16:3e:00:00:01
	losetup -d /dev/loop0
done
rmmod xen-blkback xen-netback

cp /payload/block-pvring /payload/vif-pvring /etc/xen/scripts/
pvring blkback >blkback.log 2>&1 &
pvring netback >netback.log 2>&1 &
for width in x86_64 i386; do
	truncate -s 16M ours-$width.img
	row ours-$width $width "$(disk xvda /tmp/ours-$width.img)" script=vif-pvring,bridge=br0,mac=00:16:3e:00:00:01
done
cat blkback.log netback.log

# What the kernel compared was the disk: all four wrote the same, and it is there.
same() {
	[ $(tr -d '\0' <linux-x86_64.img | wc -c) -gt 4000000 ] && cmp linux-x86_64.img linux-i386.img &&
		cmp linux-x86_64.img ours-x86_64.img && cmp linux-x86_64.img ours-i386.img
}
check "all four images have what was written" same
exit $failed

# SPDX-License-Identifier: MIT
# What is tried in the nested machine, on each kind of KVM: each kernel with one and two vCPUs, its disk, its network, a
# reboot, its end; a guest that runs on; and what `create` does with a file. Which of these: /payload/parts.
. /payload/common.sh
. /payload/live.sh
. /payload/create.sh
. /payload/net.sh
. /payload/hotplug.sh
. /payload/kill.sh
. /payload/running.sh
network
said() { grep -aq "GUEST $1" /tmp/log; }
guest() { # guest KERNEL VCPUS DO ARGUMENT...
	k=$1 v=$2 what=$3; shift 3
	timeout 300 pvring run --machine kvm --kernel /guest/$k --initrd $k.cpio --vcpus $v --memory 256M \
		--append "console=hvc0 loglevel=6 panic=-1 do=$what" "$@" </dev/null 2>&1 | tee /tmp/log
	sed -i 's/\r//' /tmp/log
}
# What every one must have done; the disk is d.img, and `receive` was called before.
did() { # did NAME
	check "$1: disk read, written, verified" sh -c 'grep -aq "GUEST read ok" log && grep -aq "GUEST write ok" log'
	check "$1: ping" said "ping ok"
	check "$1: a TCP copy to the guest, the same checksum" said "net $(md5sum <www/data | cut -c1-32)"
	check "$1: and one from the guest" received
	check "$1: powered off without waiting for a device" sh -c '! grep -aq "timeout closing" log'
	check "$1: e2fsck finds nothing" e2fsck -fn d.img
	echo "$1: after $(cut -d' ' -f1 /proc/uptime) s"
}
# The fourth, the cloud kernel with two vCPUs, is running.sh's.
kernels_checks() {
	for try in cloud,1 amd64,1 amd64,2; do
		k=${try%,*} v=${try#*,} what=disk,net
		[ $try = cloud,1 ] && what=disk,reboot-once,net # another life of the same domain, with its disk
		cp /payload/disk.img d.img
		receive
		guest $k $v $what --disk d.img --net tap,bridge=br0,queues=2
		check "$try: boots, has its vCPUs" said "up .* cpus $v clock"
		[ $what = disk,net ] || check "$try: reboots" said "second life"
		check "$try: comes to its end" said end
		did $try
	done
}
for part in $(cat /payload/parts); do
	${part}_checks
	echo "$part: after $(cut -d' ' -f1 /proc/uptime) s"
done
exit $failed

# SPDX-License-Identifier: MIT
# Each kernel on each kind of KVM, in the nested machine: boot, disk, network, reboot, balloon, the end.
. /payload/common.sh
network
said() { grep -aq "GUEST $1" /tmp/log; }
guest() { # guest KERNEL VCPUS DO ARGUMENT...
	k=$1 v=$2 what=$3; shift 3
	timeout ${limit:-100} pvring run --machine kvm --kernel /guest/$k --initrd $k.cpio --vcpus $v --memory 256M \
		--append "console=hvc0 loglevel=6 panic=-1 do=$what" "$@" </dev/null 2>&1 | tee /tmp/log
	sed -i 's/\r//' /tmp/log
}
# Each kernel, each number of vCPUs and each kind of KVM, but not all together: it takes long where KVM is emulated.
if [ -e /m/xen ]; then tries="cloud,2 amd64,1"; else tries="cloud,1 amd64,2"; fi
for try in $tries; do
	k=${try%,*} v=${try#*,}
	cp /payload/disk.img d.img
	receive 100
	guest $k $v disk,net --disk d.img --net tap,bridge=br0,queues=2
	check "$k, $v vCPUs: boots" said "up .* cpus $v clock"
	check "$k, $v vCPUs: disk read, written, verified" sh -c 'grep -aq "GUEST read ok" log && grep -aq "GUEST write ok" log'
	check "$k, $v vCPUs: ping" said "ping ok"
	check "$k, $v vCPUs: a TCP copy to the guest, the same checksum" said "net $(md5sum <www/data | cut -c1-32)"
	check "$k, $v vCPUs: and one from the guest" received
	check "$k, $v vCPUs: powered off without waiting for a device" sh -c 'grep -aq "GUEST end" log && ! grep -aq "timeout closing" log'
	check "$k, $v vCPUs: e2fsck finds nothing" e2fsck -fn d.img
done

if [ -e /m/xen ]; then
	# Another life of the same domain.
	cp /payload/disk.img d.img
	guest cloud 1 disk,reboot-once --disk d.img
	check "reboot: the domain lives again with its disk" said "second life"
	check "reboot: e2fsck finds nothing" e2fsck -fn d.img
	exit $failed
fi

# A running guest: memory taken away, a disk that comes, grows and goes, counters, an orderly end.
cp /payload/disk.img d.img
rm -f log
(limit=150; guest cloud 2 balloon=200000,disk,size=98304,stay --disk mem=1M,vdev=xvdb >/dev/null) &
running=$!
check "a guest runs" within 30 said up
PVRING_DIR=$(echo /tmp/pvring-*) XENSTORED_PATH=$(echo /tmp/pvring-*/xenstored.sock)
export PVRING_DIR XENSTORED_PATH
xenstore-write /local/domain/1/memory/target 131072
check "it gives memory back" within 40 said "balloon ok"
check "a disk comes" pvring block-attach guest /tmp/d.img,vdev=xvda
check "it uses the disk" within 20 said "write ok"
truncate -s 48M d.img
check "the disk grows" pvring block-resize guest xvda
check "it sees the new size" within 20 said "resize ok"
check "list" sh -c "pvring list | grep -q 'guest .* running'"
pvring stats; pvring top -b -n 1 2>/dev/null
check "stats count its exits" sh -c "pvring stats | grep -q 'exits: hypercalls [1-9]'"
check "stats count the pages it gave back" sh -c "pvring stats | grep -q 'ballooned pages [1-9]'"
echo "the store:"; xenstore-ls -f
check "the disk goes" pvring block-detach guest xvda
check "it is asked to power off" pvring shutdown guest
gone() { ! kill -0 $running; }
check "and does" within 20 gone
check "it left no daemon behind" sh -c "! pidof pvring-hv pvring-blkback"
grep -a GUEST log; exit $failed

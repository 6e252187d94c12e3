# SPDX-License-Identifier: MIT
# What slow_kvm.sh runs in the nested machine. Prints a line "RESULT PASS|FAIL name" for each check.
cd /tmp
failed=0
check() {
	name=$1; shift
	if "$@" >/tmp/out 2>&1; then echo "RESULT PASS $name"; else echo "RESULT FAIL $name"; tail -20 /tmp/out; failed=1; fi
}
said() { grep -aq "GUEST $1" /tmp/log; }
# An initial RAM disk for each kernel: busybox, its modules, guest-init.
for k in cloud amd64; do
	mkdir -p i/bin i/dev i/proc i/sys i/mnt i/m
	cp /bin/busybox i/bin/
	for a in $(busybox --list | grep -vx busybox); do ln -sf busybox i/bin/$a; done
	rm -f i/m/*; cp /guest/$k.d/*.ko i/m/
	cp /payload/guest-init i/init; chmod +x i/init
	(cd i && find . | cpio -o -H newc 2>/dev/null) >$k.cpio
done
guest() { # guest KERNEL VCPUS DO ARGUMENT...
	k=$1 v=$2 what=$3; shift 3
	timeout 60 pvring run --machine kvm --kernel /guest/$k --initrd $k.cpio --vcpus $v --memory 256M \
		--append "console=hvc0 loglevel=6 panic=-1 do=$what" "$@" </dev/null 2>&1 | tee /tmp/log
	sed -i 's/\r//' /tmp/log
}
for k in cloud amd64; do
	for v in 1 2; do
		cp /payload/disk.img d.img
		guest $k $v disk --disk d.img
		check "$k, $v vCPUs: boots" said "up .* cpus $v clock"
		check "$k, $v vCPUs: disk read, written, verified" sh -c 'grep -aq "GUEST read ok" log && grep -aq "GUEST write ok" log'
		check "$k, $v vCPUs: powered off without waiting for a device" sh -c 'grep -aq "GUEST end" log && ! grep -aq "timeout closing" log'
		check "$k, $v vCPUs: e2fsck finds nothing" e2fsck -fn d.img
	done
done

# Another life of the same domain, and a balloon.
cp /payload/disk.img d.img
guest cloud 1 disk,reboot-once --disk d.img
check "reboot: the domain lives again with its disk" said "second life"
check "reboot: e2fsck finds nothing" e2fsck -fn d.img
guest cloud 1 stay >/dev/null &
until said staying; do sleep 1; done
PVRING_DIR=$(ls -d /tmp/pvring-*) XENSTORED_PATH=$PVRING_DIR/xenstored.sock
export PVRING_DIR XENSTORED_PATH
echo "the system:"; xenstore-ls -f; pvring list
xenstore-write /local/domain/1/control/shutdown poweroff
for i in $(seq 20); do kill -0 $! 2>/dev/null || break; sleep 1; done
check "a shutdown asked for by xenstore ends the guest" sh -c "! kill -0 $! 2>/dev/null"
exit $failed

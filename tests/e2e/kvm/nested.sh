#!/bin/bash
# SPDX-License-Identifier: MIT
# nested.sh [-bx] [-t SECONDS] PAYLOAD: a Linux with a real KVM, on a machine that has none. QEMU emulates two AMD
# CPUs with SVM in software and boots Debian's cloud kernel, which runs PAYLOAD/run.sh as root, with PAYLOAD at
# /payload and the kernels to try at /guest: cloud and amd64 (bzImages as Debian ships them) and the modules of
# each, cloud.d and amd64.d. Programs in PAYLOAD bring their libraries in PAYLOAD/lib.
#   -b  without kernels to try, for a guest that the payload has
#   -x  with a kvm.ko that has Xen's interface, which Debian's own is built without; made once, from its source
# Prints the console; the status is run.sh's. What it fetches and compiles stays in $NESTED (build/kvm-nested); several may
# run at a time.
set -eu
xen=0 bare=0 limit=200
while getopts bxt: o; do
	case $o in
	b) bare=1 ;;
	x) xen=1 ;;
	t) limit=$OPTARG ;;
	*) exit 64 ;;
	esac
done
shift $((OPTIND - 1))
payload=$(realpath "$1")
. "$(dirname "$0")/../fetch.sh"
out=${NESTED:-$(dirname "$0")/../../../build/kvm-nested}
mkdir -p "$out"
cd "$out"
exec 9>lock
flock 9 # one at a time fetches and compiles

cloud=$(newest linux-image-cloud-amd64)
amd64=$(newest linux-image-amd64)
fetch "$cloud" "$amd64" busybox-static
cloud=${cloud#linux-image-} amd64=${amd64#linux-image-}
busybox=x/bin/busybox
modules=x/lib/modules/$cloud/kernel
kvm=$modules/arch/x86/kvm

# The same source, kvm alone, with CONFIG_KVM_XEN said on the command line.
build_kvm_xen() {
	local source=linux-source-${cloud%%.*}.$(echo "$cloud" | cut -d. -f2) common headers=$out/x/usr/src/linux-headers-$cloud
	common=$(apt-cache depends "linux-headers-$cloud" | sed -n 's/.*Depends: \(linux-headers-.*-common\)/\1/p')
	fetch "linux-headers-$cloud" "$common" "linux-kbuild-${source#linux-source-}" linux-compiler-gcc-12-x86 "$source"
	rm -rf kvm-build "$source"
	tar -xJf "x/usr/src/$source.tar.xz" "$source/arch/x86/kvm" "$source/virt/kvm"
	cp -r "$source/arch/x86/kvm" kvm-build
	cp -r "$source/virt/kvm" kvm-build/virtkvm
	sed -i "s|^include .*|include $out/x/usr/src/$common/Makefile|" "$headers/Makefile"
	sed -i -e "s|-I \$(srctree)/arch/x86/kvm|-I \$(src) -I \$(src)/virtkvm -I \$(src)/mmu -DCONFIG_KVM_XEN=1|" \
		-e "s|^include \$(srctree)/virt/kvm/Makefile.kvm|KVM := virtkvm\ninclude \$(src)/virtkvm/Makefile.kvm|" \
		-e "s|kvm-\$(CONFIG_KVM_XEN)|kvm-y|" kvm-build/Makefile
	sed -i 's|#define TRACE_INCLUDE_PATH .*|#define TRACE_INCLUDE_PATH .|' kvm-build/trace.h
	make -C "$headers" M="$out/kvm-build" CONFIG_KVM_INTEL=n CONFIG_KVM_XEN=y -j"$(nproc)" modules >kvm-build.log 2>&1 ||
		{ tail -20 kvm-build.log >&2; exit 69; }
	mkdir -p kvm-xen
	cp kvm-build/kvm.ko kvm-build/kvm-amd.ko kvm-xen/
	strip -g kvm-xen/*.ko
	rm -rf kvm-build "$source"
}
out=$PWD
if [ $xen = 1 ]; then
	[ -f kvm-xen/kvm-amd.ko ] || build_kvm_xen
	kvm=kvm-xen
fi

flock -u 9
run=$(mktemp -d "${TMPDIR:-/tmp}/pvring-nested-XXXXXX")
trap 'rm -rf "$run"' EXIT
root=$run/root
mkdir -p "$root"/{bin,dev,proc,sys,tmp,run,m,guest/cloud.d,guest/amd64.d,lib,lib64,etc}
cp "$busybox" "$root"/bin/busybox
for applet in $("$busybox" --list); do [ "$applet" = busybox ] || ln -sf busybox "$root/bin/$applet"; done
cp "$modules/virt/lib/irqbypass.ko" $kvm/kvm.ko $kvm/kvm-amd.ko "$root"/m/
[ $xen = 0 ] || touch "$root"/m/xen # run.sh may want to know
for m in drivers/crypto/ccp/ccp drivers/net/tun net/802/stp net/llc/llc net/bridge/bridge; do
	cp "$modules/$m.ko" "$root"/m/ 2>/dev/null || true
done
if [ $bare = 0 ]; then
	cp "x/boot/vmlinuz-$cloud" "$root"/guest/cloud
	cp "x/boot/vmlinuz-$amd64" "$root"/guest/amd64
	for m in drivers/block/xen-blkfront drivers/net/xen-netfront drivers/net/tun net/core/failover drivers/net/net_failover; do
		for k in cloud amd64; do cp "x/lib/modules/${!k}/kernel/$m.ko" "$root"/guest/$k.d/ 2>/dev/null || true; done
	done
	for m in lib/crc16 fs/mbcache fs/jbd2/jbd2 crypto/crc32c_generic fs/ext4/ext4; do # built into cloud
		cp "x/lib/modules/$amd64/kernel/$m.ko" "$root"/guest/amd64.d/ 2>/dev/null || true
	done
fi
mkdir "$root"/payload
cp -rL "$payload/." "$root"/payload/
if [ -d "$root"/payload/lib ]; then
	cp -r "$root"/payload/lib/. "$root"/lib/
	ln -sf ../lib/ld-linux-x86-64.so.2 "$root"/lib64/
fi
cat >"$root"/init <<'I'
#!/bin/sh
export PATH=/payload/bin:/payload:/bin LD_LIBRARY_PATH=/lib
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/net /dev/shm /dev/pts; mount -t tmpfs tmp /dev/shm; mount -t tmpfs tmp /tmp; mount -t devpts pts /dev/pts
for m in irqbypass ccp kvm kvm-amd tun llc stp bridge; do [ -f /m/$m.ko ] && insmod /m/$m.ko 2>/dev/null; done
[ -c /dev/net/tun ] || mknod /dev/net/tun c 10 200
ip link set lo up
cd /payload; sh ./run.sh; echo "NESTED-STATUS $?"
poweroff -f
I
chmod +x "$root"/init
(cd "$root" && find . | cpio -o -H newc --quiet) >"$run/initrd.cpio"
rc=0
timeout "$limit" qemu-system-x86_64 -accel tcg,thread=multi -machine q35 -cpu qemu64,+svm,+npt -smp 2 -m 2560 \
	-kernel "x/boot/vmlinuz-$cloud" -initrd "$run/initrd.cpio" -append "console=ttyS0 quiet mitigations=off panic=-1" \
	-nographic -no-reboot -nodefaults -serial mon:stdio </dev/null 2>&1 | stdbuf -oL tr -d '\r' | tee "$run/console.log" || rc=$?
status=$(sed -n 's/.*NESTED-STATUS //p' "$run/console.log" | tail -1)
[ -n "$status" ] || { echo "the nested machine did not finish ($rc)"; exit 1; }
exit "$status"

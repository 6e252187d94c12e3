#!/bin/bash
# SPDX-License-Identifier: MIT
# rig.sh [-p] [-t SECONDS] PAYLOAD: the real Xen with Debian's kernel as its dom0, on a machine that has none: QEMU emulates
# one CPU in software. dom0 runs PAYLOAD/run.sh as root, by bash, with xenstored, xenconsoled and xl; PAYLOAD is
# at /payload, first in PATH; what its programs need of libraries is copied. In /rig are a kernel for domUs,
# `vmlinuz`, and its modules, `modules/*.ko`.
# Prints dom0's console; the status is run.sh's. What it fetches stays in $RIG (build/xen-rig); several may run at a time.
set -eu
limit=240 cpu=qemu64
while getopts pt: o; do
	case $o in
	p) cpu=qemu64,+svm,+npt ;;
	t) limit=$OPTARG ;;
	*) exit 64 ;;
	esac
done
shift $((OPTIND - 1))
payload=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../fetch.sh"
out=${RIG:-$here/../../../build/xen-rig}
mkdir -p "$out"
cd "$out"
out=$PWD

exec 9>lock
flock 9 # one at a time fetches
kernel=$(newest linux-image-amd64)
fetch "$kernel" busybox-static xen-hypervisor-4.17-amd64 xen-utils-4.17 xen-utils-common xenstore-utils libyajl2 \
	libxenmisc4.17 libxencall1 libxendevicemodel1 libxenevtchn1 libxenforeignmemory1 libxengnttab1 libxenhypfs1 \
	libxenstore4 libxentoolcore1 libxentoollog1
version=${kernel#linux-image-}
modules=x/lib/modules/$version
xen=x/usr/lib/xen-4.17/bin

# QEMU boots Xen as a Multiboot kernel: it wants both unpacked.
[ -f xen.elf ] || gunzip -c x/boot/xen-4.17-amd64.gz >xen.elf
[ -f vmlinux ] || python3 - "x/boot/vmlinuz-$version" <<'P'
import lzma, sys
image, at = open(sys.argv[1], 'rb').read(), -1
while True:
    at = image.index(b'\xfd7zXZ\x00', at + 1)
    try:
        kernel = lzma.LZMADecompressor(format=lzma.FORMAT_XZ).decompress(image[at:])
    except lzma.LZMAError:
        continue
    if kernel.startswith(b'\x7fELF'):
        open('vmlinux', 'wb').write(kernel)
        break
P
flock -u 9

run=$(mktemp -d "${TMPDIR:-/tmp}/pvring-xen-XXXXXX")
trap 'rm -rf "$run"' EXIT
root=$run/root
mkdir -p $root/{bin,dev,etc,lib/x86_64-linux-gnu,lib64,payload,proc,rig/modules,run,sbin,sys,tmp} \
	$root/usr/{bin,lib,sbin} $root/var/{lib/xen,lib/xenstored,lock,log/xen/console}
ln -s /run $root/var/run
ln -s /lib/x86_64-linux-gnu $root/usr/lib/x86_64-linux-gnu
cp x/bin/busybox $root/bin/
for applet in $(x/bin/busybox --list); do [ "$applet" = busybox ] || ln -sf busybox "$root/bin/$applet"; done

module() { # module DIR NAME...: a module and what it needs, stripped
	local dir=$1 m f
	shift
	for m; do
		f=$(find "$modules" -name "$m.ko" | head -1)
		mkdir -p "$dir"
		strip -g -o "$dir/$m.ko" "$f"
	done
}
tree=$root/lib/modules/$version
module "$tree" xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xenfs xen-blkback xen-netback loop tun bridge stp llc
cp "$modules"/modules.{builtin,order} "$tree/"
x/bin/busybox depmod -b "$root" "$version"
module $root/rig/modules xen-blkfront xen-netfront crc16 crc32c_generic mbcache jbd2 ext4
cp "x/boot/vmlinuz-$version" $root/rig/vmlinuz

mkdir -p $root/usr/lib/xen-4.17 $root/usr/lib/xen-common
cp -a x/usr/lib/xen-4.17/bin x/usr/lib/xen-4.17/boot $root/usr/lib/xen-4.17/
cp -a x/usr/lib/xen-common/bin $root/usr/lib/xen-common/
cp -a x/etc/xen $root/etc/
for tool in xl xenstored xenconsoled xen-init-dom0 lsevtchn; do
	ln -sf "../lib/xen-4.17/bin/$tool" $root/usr/sbin/
done
cp -a x/usr/bin/xenstore* $root/usr/bin/
# What Xen's scripts and ours want more of than busybox has.
tools="bash ip bridge losetup stat flock readlink logger systemctl"
for t in $tools; do
	rm -f "$root/bin/$t"
	cp -L "$(command -v "$t")" $root/bin/
done
mkdir -p $root/lib/systemd/system $root/etc/systemd/system $root/lib/x86_64-linux-gnu/systemd
cp /lib/systemd/systemd $root/lib/systemd/
cp /lib/systemd/system/{sysinit,basic,multi-user,shutdown}.target $root/lib/systemd/system/
cp /usr/lib/x86_64-linux-gnu/systemd/libsystemd-{core,shared}-*.so $root/lib/x86_64-linux-gnu/systemd/
cp -rL "$payload/." $root/payload/
programs=$(find $root/payload $root/usr/bin $root/bin $root/lib/systemd -type f -perm -u+x; find $root/usr/lib/xen-4.17/bin -type f \
	-name 'x*' -o -name 'lib*' -o -name lsevtchn)
for f in $programs; do
	LD_LIBRARY_PATH=x/usr/lib/x86_64-linux-gnu ldd "$f" 2>/dev/null || true
done | awk '$2 == "=>" && $3 ~ "/" {print $3} $1 ~ "/ld-linux" {print $1}' | sort -u | while read -r l; do
	case $l in
	/lib64/*) cp -L "$l" $root/lib64/ ;;
	*) cp -L "$l" $root/lib/x86_64-linux-gnu/ ;;
	esac
done
cp -L x/usr/lib/x86_64-linux-gnu/lib*.so.* /lib/x86_64-linux-gnu/libgcc_s.so.1 $root/lib/x86_64-linux-gnu/
cp "$here/dom0-init" $root/init
chmod +x $root/init
rm $root/bin/init # a dom0 without /init is to end
(cd "$root" && find . | cpio -o -H newc --quiet) >"$run/dom0.cpio"

# The plainest CPU: under `max` programs of PV domains lose their FS base now and then and die of it. PVH domUs need SVM (-p).
# QEMU's own status says nothing: dom0 is asked.
timeout "$limit" qemu-system-x86_64 -machine q35 -accel tcg,thread=multi -cpu $cpu -smp 1 -m 3072 -nodefaults \
	-no-reboot -display none -serial "file:$run/console" -kernel xen.elf \
	-append "com1=115200,8n1 console=com1 dom0_mem=1792M,max:1792M guest_loglvl=all" \
	-initrd "vmlinux console=hvc0 quiet panic=-1,$run/dom0.cpio" </dev/null || true
tr -d '\r' <"$run/console"
status=$(tr -d '\r' <"$run/console" | sed -n 's/.*RIG-STATUS //p' | tail -1)
[ -n "$status" ] || { echo "dom0 did not finish"; exit 75; }
exit "$status"

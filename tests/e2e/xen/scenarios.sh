# SPDX-License-Identifier: MIT
# The real Xen: Debian's Xen, dom0 and domUs under an emulated CPU (rig.sh), on pvring's backends. Sourced by slow_xen*.sh
# with `scenarios`. Skips where the machine has no QEMU or no Xen packages.
. "$(dirname "$0")/lib.sh"
here=$root/tests/e2e/xen

if ! command -v qemu-system-x86_64 >/dev/null || ! command -v python3 >/dev/null || ! command -v cpio >/dev/null; then
	echo "SKIP the real Xen: qemu-system-x86_64, python3 or cpio is missing"
	exit
fi
if ! ldd "$BUILD/pvring" | grep -q libxengnttab; then
	echo "SKIP the real Xen: pvring was built without libxen-dev"
	exit
fi
if ! apt-cache show xen-hypervisor-4.17-amd64 >/dev/null 2>&1; then
	echo "SKIP the real Xen: no package xen-hypervisor-4.17-amd64"
	exit
fi

payload=$work/payload
mkdir "$payload"
cp "$here/common.sh" "$here/domu-init" "$root"/tools/xen/* "$BUILD/pvring" "$payload/"
strip -g "$payload/pvring"
cp -L "$(command -v mke2fs)" "$(command -v e2fsck)" "$(command -v qemu-nbd)" "$payload/"
cp -L "$(ldconfig -p | sed -n 's/.*libnbd\.so\.0 .*=> //p' | head -1)" "$payload/libnbd.so.0" # pvring loads it by that name
chmod +x "$payload/libnbd.so.0" # so that what it needs is copied too
qemu-img create -q -f qcow2 "$payload/nbd.qcow2" 16M
for kernel in "$BUILD"/guest-*; do
	[ -f "$kernel" ] && cp "$kernel" "$payload/"
done

# Emulated dom0s have crashed for no cause of ours, once in some thirty boots: what did not finish is tried again.
scenario() { # scenario NAME SECONDS [-p]
	set -- "$@" ""
	cp "$here/$1.sh" "$payload/run.sh"
	for try in 1 2; do
		RIG=${RIG:-$root/build/xen-rig} "$here/rig.sh" $3 -t $2 "$payload" >"$work/$1.log" 2>&1
		status=$?
		[ $status = 75 ] || break
		echo "dom0 did not finish $1 (try $try)"
	done
	sed -n 's/^RESULT PASS/PASS/p; s/^RESULT FAIL/FAIL/p; /^XS /p; /^COUNT /p' "$work/$1.log"
	if [ $status != 0 ]; then
		fail "$1: status $status"
		grep -v '^(XEN)' "$work/$1.log" | tail -60 | sed 's/^/  | /'
	fi
}
for name in $scenarios; do
	case $name in pv | beside) scenario $name 240 ;; pvh) scenario $name 400 -p ;; *) scenario $name 200 -p ;; esac
done

#!/bin/bash
# SPDX-License-Identifier: MIT
# Unmodified Debian kernels as guests under a real KVM, which is emulated where there is none (kvm/nested.sh): once
# with KVM as Debian builds it, once with KVM's own Xen support.
. "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)/kvm
export NESTED=$root/build/kvm-nested
payload=$work/payload
mkdir -p "$payload/bin" "$payload/lib" "$work/ref"

collect() { # collect PROGRAM...: with the libraries it needs
	for program; do
		cp "$program" "$payload/bin/"
		ldd "$program" | grep -o '/[^ ]*' | while read -r l; do cp -Ln "$l" "$payload/lib/"; done
	done
}
collect "$BUILD/pvring" /sbin/e2fsck "$(command -v xenstore-ls)" "$(command -v xenstore-write)"
strip "$payload/bin/pvring"
head -c 4M /dev/urandom >"$work/ref/ref"
(cd "$work/ref" && md5sum ref >ref.md5)
mke2fs -q -t ext4 -d "$work/ref" "$payload/disk.img" 40M
cp "$here/run.sh" "$here/guest-init" "$payload/"

expect() { # expect LOG NAME PATTERN: the log has a line that matches
	check "$2" grep -aq -e "$3" "$1"
}
for mode in "" -x; do
	name=${mode:+KVM with Xen: }
	log=$work/log$mode
	"$here/nested.sh" $mode -t 140 "$payload" >"$log" 2>&1
	status=$?
	[ $status = 0 ] || tail -60 "$log"
	check "${name}the scenario ended well" test $status = 0
	sed -n 's/.*RESULT //p' "$log" | while read -r line; do echo "$name$line"; done | tee "$work/results"
	grep -q '^.*FAIL' "$work/results" && failed=1
	expect "$log" "${name}the mode is said" "pvring: KVM with${mode:+ Xen}"
done
exit

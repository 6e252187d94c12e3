# SPDX-License-Identifier: MIT
# Unmodified Debian kernels as guests under a real KVM, which is emulated where there is none (nested.sh). Sourced by the
# slow_kvm*.sh with `mode`, the option that nested.sh gets.
. "$(dirname "$0")/lib.sh"
here=$root/tests/e2e/kvm
export NESTED=${NESTED:-$root/build/kvm-nested}
payload=$work/payload
mkdir -p "$payload/bin" "$payload/lib" "$work/ref"

collect() { # collect PROGRAM...: with the libraries it needs
	for program; do
		cp "$program" "$payload/bin/"
		ldd "$program" | grep -o '/[^ ]*' | while read -r l; do cp -Ln "$l" "$payload/lib/"; done
	done
}
collect "$BUILD/pvring" /sbin/e2fsck "$(command -v xenstore-ls)" "$(command -v xenstore-write)" "$(command -v xenstore-read)"
strip "$payload/bin/pvring"
head -c 4M /dev/urandom >"$work/ref/ref"
(cd "$work/ref" && md5sum ref >ref.md5)
mke2fs -q -t ext4 -d "$work/ref" "$payload/disk.img" 40M
cp "$here"/*.sh "$here/guest-init" "$payload/"
[ -z "${FIGURES:-}" ] || touch "$payload/figures" # docs/KVM.md's exits per packet: net.sh
cp "$here/kernels.sh" "$payload/run.sh"

# The emulated machine's own kernel dies now and then under its guests, the longer it runs the more likely, and without Xen
# support a guest's does (CAVEATS.md). So the parts have a machine each; and when one died, once more, and it is said.
died() {
	grep -aq "the nested machine did not finish" "$console" && grep -aq "Kernel panic" "$console" && return
	[ -z "$mode" ] && grep -aq -e "^pvring: guest CPU .*triple fault" -e "Kernel panic" "$console"
}
in_machine() { # in_machine PART...
	console=$work/$1.log
	echo "$@" >"$payload/parts"
	for try in 1 2; do
		"$here/nested.sh" $mode -t 240 "$payload" >"$console" 2>&1
		status=$?
		[ $status != 0 ] && [ $try = 1 ] && died || break
		echo "a kernel died by itself; once more:"
		grep -a -B 40 -A 10 -e "triple fault" -e "Kernel panic" "$console"
	done
	[ $status = 0 ] || tail -60 "$console"
	check "$*: the scenario ended well" test $status = 0
	grep -a '^RESULT' "$console" | sed 's/^RESULT //' | tee "$work/results"
	grep -q '^FAIL' "$work/results" && failed=1
	check "$*: the mode is said" grep -aq -e "pvring: KVM with${mode:+ Xen}" "$console"
	grep -a "^[a-z]*: after" "$console"
}
in_machine kernels
[ -z "$mode" ] || in_machine create
in_machine running
exit

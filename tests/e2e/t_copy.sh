#!/bin/sh
# SPDX-License-Identifier: MIT
# A file system crosses the split driver both ways, by NBD clients and by our own guest program.
. "$(dirname "$0")/lib.sh"

check "an ext4 image with /usr/include" mke2fs -q -t ext4 -d /usr/include "$work/in.img" 192M
truncate -s 192M "$work/back.img" "$work/back2.img"

copy_out() {
	pvring run --disk "$work/in.img,readonly=on" -- $nbdkit -U - "$plugin" --run "nbdcopy \"\$uri\" $work/out.img"
}
copy_in() {
	pvring run --disk "$work/back.img" -- $nbdkit -U - "$plugin" --run "nbdcopy --flush $work/in.img \"\$uri\""
}
check "nbdcopy out of a pvring disk" copy_out
check "byte for byte the same" cmp "$work/in.img" "$work/out.img"
check "nbdcopy into a pvring disk" copy_in
check "e2fsck finds nothing" e2fsck -fn "$work/back.img"
check "blk copy into a disk" pvring run --disk "$work/back2.img" -- pvring blk copy "$work/in.img" xvda
check "e2fsck finds nothing there either" e2fsck -fn "$work/back2.img"
check "blk copy out of a disk" pvring run --disk "$work/back2.img" -- pvring blk copy xvda "$work/out2.img"
check "the same again" cmp "$work/in.img" "$work/out2.img"
check "nbdinfo sees the size" \
	pvring run --disk "$work/in.img" -- $nbdkit -U - "$plugin" --run 'test "$(nbdinfo --size "$uri")" = 201326592'

# can DISK WHAT...: an NBD client is offered just these of trim and fua.
can() {
	disk=$1
	shift
	pvring run --disk "$disk" -- $nbdkit -U - "$plugin" --run \
		'for what in trim fua; do nbdinfo --can $what "$uri" && echo $what; done; true' >"$work/can" &&
		test "$(tr '\n' ' ' <"$work/can")" = "$*"
}
check "trim and FUA are offered" can "$work/back.img" "trim fua "
check "no trim where the disk has no discard" can "$work/back.img,discard=off" "fua "
check "nor on a read-only disk" can "$work/in.img,readonly=on" ""
if ! command -v qemu-io >/dev/null; then
	echo "left out: qemu-io is not installed (qemu-utils)"
	exit
fi
trim() {
	dd if=/dev/urandom of="$work/back.img" bs=1M count=4 status=none
	pvring run --disk "$work/back.img" -- $nbdkit -U - "$plugin" --run 'qemu-io -f raw -t none \
		-c "write -f -P 90 1M 64k" -c "read -P 90 1M 64k" -c "discard 2M 1M" -c "read -P 0 2M 1M" "$uri"' &&
		cmp -n 65536 -i 1048576:0 "$work/back.img" "$work/pattern" &&
		test "$(stat -c %b "$work/back.img")" -le $((3 * 2048))
}
head -c 65536 /dev/zero | tr '\0' Z >"$work/pattern"
check "a write with FUA, and a trim that gives space back" trim

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

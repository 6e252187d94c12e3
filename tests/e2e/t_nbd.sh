#!/bin/sh
# SPDX-License-Identifier: MIT
# Disks of NBD servers behind the split driver: nbdkit's memory, a qcow2 image of qemu-nbd, a server that fails,
# one that dies. Where qemu-nbd is not installed its part is left out.
. "$(dirname "$0")/lib.sh"
if ! command -v nbdkit >/dev/null || [ ! -e /usr/include/libnbd.h ]; then
	echo "skipped: no nbdkit, or built without libnbd"
	exit
fi
uri="nbd+unix:///?socket=$work/sock"

# serve COMMAND...: an NBD server on $work/sock.
serve() {
	rm -f "$work/sock"
	"$@" >"$work/server.log" 2>&1 &
	server=$!
	pids="$server $pids"
	within 10 nbdinfo --size "$uri" || fail "the server did not start: $*"
}
end() { # the server: nobody answers on its socket any more
	kill "$server"
	wait "$server" 2>/dev/null
}
guest() { # a command in a domain with that disk
	timeout $((60 * slow)) pvring run --disk "nbd=$uri$options" -- "$@"
}
options=

mke2fs -q -F -t ext4 -d "$root/blkback" "$work/in.img" 32M >/dev/null
serve nbdkit -f -U "$work/sock" memory 32M
check "a file system into nbdkit's memory" guest pvring blk copy "$work/in.img" xvda
check "and out again" guest pvring blk copy xvda "$work/out.img"
check "byte for byte the same" cmp "$work/in.img" "$work/out.img"
options=,readonly=on
check "read-only, the same" guest pvring blk copy xvda "$work/out2.img"
check "byte for byte" cmp "$work/in.img" "$work/out2.img"
options=,sector=4096
check "sectors of 4096" sh -c "timeout $((20 * slow)) pvring run --disk 'nbd=$uri,sector=4096' -- pvring blk info | grep -q 'sector size 4096'"
options=
check "barriers and discards are offered" sh -c "timeout $((20 * slow)) pvring run --disk 'nbd=$uri' -- pvring blk info | grep -q 'barrier yes, discard yes'"
end
serve nbdkit -f -U "$work/sock" --filter=fua memory 32M
check "and no barriers by a server without FUA" \
	sh -c "timeout $((20 * slow)) pvring run --disk 'nbd=$uri' -- pvring blk info | grep -q 'flush yes, barrier no, discard yes'"
end

refuses "no server" 66 "is the NBD server running" pvring run --disk "nbd=$uri" -- true
refuses "no NBD URI" 64 "no NBD URI" pvring run --disk nbd=http://localhost -- true

serve nbdkit -f -U "$work/sock" --filter=error memory 32M error-pwrite=ENOSPC error-pwrite-rate=100%
fails() { ! "$@"; }
check "a full server is an error of the write" fails guest pvring blk copy "$work/in.img" xvda
check "and of nothing else" guest pvring blk copy xvda "$work/out3.img"
end
serve nbdkit -f -U "$work/sock" --filter=error memory 32M error-pread=EIO error-pread-rate=100%
check "a read error is an error of the read" fails guest pvring blk copy xvda "$work/out4.img"
check "and of nothing else" guest pvring blk copy "$work/in.img" xvda
end

# The server dies while a guest stays: reads fail, blkback does not; with the server back they succeed.
start_system
serve nbdkit -f -U "$work/sock" file "$work/in.img"
PVRING_DOMID=$(pvring create guest); export PVRING_DOMID
check "attach" pvring block-attach guest "nbd=$uri"
$nbdkit -f -U "$work/guest.sock" "$plugin" >"$work/guest.log" 2>&1 &
pids="$! $pids"
check "a guest connects" within 10 nbdinfo --size "nbd+unix:///?socket=$work/guest.sock"
# One request at a time: nbdkit 1.32 may abort when its client goes while others are answered (raw_send_socket).
copy_out() {
	timeout $((20 * slow)) nbdcopy --connections=1 --requests=1 --threads=1 "nbd+unix:///?socket=$work/guest.sock" "$work/out5.img"
}
check "it reads" copy_out
kill -9 "$server" # it would see its connections out
wait "$server" 2>/dev/null
rm -f "$work/sock"
check "the server is gone: an error" fails copy_out
check "the backend lives" kill -0 "$back"
serve nbdkit -f -U "$work/sock" file "$work/in.img"
check "the server is back: the same guest reads again" within 5 copy_out
check "byte for byte the same" cmp "$work/in.img" "$work/out5.img"
kill "$server"
unset PVRING_DIR PVRING_DOMID XENSTORED_PATH

if ! command -v qemu-nbd >/dev/null; then
	echo "left out: qemu-nbd is not installed (qemu-utils)"
	exit
fi
qemu-img create -q -f qcow2 "$work/disk.qcow2" 32M
serve qemu-nbd -t -f qcow2 -k "$work/sock" --discard=unmap "$work/disk.qcow2"
check "a file system into a qcow2 image" guest pvring blk copy "$work/in.img" xvda
check "and out" guest pvring blk copy xvda "$work/out8.img"
check "e2fsck finds nothing" e2fsck -fn "$work/out8.img"
check "the same bytes" cmp "$work/in.img" "$work/out8.img"
end
check "qemu-img check finds nothing" qemu-img check -q "$work/disk.qcow2"

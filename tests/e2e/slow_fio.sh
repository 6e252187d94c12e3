#!/bin/sh
# SPDX-License-Identifier: MIT
# fio writes and checks a disk over the product of what frontend and backend can agree upon: indirect segments,
# persistent grants, ring pages, queues; and of how the backend does its I/O: direct, engine, sector size.
# Depths 1 to 256 and block sizes up to 1 MiB take turns. What a backend does not offer is named and left out.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/fio.sh"
truncate -s 64M image
disk=$work/image
use_queues
base=$disk
queues=1
[ $most_queues = 1 ] || queues="1 $most_queues"

# offered NODE VALUE NAME: VALUE as long as the backend offers that much.
offered() {
	[ "$(node "$1")" -ge "$2" ] && echo "$2" || echo "left out: $3, not offered" >&2
}
segments="11 $(offered feature-max-indirect-segments 64 "indirect segments")"
persistent="0 $(offered feature-persistent 1 "persistent grants")"
orders="0 $(offered max-ring-page-order 2 "rings of four pages")"
# O_DIRECT is for the file system to allow.
directs="direct=off $(taken direct=on)"
engines="engine=uring $(taken engine=aio)"
sectors="sector=512 $(taken sector=4096)"
[ "$sectors" = "sector=512 " ] && sectors=

# Every combination of the frontend's side on one disk, within one guest.
cat >matrix.sh <<'END'
status=0 turn=$1 least=$2
for s in $segments; do for p in $persistent; do for o in $orders; do for q in $queues; do
	turn=$((turn + 1))
	case $((turn % 4)) in
	0) depth=1 most=1M ;;
	1) depth=16 most=1M ;;
	2) depth=64 most=256k ;;
	3) depth=256 most=64k ;;
	esac
	fio --ioengine="external:$engine" --name=job --minimal --rw=randwrite --verify=crc32c --verify_fatal=1 \
		--bsrange=$least-$most --iodepth=$depth --size=$((8 / q))M --offset_increment=16M --numjobs=$q \
		--queues=$q --segments=$s --persistent=$p --ring_order=$o --end_fsync=1 >fio.out 2>&1 ||
		{ echo "segments=$s persistent=$p ring_order=$o queues=$q depth=$depth bs=$most"; tail -3 fio.out; status=1; }
done; done; done; done
exit $status
END
export segments persistent orders queues engine
turn=0
for d in $directs; do for e in $engines; do for s in ${sectors:-none}; do
	least=512
	[ "$s" = sector=4096 ] && least=4k
	disk=$base,$d,$e
	[ "$s" = none ] || disk=$disk,$s
	# Another turn of the depths for each disk.
	turn=$((turn + 1))
	check "verify: $d $e $s, segments $segments, persistent $persistent, ring order $orders, queues $queues" \
		on "$disk" sh matrix.sh $turn $least
done; done; done

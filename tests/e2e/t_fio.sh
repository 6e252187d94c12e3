#!/bin/sh
# SPDX-License-Identifier: MIT
# fio, an independent program, writes a disk through the frontend, reads back and checks every block's checksum.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/fio.sh"

truncate -s 64M image
disk=$work/image
use_queues
queues=1
[ $most_queues = 1 ] || queues="1 $most_queues"
for n in $queues; do
	for depth in 1 4 32 64; do
		check "verify: mixed sizes, depth $depth, $n queues" verify --bsrange=512-256k --iodepth=$depth \
			--numjobs="$n" --size=$((16 / n))M --offset_increment=16M
	done
	check "verify: batches of 16, $n queues" verify --bs=4k --iodepth=64 --iodepth_batch=16 \
		--iodepth_batch_complete_min=8 --numjobs="$n" --size=$((16 / n))M --offset_increment=16M
done
check "verify: buffers that begin within a page" verify --bsrange=512-64k --iomem_align=512 --iodepth=16 --size=16M
check "verify: one mebibyte at a time" verify --bs=1M --iodepth=8 --size=32M
check "verify: reads and writes, a flush every eight" verify --rw=randrw --bsrange=4k-32k --iodepth=16 --fsync=8 --size=16M

# The check itself must be able to fail.
check "blocks of which to spoil one" verify --bs=4k --size=4M --do_verify=0
printf x | dd of=image bs=1 seek=1234567 conv=notrunc status=none
spoiled() { ! fio_job --rw=read --verify=crc32c --bs=4k --size=4M; }
check "a spoiled byte is found" spoiled

if [ "$(node feature-discard)" = 1 ]; then
	check "trim" fio_job --rw=randtrim --bs=64k --iodepth=8 --size=16M
else
	echo "left out: trim, the backend does not discard"
fi

fails() { # fails PATTERN COMMAND...: the command fails and says so
	pattern=$1
	shift
	! "$@" >said 2>&1 && grep -q -- "$pattern" said
}
check "more jobs than queues" fails "needs its own" fio_job --rw=read --size=1M --queues=1 --numjobs=2
check "no such disk" fails "no disk xvdq" fio_job --rw=read --vdev=xvdq
check "block size below the sector" fails "sector size" fio_job --rw=read --bs=256
check "too little memory for the buffers" fails "pvring run --memory" fio_job --rw=read --bs=4M --iodepth=256
disk=$disk,readonly=on
check "a write to a read-only disk" fails "read-only" fio_job --rw=write
check "outside a guest" fails "run fio as a guest" fio --ioengine="external:$engine" --name=job --rw=read

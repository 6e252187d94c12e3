#!/bin/sh
# SPDX-License-Identifier: MIT
# fio writes and checks a disk while its backend is killed -9 twenty times; then fio itself is killed in the middle
# of its work, again and again, and leaves nothing mapped and no event channel.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/fio.sh"
start_system --restart
truncate -s 256M "$work/disk.img"
PVRING_DOMID=$(pvring create guest --memory 512M)
export PVRING_DOMID
check "attach" pvring block-attach guest "$work/disk.img,queues=4"

job() { # job QUEUES OPTION...: verified random writes, QD 32 on each queue
	q=$1
	shift
	set -- --ioengine="external:$engine" --name=job --rw=randwrite --bsrange=4k-64k --iodepth=32 --verify=crc32c \
		--verify_fatal=1 --end_fsync=1 --numjobs="$q" --queues="$q" --size=$((64 / q))M --offset_increment=64M "$@"
	exec fio "$@"
}
long_job() { # over and over
	job "$1" --loops=1000 --time_based --runtime=20
}
quiet_job() {
	(job "$@")
}
backend() { # the present one: the supervisor's child
	pgrep -P "$back" 2>/dev/null
}
kill_backend() { # twenty times, at instants that drift
	for try in $(seq 20); do
		# One that has lived for a second is started again without a pause.
		case $((try % 3)) in
		0) sleep "1.$((try % 7))" ;;
		*) sleep "0.$((try * 3 % 7 + 1))" ;;
		esac
		within 10 backend && kill -9 "$(backend)" && echo killed
	done
}
state() { # state NAME: that number of the guest, in pvring list
	pvring list --json | tr -d ' \n' | sed "s/.*\"domid\":$PVRING_DOMID,//; s/}.*//" | sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"
}
is() { # is NAME NUMBER
	test "$(state "$1")" = "$2"
}
works() { # what the counts at the end are compared with
	test "$(state grants_mapped)" -gt 0 && test "$(state event_channels)" -gt "$idle"
}
idle=$(state event_channels)
check "an idle guest has nothing mapped" is grants_mapped 0

for queues in 1 4; do
	: >"$work/kills"
	(long_job $queues) >"$work/fio.log" 2>&1 &
	fio=$!
	check "$queues queues: at work it has grants mapped and event channels" within 10 works
	kill_backend >>"$work/kills" &
	killer=$!
	wait $fio
	status=$?
	while [ $status = 0 ] && kill -0 $killer 2>/dev/null; do
		(long_job $queues) >"$work/fio.log" 2>&1
		status=$?
	done
	wait $killer
	[ $status = 0 ] || tail -20 "$work/fio.log" "$work/blkback.log"
	echo "$queues queues: $(wc -l <"$work/kills") times killed,$(grep -m1 'WRITE:' "$work/fio.log")"
	check "$queues queues: fio ended without an error" test $status = 0
	check "$queues queues: the backend was killed twenty times meanwhile" test "$(wc -l <"$work/kills")" -eq 20
	check "$queues queues: once more in peace" quiet_job $queues
	check "nothing is mapped" within 10 is grants_mapped 0
done

# Where a guest dies: while it connects, writes, verifies.
for try in $(seq 10); do
	long_job $((try % 2 * 3 + 1)) >"$work/fio.log" 2>&1 &
	sleep "0.$((try * 3 % 7 + 3))"
	kill -9 $!
	wait $! 2>/dev/null
	within 10 is grants_mapped 0 && within 10 is event_channels "$idle" && echo clean
done >"$work/clean"
check "fio killed ten times: each time nothing is mapped, no event channel left" test "$(wc -l <"$work/clean")" -eq 10
check "and a new guest verifies" quiet_job 4

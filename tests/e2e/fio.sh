# SPDX-License-Identifier: MIT
# What the tests with fio share; lib.sh is sourced before. Ends the test where fio or its engine is missing.
engine=$root/build/fio-pvring.so
if ! command -v fio >/dev/null || [ ! -f "$engine" ] || ! fio --ioengine="external:$engine" --enghelp >/dev/null 2>&1; then
	echo "skipped: fio or its engine is not there (make fio-engine)"
	exit
fi
cd "$work"

# on SPEC COMMAND...: as a guest with that disk; fio_job OPTION...: one fio run on it.
on() {
	spec=$1
	shift
	timeout $((100 * slow)) pvring run --memory 512M --disk "$spec" -- "$@"
}
fio_job() {
	set -- fio --ioengine="external:$engine" --name=job --minimal "$@"
	on "$disk" "$@"
}
verify() {
	fio_job --rw=randwrite --verify=crc32c --verify_fatal=1 --end_fsync=1 "$@"
}
node() { # node NAME: of the disk's backend, which says all it offers once a guest has been there
	on "$disk" sh -c 'pvring blk info >/dev/null; xenstore-read /local/domain/0/backend/vbd/$PVRING_DOMID/51712/'"$1" 2>/dev/null || echo 0
}

# taken KEY=VALUE: as long as the disk's SPEC may have it here.
taken() {
	pvring run --disk "$disk,$1" -- true >said 2>&1 && echo "$1" || echo "left out: $1 ($(tail -1 said))" >&2
}
# The most queues to test with, 1 to 4, on a disk that was asked for four where that can be said.
use_queues() {
	four=$(taken queues=4)
	disk=$disk${four:+,$four}
	most_queues=$(node multi-queue-max-queues)
	[ "$most_queues" -le 4 ] || most_queues=4
	[ "$most_queues" -ge 2 ] || { most_queues=1; echo "left out: several queues, the backend has one"; }
}

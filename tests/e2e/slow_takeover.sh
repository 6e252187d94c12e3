#!/bin/sh
# SPDX-License-Identifier: MIT
# kill -9 of the backend of a guest that is deaf to it, as Linux's is: its successor takes the rings over, nothing is
# lost and nothing answered twice, with two queues, indirect requests, barriers and flushes in flight.
. "$(dirname "$0")/lib.sh"
start_system --restart
truncate -s 64M "$work/disk.img"
PVRING_DOMID=$(pvring create guest --memory 256M)
export PVRING_DOMID

backend() { # the present backend: the supervisor's child
	pgrep -P "$back" 2>/dev/null
}
killer() { # killer FILE TIMES: at instants that drift; its end is the guest's end of input
	within 10 sh -c 'pvring stats --json | grep -Eq "\"sectors_written\": [1-9]"'
	for try in $(seq "$2"); do
		# One that has lived for a second is started again without a pause.
		sleep "1.$((try * 3 % 7 + 1))"
		within 10 backend && kill -9 "$(backend)" && echo killed >>"$1"
	done
	sleep 1
}

deaf() { # deaf RUN TIMES OPTION...: the backend is killed so often under it
	run=$1 times=$2
	shift 2
	killer "$work/kills-$run" "$times" | timeout $((60 * slow)) "$BUILD/tests/guest" -d "$@" write >"$work/$run.log" 2>&1
	status=$?
	cat "$work/$run.log"
	check "$run: every byte right" test $status = 0
	check "$run: killed $times times meanwhile" test "$(grep -c killed "$work/kills-$run")" = "$times"
}
check "attach" pvring block-attach guest "$work/disk.img,queues=2"
deaf one 3 -s 11
deaf two 10 -q 2 -o 2 -s 64 -p
check "taken over, with requests in flight" grep -q 'taken over, [1-9]' "$work/blkback.log"
check "never refused" sh -c "! grep 'not taken over' '$work/blkback.log'"
check "the frontend gone, nothing is mapped" within 10 sh -c 'pvring list --json | tr -d " \n" | grep -q "\"grants_mapped\":0"'
check "and no journal is left" sh -c '! ls "$1"/inflight/vbd-* 2>/dev/null' - "$PVRING_DIR"

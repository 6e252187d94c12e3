#!/bin/sh
# SPDX-License-Identifier: MIT
# A disk and an interface, opened again as soon as they are closed, while their backends stand still now and then.
. "$(dirname "$0")/lib.sh"
start_system
pvring netback 2>"$work/netback.log" &
net=$!
pids="$net $pids"
truncate -s 1M "$work/disk.img"
PVRING_DOMID=$(pvring create guest --memory 16M)
export PVRING_DOMID
check "attach" sh -c "pvring block-attach guest '$work/disk.img' && pvring network-attach guest loop"
timeout $((120 * slow)) "$BUILD/tests/guest" reopen >"$work/reopen" 2>&1 &
guest=$!
while ! ended $guest; do
	for back_end in $back $net; do
		kill -STOP "$back_end"
		sleep 0.1
		kill -CONT "$back_end"
		sleep 0.05
	done
done
check "every open succeeds, and nothing is kept" wait $guest
check "no page" sh -c "! grep 'keeps\|kept' '$work/reopen'"
check "no backend complains" sh -c "! cat '$work'/*back.log | grep -v 'not confined'"

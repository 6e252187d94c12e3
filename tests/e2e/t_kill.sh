#!/bin/sh
# SPDX-License-Identifier: MIT
# kill -9 of the backend while a guest works: it is started again, the guest reconnects, nothing is lost.
. "$(dirname "$0")/lib.sh"
start_system --restart
truncate -s 64M "$work/disk.img"
domid=$(pvring create guest)
export PVRING_DOMID="$domid"
pvring block-attach guest "$work/disk.img" >/dev/null

backend() { # the present backend: the supervisor's child
	pgrep -P "$back" 2>/dev/null
}
killer() { # ten times, at instants that drift
	kills=0
	for try in $(seq 40); do
		sleep "0.$((try * 3 % 7 + 1))"
		kill -9 "$(backend)" 2>/dev/null && kills=$((kills + 1)) && echo killed
		[ $kills -lt 10 ] || return
	done
}
killer >"$work/kills" &
kills=$!
verified=0
while kill -0 $kills 2>/dev/null; do
	timeout $((60 * slow)) pvring blk verify --seed "$verified" >"$work/verify" 2>&1 || { cat "$work/verify"; break; }
	verified=$((verified + 1))
done
wait $kills
echo "kill: $(wc -l <"$work/kills") times killed, $verified times verified meanwhile"
check "the backend was killed many times" test "$(wc -l <"$work/kills")" -eq 10
check "and the guest verified its disk all the while" test "$verified" -ge 2
check "once more in peace" timeout $((60 * slow)) pvring blk verify
check "the frontend gone, nothing is mapped" within 10 sh -c 'pvring list --json | tr -d " \n" | grep -q "\"grants_mapped\":0"'

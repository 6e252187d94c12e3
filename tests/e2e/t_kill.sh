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
deaths() { # that its supervisor has noticed
	grep -c 'starting it again' "$work/blkback.log"
}
noticed() {
	[ "$(deaths)" -gt "$was" ]
}
kill_backend() {
	was=$(deaths)
	within 10 backend && kill -9 "$(backend)" && within 10 noticed
}
count() { # count FILE: its lines
	wc -l <"$work/$1"
}
killer() { # at instants that drift, until that was ten times and the disk was verified twice meanwhile
	for try in $(seq 200); do
		# One that has lived for a second is started again without a pause.
		case $((try % 3)) in
		0) sleep "1.$((try % 7))" ;;
		*) sleep "0.$((try * 3 % 7 + 1))" ;;
		esac
		kill_backend && echo killed >>"$work/kills"
		[ "$(count kills)" -lt 10 ] || [ "$(count verified)" -lt 2 ] || return
	done
}
: >"$work/kills"
: >"$work/verified"
killer 2>"$work/killer.log" &
killer=$!
while kill -0 $killer 2>/dev/null; do
	timeout $((60 * slow)) pvring blk verify --seed "$(count verified)" >"$work/verify" 2>&1 ||
		{ cat "$work/verify"; kill $killer; break; }
	echo verified >>"$work/verified"
done
wait $killer
echo "kill: $(count kills) times killed, $(count verified) times verified meanwhile"
check "the backend was killed many times" test "$(count kills)" -ge 10
check "and the guest verified its disk all the while" test "$(count verified)" -ge 2
check "once more in peace" timeout $((60 * slow)) pvring blk verify
check "the frontend gone, nothing is mapped" within 10 sh -c 'pvring list --json | tr -d " \n" | grep -q "\"grants_mapped\":0"'

for try in 1 2 3 4 5; do kill_backend; done
kill "$back"
check "asked to end while it pauses before the next try, it ends" within 10 ended "$back"

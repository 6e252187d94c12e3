#!/bin/sh
# SPDX-License-Identifier: MIT
# The parts apart and long-lived: attach, detach, statistics, death of a guest, and nothing left behind.
. "$(dirname "$0")/lib.sh"
start_system
truncate -s 32M "$work/a.img" "$work/b.img"
domid=$(pvring create guest --memory 32M)
export PVRING_DOMID="$domid"
json() { # json EXPRESSION: of the first domain's description
	pvring list --json | tr -d ' \n' | grep -q "$1"
}
check "create" test -n "$domid"
check "attach one" pvring block-attach guest "$work/a.img"
check "attach another" pvring block-attach guest "$work/b.img,vdev=xvdc"
check "a memory disk" pvring block-attach guest mem=8M
check "a null disk" pvring block-attach guest null=64G
check "each verifies" sh -c 'for d in xvda xvdb xvdc; do pvring blk --vdev $d verify || exit 1; done'
remembers() { # what one guest wrote, the next one reads, also from memory
	head -c 64K /dev/urandom >"$work/data" && pvring blk --vdev "$1" write <"$work/data" &&
		pvring blk --vdev "$1" read --length 64K | cmp - "$work/data"
}
check "a file remembers" remembers xvda
check "memory remembers" remembers xvdb
check "stats know it" sh -c 'pvring stats --json | grep -q "\"vdev\": \"xvdc\""'
check "stats for people" sh -c 'pvring stats | grep -q xvda'

# A guest killed in the middle of its work: everything it held is released, and the next one works.
pvring blk --vdev xvdd read >/dev/null &
guest=$!
check "a guest at work is running" within 10 json '"state":"running"'
kill -9 $guest
wait $guest 2>/dev/null
check "after kill -9 it is down" within 10 json '"state":"down"'
check "it has nothing mapped" within 10 json '"grants_mapped":0'
check "another guest takes over" pvring blk --vdev xvda verify

# An image grows, at rest and under a connected guest.
size() {
	test "$(pvring blk --vdev xvdg info --json | sed -n 's/.*"bytes": \([0-9]*\).*/\1/p')" = "$1"
}
truncate -s 4M "$work/grows.img"
check "attach one that will grow" pvring block-attach guest "$work/grows.img,vdev=xvdg"
check "its size" size 4194304
truncate -s 8M "$work/grows.img"
check "block-resize at rest" pvring block-resize guest xvdg
check "the next guest sees it" size 8388608
mkfifo "$work/fifo"
pvring blk --vdev xvdg write >/dev/null 2>&1 <"$work/fifo" &
writer=$!
exec 9>"$work/fifo"
check "a guest is connected" within 10 sh -c 'pvring block-list guest | grep xvdg | grep -q Connected'
truncate -s 16M "$work/grows.img"
check "block-resize under it" pvring block-resize guest xvdg
check "its backend says so" within 5 sh -c 'pvring block-list guest | grep xvdg | grep -q 16M'
exec 9>&-
wait $writer
check "detach it" pvring block-detach guest xvdg

# Direct I/O, in memory registered with io_uring, for guests that come and go with two disks each.
fixed() { # fixed DEVICE PATTERN: of the last guest's disk
	pvring stats --openmetrics | grep -q "^pvring_vbd_fixed_total{domain=\"$PVRING_DOMID\",vdev=\"$1\"} $2\$"
}
direct_guests() (
	for i in 1 2 3 4 5 6 7 8; do
		PVRING_DOMID=$(pvring create direct --memory 16M) && pvring block-attach direct "$work/a.img,direct=on" &&
			pvring block-attach direct "$work/b.img,direct=on,fixed=off" && pvring blk --vdev xvda verify &&
			pvring blk --vdev xvdb verify && pvring blk --vdev xvda verify && fixed xvda '[1-9][0-9]*' &&
			fixed xvdb 0 && pvring block-detach direct xvda && pvring block-detach direct xvdb &&
			pvring destroy direct || return 1
	done
)
pvring block-detach guest xvda >"$work/out" && pvring block-detach guest xvdc >>"$work/out"
if pvring block-attach guest "$work/a.img,vdev=xvda,direct=on" >"$work/out" 2>&1; then
	pvring block-detach guest xvda >"$work/out"
	check "direct disks of guests that come and go" direct_guests
else
	echo "left out: direct disks ($(tail -1 "$work/out"))"
fi
check "attach them again" sh -c 'pvring block-attach guest "$0/a.img" && pvring block-attach guest "$0/b.img,vdev=xvdc"' "$work"

# Many attach and detach cycles leave nothing.
cycles() {
	for i in 1 2 3 4 5 6 7 8 9 10; do
		pvring block-attach guest "$work/a.img,vdev=xvdf" >/dev/null && pvring blk --vdev xvdf read --length 64K >/dev/null &&
			pvring block-detach guest xvdf || return 1
	done
}
check "ten attach and detach cycles" cycles
files_before=$(ls "/proc/$back/fd" | wc -l)
check "ten more" cycles
check "no descriptor leaked in the backend" within 5 sh -c 'test "$(ls "/proc/$0/fd" | wc -l)" -le "$1"' "$back" "$files_before"
for d in xvda xvdb xvdc xvdd; do check "detach $d" pvring block-detach guest $d; done
check "no statistics file is left" within 5 sh -c 'test -z "$(ls "$PVRING_DIR/stats")"'
truncate -s 1M "$work/left.img"
pvring block-attach guest "$work/left.img" >/dev/null
check "the backend has an image open" sh -c "ls -l /proc/$back/fd | grep -q left.img"
check "destroy" pvring destroy guest
check "it lets go of the image" within 5 sh -c "! ls -l /proc/$back/fd | grep -q left.img"
check "and nothing of the domain is left in xenstore" sh -c "! xenstore-exists /local/domain/0/backend/vbd/$domid"
check "the list is empty" sh -c '! pvring list | grep -q guest'
ends() { # in order: on SIGTERM, with status 0 (a sanitizer's leak report would be another)
	kill -TERM "$1" && wait "$1"
}
check "backend ends in order" ends $back
check "hypervisor ends in order" ends $hv
pids=
check "sockets are gone" within 10 sh -c "! test -e $PVRING_DIR/hypervisor.sock"

# An ephemeral system cleans up, also on signals.
mkdir "$work/run"
export XDG_RUNTIME_DIR="$work/run"
unset PVRING_DIR PVRING_DOMID
check "run" pvring run --disk mem=1M -- pvring blk verify
check "nothing is left of it" sh -c 'test -z "$(ls -A "$XDG_RUNTIME_DIR")"'
pvring run --disk mem=1M -- sh -c 'touch "$0" && exec sleep 600' "$work/runs" &
run=$!
check "its command runs" within 10 test -e "$work/runs"
check "a running one has its directory" sh -c 'test -S "$XDG_RUNTIME_DIR"/pvring-*/hypervisor.sock'
kill -TERM $run
wait $run
check "SIGTERM is passed on" test $? = 143
check "nothing is left of that one" sh -c 'test -z "$(ls -A "$XDG_RUNTIME_DIR")"'
ended_early() { # on SIGTERM at instants of its start
	trap - TERM # which the shell's child, before it is pvring, would catch and forget
	for try in 0 1 2 3 4 5 6 7 8 9; do
		pvring run --disk mem=1M -- sleep 600 &
		sleep "0.0$try"
		kill -TERM $!
		within 10 ended $! || { kill -9 $!; return 1; }
	done
}
check "SIGTERM while it starts ends it" ended_early
check "and nothing is left of those" sh -c 'test -z "$(ls -A "$XDG_RUNTIME_DIR")"'

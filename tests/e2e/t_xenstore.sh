#!/bin/sh
# SPDX-License-Identifier: MIT
# The packaged xenstore tools, unmodified, against a running system; a watch sees a device come and go.
. "$(dirname "$0")/lib.sh"
start_system
truncate -s 16M "$work/disk.img"
domid=$(pvring create guest) || { fail create; exit; }

prints() { # prints TEXT COMMAND...
	text=$1
	shift
	"$@" | grep -q -- "$text"
}
xenstore-watch "/local/domain/0/backend/vbd" >"$work/watch" 2>&1 &
watch=$!
pids="$watch $pids"
check "xenstore-watch: the first event is of the watch itself" within 10 grep -q "backend/vbd" "$work/watch"
check "xenstore-write" xenstore-write /tool/a "first value" /tool/b/c second
check "xenstore-read" prints "^first value$" xenstore-read /tool/a
check "xenstore-list" prints "^c$" xenstore-list /tool/b
check "xenstore-exists" xenstore-exists /tool/b/c
check "xenstore-chmod" xenstore-chmod /tool/a n0 "r$domid"
check "xenstore-ls -f -p shows permissions" prints "^/tool/a = \"first value\" *(n0,r$domid)" xenstore-ls -f -p
check "xenstore-rm" xenstore-rm /tool/b
check "what was removed is gone" sh -c '! xenstore-exists /tool/b/c'
check "block-attach" pvring block-attach guest "$work/disk.img"
check "the backend took it" prints InitWait pvring block-list guest
check "the frontend's directory" prints 51712 xenstore-list "/local/domain/$domid/device/vbd"
check "a guest uses it" env PVRING_DOMID="$domid" pvring blk verify
check "block-detach" pvring block-detach guest xvda
check "both directories are gone" sh -c "! xenstore-exists /local/domain/$domid/device/vbd/51712 && ! xenstore-exists /local/domain/0/backend/vbd/$domid/51712"
check "the watch saw it come and go" within 5 grep -q "backend/vbd/$domid/51712$" "$work/watch"
check "the watch saw states" within 5 grep -q "backend/vbd/$domid/51712/state" "$work/watch"
check "destroy" pvring destroy guest
check "the domain's directory is gone" sh -c "! xenstore-exists /local/domain/$domid"

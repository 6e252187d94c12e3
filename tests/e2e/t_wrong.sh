#!/bin/sh
# SPDX-License-Identifier: MIT
# Wrong input: one line that says what, where and the way out, with a status of sysexits(3); no hang, no core dump.
. "$(dirname "$0")/lib.sh"
printf 'not a sector' >"$work/odd.img"
truncate -s 1M "$work/good.img" "$work/secret.img"
mkdir "$work/dir"
unset PVRING_DIR PVRING_DOMID XENSTORED_PATH

refuses "no verb" 64 "no verb 'frobnicate'" pvring frobnicate
refuses "missing image" 66 "$work/none.img" pvring run --disk "$work/none.img" -- true
refuses "image is a directory" 66 "$work/dir" pvring run --disk "$work/dir" -- true
refuses "size no multiple of the sector" 66 "odd.img" pvring run --disk "$work/odd.img" -- true
refuses "unknown key" 64 "unknown key 'colour'" pvring run --disk "$work/good.img,colour=red" -- true
refuses "unknown kind of disk" 64 "unknown kind of disk 'tape'" pvring run --disk tape=/dev/st0 -- true
refuses "bad size" 64 "no disk size" pvring run --disk mem=12x -- true
refuses "bad vdev" 64 "no device name" pvring run --disk mem=1M,vdev=sda -- true
refuses "the same vdev twice" 73 "there already" pvring run --disk mem=1M,vdev=xvda --disk mem=1M,vdev=xvda -- true
refuses "bad memory" 64 "--memory" pvring run --memory 3 -- true
refuses "command not found" 127 "no-such-command" pvring run -- no-such-command
refuses "no hypervisor" 69 "no hypervisor answers" pvring list --dir "$work/nowhere"
refuses "guest program outside" 64 "guest program" pvring blk verify
refuses "domain without a disk" 66 "no disk" pvring run -- pvring blk verify
refuses "no such disk" 66 "xvdq" pvring run --disk mem=1M -- pvring blk --vdev xvdq info
refuses "verify of a read-only disk" 64 "read-only" pvring run --disk mem=1M,readonly=on -- pvring blk verify
refuses "misaligned offset" 64 "multiples of the sector size" pvring run --disk mem=1M -- pvring blk verify --offset 100
refuses "beyond the end" 64 "ends at byte 1048576" pvring run --disk mem=1M -- pvring blk verify --offset 2M
refuses "unknown benchmark size" 64 "size" pvring bench blk --size 5
check "exit status of the command" sh -c 'pvring run -- sh -c "exit 42"; test $? = 42'
check "status of a command killed by a signal" sh -c 'pvring run -- sh -c "kill -9 \$\$"; test $? = 137'

start_system
refuses "socket in use" 69 "$PVRING_DIR" pvring hypervisor
refuses "no such domain" 66 "no domain 'nobody'" pvring destroy nobody
pvring create one >"$work/domid"
refuses "name taken" 73 "there is a domain 'one' already" pvring create one
refuses "bad name" 64 "no name for a domain" pvring create 'a b'
refuses "attach of a missing image" 66 "none.img" pvring block-attach one "$work/none.img"
check "nothing of it is left in xenstore" sh -c "! xenstore-exists /local/domain/0/backend/vbd/$(cat "$work/domid")/51712"
refuses "detach of a disk that is not there" 66 "no such disk" pvring block-detach one xvda
for type in mem null; do
	vdev=$(pvring block-attach one $type=1M)
	refuses "resize of a $type disk" 69 "type $type keeps its size" pvring block-resize one "$vdev"
	pvring block-detach one "$vdev"
done

# An image truncated under us: an error for what is gone, and the disk lives on.
truncated() {
	pvring block-attach one "$work/good.img" &&
		truncate -s 512K "$work/good.img" &&
		! PVRING_DOMID=$(cat "$work/domid") pvring blk read --offset 768K >/dev/null &&
		PVRING_DOMID=$(cat "$work/domid") pvring blk read --length 512K >/dev/null
}
check "image truncated under us" truncated
check "the backend is alive" kill -0 "$back"
if [ "$(id -u)" = 0 ]; then
	chmod 600 "$work/secret.img"
	chmod 755 "$work"
	mkdir -m 777 "$work/u"
	refuses "unreadable image" 66 "secret.img" \
		setpriv --reuid 65534 --regid 65534 --clear-groups env XDG_RUNTIME_DIR="$work/u" \
		"$BUILD/pvring" run --disk "$work/secret.img" -- true
	refuses "another user's hypervisor" 77 "another user" \
		setpriv --reuid 65534 --regid 65534 --clear-groups "$BUILD/pvring" list --dir "$PVRING_DIR"
fi

#!/bin/sh
# SPDX-License-Identifier: MIT
# Guests from configuration files: what is refused, and where there is a /dev/kvm a kernel with a console, up to its ends.
. "$(dirname "$0")/lib.sh"
unset PVRING_DIR PVRING_DOMID XENSTORED_PATH
gcc -m32 -O2 -I"$root/include" -ffreestanding -fno-pic -fno-pie -fno-stack-protector -mgeneral-regs-only -nostdlib -static \
	-Wl,-n,-Ttext=0x100000,--section-start=.note.Xen=0x200000,--build-id=none,--no-warn-rwx-segments \
	"$root/tests/e2e/kvm/echo.c" -o "$work/echo" || fail "the kernel is not built"
truncate -s 4M "$work/a.img"
# config NAME [LINE...]: a file of that name
config() {
	cfg=$work/$1.cfg
	printf 'name = "%s"\nkernel = "%s"\nmemory = 64\n' "$1" "$work/echo" >"$cfg"
	shift
	[ $# = 0 ] || printf '%s\n' "$@" >>"$cfg"
}
start_system
refuses "file missing" 66 "No such file" pvring create "$work/none.cfg"
refuses "a name that looks like a file is one" 66 "'none.cfg'" pvring create none.cfg
refuses "file is a directory" 65 "is a directory" pvring create "$work/"
config bad 'vcpus = 2' 'disk = [ "mem=1M" "mem=2M" ]'
refuses "bad syntax, with its line" 78 "bad.cfg: line 5: values in a list" pvring create "$cfg"
config bad 'disk = [ "phy:/a,hda,w" ]'
refuses "bad disk, with its line" 78 "line 4: disk: .*'hda' is no device name" pvring create "$cfg"
config good
refuses "a file and an option of the other form" 64 "go with NAME" pvring create "$cfg" --memory 64M
refuses "two files" 64 "not both" pvring create -f "$cfg" "$cfg"
refuses "no hypervisor" 69 "hypervisor" pvring create "$cfg" --dir "$work/nowhere"
printf 'name="lost"\nkernel="%s"\n' "$work/none" >"$work/lost"
refuses "kernel missing" 66 "no kernel '$work/none'" pvring create -f "$work/lost"
config lost 'disk = [ "file=/nonexistent/a.img" ]'
refuses "image missing" 66 "/nonexistent/a.img" pvring create "$cfg"
check "nothing is left of what did not start" test -z "$(pvring list | tail -n +2)$(ls "$PVRING_DIR" | grep -e lost -e console)"
pvring create plain >"$work/domid"
refuses "console of a process domain" 69 "has no console" pvring console plain
refuses "console of nobody" 66 "no domain 'nobody'" pvring console nobody
pvring destroy plain

[ -c /dev/kvm ] && [ -r /dev/kvm ] && [ -w /dev/kvm ] || exit
gone() { ! pvring list | grep -q "^$1 "; }
says() { grep -aq "$1" "$work/talk"; }
# console DOMAIN: into $work/talk, and what is written to descriptor 5 is typed.
mkfifo "$work/keys"
console() {
	pvring console "$1" <"$work/keys" >"$work/talk" 2>"$work/console.log" &
	console=$!
	exec 5>"$work/keys"
}
leave() {
	exec 5>&-
	kill "$console" 2>/dev/null
	wait "$console"
}

config one "extra = 'console=hvc0'" "disk = [ 'format=raw,vdev=xvda,access=ro,target=$work/a.img'," "  'mem=1M,vdev=xvdb' ]" 'serial = "pty"'
(cd "$work" && pvring create one.cfg) >"$work/domid" 2>"$work/err"
check "create prints the domain's number" grep -qx '[0-9]*' "$work/domid"
check "a warning names keys that are not known" grep -q 'one.cfg: .*ignored: serial$' "$work/err"
check "it has its disks" sh -c "pvring block-list one | grep -q 'xvda .* r .*$work/a.img' && pvring block-list one | grep -q '^xvdb'"
check "its console is its user's" test "$(stat -c %a "$PVRING_DIR/console-$(cat "$work/domid")")" = 600
config one
refuses "name taken" 73 "there is a domain 'one' already" pvring create "$cfg"
console one
check "what was printed before is shown" within 5 says '^echo: hello'
refuses "the console is taken" 75 "somebody else" pvring console one
printf 'abc\n' >&5
check "keys go to the guest" within 5 says '^ABC'
printf 'R' >&5
check "a reboot keeps the console" within 15 sh -c "[ \$(grep -c hello '$work/talk') = 2 ]"
check "and is logged" grep -q 'reboots' "$PVRING_DIR/one.log"
check "and the domain" pvring block-list one
leave
console one
printf 'def' >&5
check "the console is there for the next" within 5 says 'DEF'
printf 'O' >&5
check "the console ends with the guest" within 10 ended "$console"
leave
check "a power-off ends the domain" within 10 gone one
check "and its disks" within 10 sh -c "! xenstore-ls /local/domain/0/backend/vbd 2>/dev/null | grep -q a.img"
check "and its socket" within 10 sh -c "! ls '$PVRING_DIR' | grep -q console"

config two "on_reboot = 'destroy'"
pvring create "$cfg" >"$work/domid"
timeout $((60 * slow)) script -qec 'pvring console two' /dev/null <"$work/keys" >"$work/talk" 2>&1 &
script=$!
exec 5>"$work/keys"
check "a terminal is told how to leave the console" within 10 says 'Ctrl-\] leaves it'
printf '\035' >&5
wait $script
check "Ctrl-] does" test $? = 0
exec 5>&-
check "the guest lives after it" sh -c "pvring list | grep -q '^two .*running'"
console two
printf 'FR' >&5
check "it prints much" within 5 says 'line00000'
leave
check "it is not held up when nobody listens, and on_reboot=destroy ends it" within 40 gone two

pvring netback 2>"$work/netback.log" &
pids="$! $pids"
config three "disk = [ 'phy:$work/a.img,xvda,w' ]" "vif = [ 'null', 'loop,mac=00:16:3e:00:00:07' ]"
pvring create "$cfg" >"$work/domid"
check "it has its interfaces" sh -c "pvring network-list three | grep -q '1 00:16:3e:00:00:07 .*loop'"
pvring destroy three
check "destroy ends a guest and its keeper" within 10 sh -c "! ls '$PVRING_DIR' | grep -q console"
check "and its disk" sh -c "! pvring list | grep -q three"
pvring create "$cfg" >"$work/domid"
console three
printf 'C' >&5
check "a crash ends the domain" within 10 gone three
check "and is logged" grep -q 'crashed' "$PVRING_DIR/three.log"
leave
config four
pvring create "$cfg" >"$work/domid"
pid=$(pvring list --json | sed -n 's/.*"pid": \([0-9]*\).*/\1/p')
kill -9 "$hv"
check "the guest ends with its hypervisor" within 5 ended "$pid"

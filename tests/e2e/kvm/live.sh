# SPDX-License-Identifier: MIT
# A running Linux guest, told on its console what to do: sourced after common.sh.
# What is checked here is said by the guest's own kernel.

# live_start KERNEL VCPUS ARGUMENT...: a guest that does what is written to its console.
live_start() {
	k=$1 v=$2
	shift 2
	rm -rf /tmp/run keys; mkdir /tmp/run; mkfifo keys
	: >live.log
	exec 3<>keys
	XDG_RUNTIME_DIR=/tmp/run pvring run --machine kvm --kernel /guest/$k --initrd $k.cpio --vcpus $v --memory 256M \
		--append "console=hvc0 loglevel=${LOGLEVEL:-4} panic=-1 do=told" "$@" <keys >live.log 2>&1 &
	live=$!
	: >asks
	within 200 grep -aq "GUEST told" live.log || { tail -5 live.log; return 1; }
	PVRING_DIR=$(echo /tmp/run/pvring-*)
	export PVRING_DIR XENSTORED_PATH=$PVRING_DIR/xenstored.sock PVRING_DOMID=1
}
# A guest that died answers nothing more: the scenario ends, with what was to be shown.
trap 'tail -50 /tmp/out; exit 1' TERM
dead() { ! kill -0 $live 2>/dev/null; }
answered() { tr -d '\r' <live.log | grep -aq "^$1 [0-9]"; }
# ask COMMAND: runs it in a shell of the guest, prints what it says; its status.
ask() {
	asked=$(wc -l <asks) && echo >>asks # in a file, for an ask in $(..) counts too
	echo "echo; echo ASK$asked; (eval '$*') 2>&1; r=\$?; echo; echo END$asked \$r" >&3
	within ${ASK_LIMIT:-100} eval "answered END$asked || dead"
	answered END$asked || { echo "no answer: $*"; tail -40 live.log; dead && kill $$; return 1; }
	tr -d '\r' <live.log | sed -n "/^ASK$asked\$/,/^END$asked /p" | sed '1d;$d' |
		grep -v -e '^$' -e '^\[ *[0-9.]*\] ' # and not what its kernel has to say
	return "$(tr -d '\r' <live.log | sed -n "s/^END$asked //p")"
}

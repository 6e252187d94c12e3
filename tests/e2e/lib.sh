# SPDX-License-Identifier: MIT
# What the end-to-end tests share. Each test is a script that sources this file and calls `check`; run.sh counts.
set -u
root=$(cd "${0%/*}/../.." && pwd)
BUILD=${BUILD:-$root/build}
PATH=$BUILD:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
plugin=$BUILD/nbdkit-pvring-plugin.so
work=$(mktemp -d "${TMPDIR:-/tmp}/pvring-e2e-XXXXXX")
pids=
failed=0

# A plugin built with ASan needs its runtime loaded before nbdkit, which itself may leak. The runtime must also
# start before all others: by the first malloc of libp11-kit's constructor it would start inside newlocale(), whose
# lock its dlerror() then releases. That lock is broken for good, and nbdkit hangs in strerror() or when it exits.
slow=1 # by how much everything may take longer than in the plain build
nbdkit=nbdkit
case $BUILD in
*/asan)
	slow=3
	gcc -shared -fPIC -Wl,-z,initfirst -x c - -o "$work/asan_first.so" <<-EOF
		void __asan_init(void);
		static void __attribute__((constructor)) first(void) { __asan_init(); }
	EOF
	nbdkit="env LD_PRELOAD=$(gcc -print-file-name=libasan.so):$work/asan_first.so ASAN_OPTIONS=detect_leaks=0 nbdkit"
	;;
esac

# Ends what the test has started. What does not end on SIGTERM is a failure, and is killed.
cleanup() {
	for pid in $pids; do kill "$pid" 2>/dev/null; done
	for pid in $pids; do
		within 10 ended "$pid" && continue
		fail "it does not end on SIGTERM: $(tr '\0' ' ' <"/proc/$pid/cmdline")"
		kill -9 "$pid"
	done
	for pid in $pids; do wait "$pid" 2>/dev/null; done
	rm -rf "$work"
	exit "$failed"
}
trap cleanup EXIT
trap exit TERM

# fail WHAT: says so, with the end of every log of this test.
fail() {
	echo "FAIL $1"
	failed=1
	for log in "$work"/*.log; do
		[ -s "$log" ] && tail -8 "$log" | sed "s,^,  | ${log##*/}: ,"
	done
}

# ended PID...: all of them, which are children of this shell.
ended() {
	for pid; do
		! grep -qs "^State:.[^Z]" "/proc/$pid/status" || return 1
	done
}

# check NAME COMMAND...: passes when the command does.
check() {
	name=$1
	shift
	if "$@" >"$work/out" 2>&1; then
		echo "PASS $name"
	else
		fail "$name (status $?): $*"
		sed 's/^/  | /' "$work/out" | tail -20
	fi
}

# refuses NAME STATUS PATTERN COMMAND...: the command fails with that status and one line that matches.
refuses() {
	name=$1 status=$2 pattern=$3
	shift 3
	timeout $((60 * slow)) "$@" >"$work/out" 2>"$work/err" </dev/null
	got=$?
	sed -i '/not confined: built with a sanitizer/d' "$work/err"
	if [ "$got" = "$status" ] && [ "$(wc -l <"$work/err")" = 1 ] && grep -q -- "$pattern" "$work/err"; then
		echo "PASS $name"
	else
		fail "$name: status $got, not $status, or not one line with '$pattern': $*"
		sed 's/^/  | /' "$work/err" | head -5
	fi
}

# within SECONDS COMMAND...: the command succeeds before the time is over, which a sanitizer makes longer. A machine with
# other work has three times as much, for only what never comes is an error.
within() {
	tries=$(($1 * 60 * slow))
	shift
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.05
	done
}

# A hypervisor and a backend that stay: sets PVRING_DIR and XENSTORED_PATH, and hv and back to their pids.
# Arguments go to the backend.
start_system() {
	PVRING_DIR=$work/hv XENSTORED_PATH=$work/hv/xenstored.sock
	export PVRING_DIR XENSTORED_PATH
	pvring hypervisor 2>"$work/hv.log" &
	hv=$!
	within 10 xenstore-exists /local/domain/0 || { fail "the hypervisor did not start"; exit; }
	pvring blkback "$@" 2>"$work/blkback.log" &
	back=$!
	pids="$back $hv"
}

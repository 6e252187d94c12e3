# SPDX-License-Identifier: MIT
# What the comparisons share. Sourced with `seconds` and `rounds` as they are by default, and `json` empty where it may be
# asked for.
set -u
here=$(cd "${0%/*}/.." && pwd)
BUILD=${BUILD:-$here/build}
PATH=$BUILD:$PATH
usage() { echo "usage: $0 ${json+[--json] }[--seconds N] [--rounds N]" >&2; exit 64; }
while [ $# -gt 0 ]; do
	case $1 in
	--json) [ "${json+known}" ] && json=1 || usage ;;
	--seconds) seconds=${2-} && shift || usage ;;
	--rounds) rounds=${2-} && shift || usage ;;
	*) usage ;;
	esac
	shift
done
[[ $seconds =~ ^[1-9][0-9]*$ && $rounds =~ ^[1-9][0-9]*$ ]] || usage

need() { # need PROGRAM...
	local tool
	for tool; do command -v "$tool" >/dev/null || { echo "$0: $tool is missing" >&2; exit 69; }; done
}
finish() {
	for pid in $servers; do kill "$pid" 2>/dev/null; done
	for pid in $servers; do wait "$pid" 2>/dev/null; done
	rm -rf "$work"
}
begin() { # `work` is a folder, which goes when the script does, and with it whose pids are in `servers`
	work=$(mktemp -d /dev/shm/pvring-compare-XXXXXX)
	servers=
	trap finish EXIT
	trap 'exit 130' INT TERM
}
up() { # up COMMAND...: it succeeds within ten seconds
	for _ in $(seq 200); do "$@" >/dev/null 2>&1 && return; sleep 0.05; done
	echo "$0: it did not start: $*" >&2
	exit 69
}

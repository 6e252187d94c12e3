#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh [TEST...]: run the end-to-end tests, all or those named, and count. Each is a process group of its own
# with a time limit; the slow_* are for make check-slow. What failed is added to the file $FAILURES too, if that is set.
set -u
here=$(cd "$(dirname "$0")" && pwd)
passed=0 failed=0 failures=
newline='
'
[ $# -gt 0 ] || set -- $(cd "$here" && ls t_*.sh)
for test; do
	case $test in slow_*) limit=900 ;; *) limit=600 ;; esac
	name=$(basename "$test" .sh)
	out=$(timeout -k 60 $limit "$here/$test" 2>&1)
	status=$?
	if [ $status = 124 ] || [ $status -ne 0 ] && ! echo "$out" | grep -q '^FAIL'; then
		out="$out
FAIL ended with status $status (124: its time was over)"
	fi
	echo "$out" | sed "s/^/$name: /"
	passed=$((passed + $(echo "$out" | grep -c '^PASS')))
	failed=$((failed + $(echo "$out" | grep -c '^FAIL')))
	list=$(echo "$out" | sed -n "s/^FAIL/  $name: &/p")
	failures=$failures${list:+$newline$list}
done
[ -z "${FAILURES:-}" ] || [ -z "$failures" ] || echo "${failures#"$newline"}" >>"$FAILURES"
echo "end to end: $passed passed, $failed failed$failures"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]

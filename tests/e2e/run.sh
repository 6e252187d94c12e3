#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh [TEST...]: run the end-to-end tests, all or those named, and count. Each is a process group of its own
# with a time limit; the slow_* are for make check-slow.
set -u
here=$(cd "$(dirname "$0")" && pwd)
passed=0 failed=0
[ $# -gt 0 ] || set -- $(cd "$here" && ls t_*.sh)
for test; do
	case $test in slow_*) limit=300 ;; *) limit=120 ;; esac
	out=$(timeout $limit "$here/$test" 2>&1)
	status=$?
	echo "$out" | sed "s/^/$(basename "$test" .sh): /"
	passed=$((passed + $(echo "$out" | grep -c '^PASS')))
	failed=$((failed + $(echo "$out" | grep -c '^FAIL')))
	if [ $status -ne 0 ] && ! echo "$out" | grep -q '^FAIL'; then
		echo "$test: FAIL ended with status $status"
		failed=$((failed + 1))
	fi
done
echo "end to end: $passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]

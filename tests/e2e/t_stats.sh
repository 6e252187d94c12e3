#!/bin/sh
# SPDX-License-Identifier: MIT
# The backend's counters, seen by stats and top while a disk works: they agree with what the guest did.
. "$(dirname "$0")/lib.sh"
start_system
domid=$(pvring create guest --memory 32M)
PVRING_DOMID=$domid; export PVRING_DOMID
pvring block-attach guest mem=8M >/dev/null
pvring block-attach guest mem=8M >/dev/null
# The guest keeps its disk for as long as it runs, and the counters are the connected disk's.
$nbdkit -f -U "$work/a.sock" "$plugin" &
guest=$!
pids="$guest $pids"
uri="nbd+unix:///?socket=$work/a.sock"
check "a guest connects" within 10 sh -c 'nbdinfo --size "$0" && pvring block-list guest | grep -q Connected' "$uri"
check "it reads the disk once" nbdcopy "$uri" null:

prints() { # prints PATTERN COMMAND...
	pattern=$1
	shift
	"$@" >"$work/said" && grep -Eq -- "$pattern" "$work/said" || { cat "$work/said"; return 1; }
}
check "8 MiB were read" prints '"sectors_read": 16384,' pvring stats --json
check "OpenMetrics says the same" \
	prints "^pvring_vbd_sectors_read_total\{domain=\"$domid\",vdev=\"xvda\"\} 16384\$" pvring stats --openmetrics
check "each metric has its type" prints '^# TYPE pvring_vbd_reads counter$' pvring stats --openmetrics
check "and the text its end" prints '^# EOF$' pvring stats --openmetrics
metrics() { # every line is a comment or a sample, and the histogram counts every request
	pvring stats --openmetrics >"$work/m" && ! grep -Evq \
		'^(# (TYPE|HELP|UNIT) pvring_(vbd|vif)_[a-z_]+ .*|# EOF|pvring_vbd_[a-z_]+\{domain="[0-9]+",vdev="xvd[a-z]"(,le="[-+.0-9eInf]+")?\} [-+.0-9e]+)$' "$work/m" &&
		awk '/^pvring_vbd_(reads|writes|flushes|others)_total.*xvda/ {n += $2} /latency_seconds_count.*xvda/ {c = $2}
			END {exit !(n && n == c)}' "$work/m"
}
check "its syntax, and the histogram's count" metrics
mkdir "$work/collect"
check "a file for a collector" pvring stats --openmetrics --output "$work/collect/pvring.prom"
check "it is whole" grep -q '^# EOF$' "$work/collect/pvring.prom"
check "and alone" test "$(ls "$work/collect")" = pvring.prom
refuses "a directory that is not there" 73 "nowhere" pvring stats --openmetrics --output "$work/nowhere/x.prom"
refuses "formats that exclude each other" 64 "without --json" pvring stats --openmetrics --json

# Read for longer than a look takes.
while :; do nbdcopy "$uri" null: 2>/dev/null; done &
reader=$!
pids="$reader $pids"
check "rates" prints '^ +[0-9]+ xvda +[1-9]' pvring stats --rates 1
check "top in batches" prints "^ +$domid xvda +[1-9][0-9]* " pvring top -b -i 2 -d 0.5
check "two of them" test "$(grep -c 'every 0.5 s' "$work/said")" = 2
kill "$reader" "$guest"
wait "$reader" "$guest" 2>/dev/null
refuses "top without a terminal" 64 "top -b" pvring top
refuses "top with a bad delay" 64 "0.1 to 3600" pvring top -d 0
refuses "top without a backend" 69 "nothing" pvring top -b --dir "$work/nothing"

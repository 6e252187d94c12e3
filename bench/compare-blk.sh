#!/bin/bash
# SPDX-License-Identifier: MIT
# compare-blk.sh [--json] [--seconds N] [--rounds N]: fio's 4 KiB random reads of one tmpfs file by three ways,
# in turns, the median of the rounds:
#   pvring   through blkfront and blkback, by our fio engine (make fio-engine)
#   nbd      through nbdkit's file plugin, by fio's nbd engine, over a Unix socket
#   uring    by fio's io_uring engine on the file, without anybody between
# With 32 requests in flight, and with one, thinking (sleeping at least) 0, 1 and 20 us between two. CPU is that of
# the whole fio process, its start and its thinking included, and of the servers. fio runs on the first CPU, the servers
# on the second. Other load on the machine spoils the figures; the load average is printed.
# Then the CPU that little work takes: 1,000 requests a second, and one a second, which is idle but for a connected
# client; in percent of a CPU, of the servers and of fio, its start not included, once, for as long as all rounds take.
seconds=1 rounds=5 json=
. "${0%/*}/compare.sh"
engine=$here/build/fio-pvring.so
need fio nbdkit taskset pvring
[ -f "$engine" ] || { echo "$0: $engine is missing: make fio-engine" >&2; exit 69; }
begin
client_cpu=0 server_cpu=$(($(nproc) > 1))

dd if=/dev/urandom of="$work/image" bs=1M count=256 status=none
export PVRING_DIR=$work/hv XENSTORED_PATH=$work/hv/xenstored.sock
taskset -c $server_cpu pvring hypervisor 2>"$work/hv.log" &
hypervisor=$!
servers=$hypervisor
up pvring list
taskset -c $server_cpu pvring blkback 2>"$work/blkback.log" &
blkback=$!
servers="$blkback $servers"
PVRING_DOMID=$(pvring create guest --memory 32M) || exit 69
export PVRING_DOMID
pvring block-attach guest "$work/image,readonly=on" >/dev/null || exit 69
taskset -c $server_cpu nbdkit -f -r -U "$work/nbd.sock" file "$work/image" 2>"$work/nbdkit.log" &
nbdkit=$!
servers="$nbdkit $servers"
up test -S "$work/nbd.sock"

ticks() { # ticks PID...: their CPU time, every thread, in clock ticks
	for pid; do sed 's/.*) //' "/proc/$pid/stat"; done | awk '{t += $12 + $13} END {print t + 0}'
}
# way_is WAY: its part of fio's arguments, in `by`, and its servers, in `who`.
way_is() {
	who=
	case $1 in
	pvring) by=(--ioengine="external:$engine") who="$hypervisor $blkback" ;;
	nbd) by=(--ioengine=nbd --uri="nbd+unix:///?socket=$work/nbd.sock") who=$nbdkit ;;
	uring) by=(--ioengine=io_uring --filename="$work/image" --readonly) ;;
	esac
}
fio_failed() {
	echo "$0: fio failed ($1):" >&2
	tail -n 3 "$work/fio.out" >&2
	exit 70
}
# one WAY DEPTH THINK: one run; appends "WAY DEPTH THINK IOPS P50 P99 CPU-SECONDS/10^6" to the results, latency in ns.
one() {
	local way=$1 depth=$2 think=$3 before after TIMEFORMAT="%U %S"
	local args=("${job[@]}" --iodepth="$depth" --runtime="$seconds" --output-format=json --output="$work/fio.json")
	# Slept, so at least that long: fio 3.33 sleeps for ever after a spin that overshoots.
	[ "$think" = 0 ] || args+=(--thinktime="$think")
	way_is "$way"
	before=$(ticks $who)
	{ time timeout $((seconds + 20)) taskset -c $client_cpu fio "${args[@]}" "${by[@]}" >"$work/fio.out" 2>&1; } 2>"$work/time" ||
		fio_failed "$way"
	after=$(ticks $who)
	awk -v key="$way $depth $think" -v hz="$(getconf CLK_TCK)" -v ticks=$((after - before)) -v own="$(tail -1 "$work/time")" '
		/"read" : {/ { read = 1 } /"write" : {/ { read = 0 }
		!read { next }
		{ value = $3; sub(/,$/, "", value) }
		/"iops" :/ { iops = value } /"total_ios" :/ { ios = value }
		/"lat_ns" :/ { clat = 0 } /"clat_ns" :/ { clat = 1 }
		clat && /"50.000000" :/ { p50 = value } clat && /"99.000000" :/ { p99 = value }
		END { split(own, t, " "); print key, iops, p50, p99, (ticks / hz + t[1] + t[2]) * 1e6 / ios }' \
		"$work/fio.json" >>"$work/results"
}

# paced WAY RATE: as many requests a second; appends "WAY RATE SERVERS FIO", in percent of a CPU.
paced() {
	local way=$1 rate=$2 fio begin us spent fio_spent
	way_is "$way"
	taskset -c $client_cpu fio "${job[@]}" --iodepth=1 --rate_iops="$rate" --runtime=$((window + 2)) "${by[@]}" \
		>"$work/fio.out" 2>&1 &
	fio=$!
	servers="$fio $servers"
	sleep 1
	begin=${EPOCHREALTIME/./} spent=$(ticks $who) fio_spent=$(ticks $fio)
	sleep "$window"
	us=$((${EPOCHREALTIME/./} - begin)) spent=$(($(ticks $who) - spent)) fio_spent=$(($(ticks $fio) - fio_spent))
	wait $fio || fio_failed "$way"
	servers=${servers#"$fio "}
	awk -v key="$way $rate" -v us=$us -v hz="$(getconf CLK_TCK)" -v s=$spent -v f=$fio_spent \
		'BEGIN { print key, 1e8 / hz * s / us, 1e8 / hz * f / us }' >>"$work/paced"
}

job=(--name=job --rw=randread --bs=4k --norandommap --time_based --thread --size=256M)
cases=${CASES:-32:0 1:0 1:1 1:20}
rates=${RATES-1000 1}
load=$(cut -d' ' -f1-3 /proc/loadavg)
for round in $(seq "$rounds"); do
	[ -t 2 ] && echo "round $round of $rounds" >&2
	for case in $cases; do
		for way in pvring nbd uring; do one $way "${case%:*}" "${case#*:}"; done
	done
done
window=$((seconds * rounds))
touch "$work/paced"
for rate in $rates; do
	for way in pvring nbd uring; do paced $way "$rate"; done
done

awk -v json="$json" -v cases="$cases" -v rates="$rates" -v load="$load" -v seconds="$seconds" -v rounds="$rounds" '
	function median(list,   n, a, i, j, x) {
		n = split(list, a, " ")
		for (i = 2; i <= n; i++) {
			x = a[i] + 0
			for (j = i - 1; j > 0 && a[j] + 0 > x; j--) a[j + 1] = a[j]
			a[j + 1] = x
		}
		return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2
	}
	NF == 4 { servers[$1, $2] = $3; fio[$1, $2] = $4; next }
	{ for (i = 4; i <= 7; i++) v[$1, $2, $3, i] = v[$1, $2, $3, i] " " $i }
	END {
		n = split(cases, c, " ")
		split("pvring nbd uring", way, " ")
		if (json)
			printf "{\"load\": \"%s\", \"seconds\": %d, \"rounds\": %d, \"results\": [", load, seconds, rounds
		else
			printf "load average before: %s; median of %d rounds of %d s\n%-8s %5s %5s %10s %9s %9s %9s %8s %8s\n", load, rounds, seconds,
				"way", "depth", "think", "IOPS", "p50 us", "p99 us", "CPU-s/1M", "of nbd", "of uring"
		for (k = 1; k <= n; k++) {
			split(c[k], d, ":")
			for (w = 1; w <= 3; w++)
				for (i = 4; i <= 7; i++) m[w, i] = median(v[way[w], d[1], d[2], i])
			for (w = 1; w <= 3; w++) {
				if (json)
					printf "%s\n  {\"way\": \"%s\", \"depth\": %d, \"think_us\": %d, \"iops\": %.0f, \"p50_ns\": %.0f, \"p99_ns\": %.0f, \"cpu_seconds_per_million\": %.3f, \"iops_of_nbd\": %.3f, \"iops_of_uring\": %.3f}",
						k == 1 && w == 1 ? "" : ",", way[w], d[1], d[2], m[w, 4], m[w, 5], m[w, 6], m[w, 7], m[w, 4] / m[2, 4], m[w, 4] / m[3, 4]
				else
					printf "%-8s %5d %5d %10.0f %9.2f %9.2f %9.2f %8.2f %8.2f\n", way[w], d[1], d[2], m[w, 4], m[w, 5] / 1000, m[w, 6] / 1000, m[w, 7], m[w, 4] / m[2, 4], m[w, 4] / m[3, 4]
			}
		}
		n = split(rates, c, " ")
		if (json) printf "\n], \"paced\": ["
		else if (n) printf "%-8s %10s %14s %14s\n", "way", "asked/s", "servers CPU %", "fio CPU %"
		row = "%s%-8s %10d %14.2f %14.2f\n"
		if (json) row = "%s\n  {\"way\": \"%s\", \"rate\": %d, \"servers_cpu_percent\": %.2f, \"fio_cpu_percent\": %.2f}"
		for (k = 1; k <= n; k++)
			for (w = 1; w <= 3; w++)
				printf row, (json && k + w > 2 ? "," : ""), way[w], c[k], servers[way[w], c[k]], fio[way[w], c[k]]
		if (json) print "\n]}"
	}' "$work/results" "$work/paced"

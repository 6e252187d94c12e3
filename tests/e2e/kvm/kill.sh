# SPDX-License-Identifier: MIT
# kill -9 of the backends while a Linux guest works: sourced after live.sh and net.sh. The guest has a disk
# xvda with ext4 on it, and eth0, up. Its frontends are not told: they get their answers from another process.
backend() { pidof pvring-$1; }
killed() { # killed BACKEND: and another one is there
	old=$(backend $1)
	if [ -z "$old" ]; then
		kill -0 $live && echo "there is no $1" || { echo "the guest has ended"; tail -30 live.log; }
		return 1
	fi
	kill -9 $old
	within 60 sh -c "new=\$(pidof pvring-$1) && [ \"\$new\" != '$old' ]" || { echo "no new $1"; return 1; }
}
# goes_on FILE: the guest adds lines to it as it works, and does two more, the second begun and ended as things are now.
goes_on() {
	ask "was=\$(wc -l <$1); for i in \$(seq 300); do [ \$(wc -l <$1) -ge \$((was + 2)) ] && exit 0; sleep 0.2; done; exit 1" ||
		{ echo "no progress"; return 1; }
}
# kills BACKEND FILE: three times, each in the middle of what goes on, and it goes on after the last.
kills() {
	for time in 1 2 3; do
		goes_on $2 && killed $1 || return 1
	done
	goes_on $2
}
kill_disk() { # while the guest writes; then it verifies what it wrote
	ask 'mkdir -p /k; mount -t ext4 /dev/xvda /k; dd if=/dev/urandom of=/src bs=64k count=32 2>/dev/null; : >/n' || return 1
	ask '(n=0; while [ ! -e /stop ]; do n=$((n + 1)); cp /src /k/f$((n % 4)) && sync; echo >>/n; done; echo >/done) &'
	kills blkback /n || return 1
	ask 'touch /stop; while [ ! -e /done ]; do sleep 0.2; done; umount /k; mount -t ext4 /dev/xvda /k' || return 1
	ask 'for i in 0 1 2 3; do cmp /src /k/f$i || exit 1; done; umount /k; ! dmesg | grep -i "I/O error"'
}
kill_net() { # while the guest fetches, again and again
	ask ': >/sums; (while [ ! -e /stopnet ]; do timeout 100 wget -q -O - http://10.77.0.1/data | md5sum >>/sums; done; touch /donenet) &'
	kills netback /sums || return 1
	ask 'touch /stopnet; while [ ! -e /donenet ]; do sleep 0.2; done' || return 1
	sums=$(ask "sort -u /sums")
	[ "$sums" = "$(md5sum <www/data)" ] || { echo "sums: $sums"; return 1; }
}
kill_checks() {
	check "its disk's backend killed three times: all written, all verified" kill_disk
	check "its network's backend killed three times: every copy whole" kill_net
	check "a copy to the guest afterwards" down
}

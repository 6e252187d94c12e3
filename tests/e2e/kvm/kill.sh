# SPDX-License-Identifier: MIT
# kill -9 of the backends while a Linux guest works: sourced after live.sh and net.sh. The guest has a disk
# xvda with ext4 on it, and eth0, up. Its frontends are not told: they get their answers from another process.
backend() { pidof pvring-$1; }
killed() { # killed BACKEND: and another one is there
	old=$(backend $1)
	kill -9 $old || return 1
	within 10 sh -c "new=\$(pidof pvring-$1) && [ \"\$new\" != '$old' ]"
}
kill_disk() { # kill_disk SECONDS: while the guest writes; then it verifies what it wrote
	ask 'mkdir -p /k; mount -t ext4 /dev/xvda /k; dd if=/dev/urandom of=/src bs=64k count=32 2>/dev/null' || return 1
	ask '(n=0; while [ ! -e /stop ]; do n=$((n + 1)); cp /src /k/f$((n % 4)) && sync; echo $n >/n; done; echo $n >/done) &'
	for pause in 1 3 2; do
		sleep $pause
		killed blkback || { echo "no new backend"; return 1; }
	done
	ask 'n=$(cat /n); sleep 3; [ $(cat /n) -gt $n ]' || { echo "it writes no more"; return 1; }
	ask 'touch /stop; while [ ! -e /done ]; do sleep 0.2; done; umount /k; mount -t ext4 /dev/xvda /k' || return 1
	ask 'for i in 0 1 2 3; do cmp /src /k/f$i || exit 1; done; umount /k; ! dmesg | grep -i "I/O error"'
}
kill_net() { # while the guest fetches, again and again
	ask '(while [ ! -e /stopnet ]; do timeout 60 wget -q -O - http://10.77.0.1/data | md5sum; done >/sums; touch /donenet) &'
	for pause in 1 3 2; do
		sleep $pause
		killed netback || { echo "no new backend"; return 1; }
	done
	sleep 4
	ask 'touch /stopnet; while [ ! -e /donenet ]; do sleep 0.2; done'
	ask "wc -l </sums"; sums=$(ask "sort -u /sums")
	[ "$sums" = "$(md5sum <www/data)" ] || { echo "sums: $sums"; return 1; }
}
kill_checks() { # kill_checks [disk]: only its backend
	check "its disk's backend killed three times: all written, all verified" kill_disk
	[ "$1" = disk ] && return
	check "its network's backend killed three times: every copy whole" kill_net
	check "a copy to the guest afterwards" down
}

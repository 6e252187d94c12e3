# SPDX-License-Identifier: MIT
# What the scenarios in the nested machine share: checks, each a line "RESULT PASS|FAIL name", and an initial RAM disk
# for each kernel: busybox, the kernel's modules, guest-init.
cd /tmp
failed=0
check() {
	name=$1; shift
	if "$@" >/tmp/out 2>&1; then echo "RESULT PASS $name"; else echo "RESULT FAIL $name"; tail -50 /tmp/out; failed=1; fi
}
within() { # within SECONDS COMMAND...: it succeeds before the time is over
	tries=$(($1 * 2)); shift
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.5 # one's looking costs the guest its emulated CPU
	done
}
for k in cloud amd64; do
	mkdir -p i/bin i/sbin i/dev i/proc i/sys i/mnt i/m
	cp /bin/busybox i/bin/
	for a in $(busybox --list | grep -vx busybox); do ln -sf busybox i/bin/$a; done
	rm -f i/m/*; cp /guest/$k.d/*.ko i/m/
	cp /payload/guest-init i/init; chmod +x i/init
	for verb in poweroff reboot; do # what the kernel starts when it is asked to end
		printf '#!/bin/sh\nexec /bin/%s -f\n' $verb >i/sbin/$verb; chmod +x i/sbin/$verb
	done
	(cd i && find . | cpio -o -H newc 2>/dev/null) >$k.cpio
done
# A network for the guests: a bridge at 10.77.0.1 with a web server that has `data`.
network() {
	ip link add br0 type bridge
	ip addr add 10.77.0.1/24 dev br0
	ip link set br0 up
	mkdir www
	dd if=/dev/urandom of=www/data bs=64k count=128 2>/dev/null
	httpd -p 10.77.0.1:80 -h www
}
# What a guest sends to port 9000, into the file `got`.
receive() {
	rm -f got hold; mkfifo hold # nc ends when its input does
	timeout 300 nc -l -p 9000 >got 0<>hold &
	receiver=$!
}
received() { # the same as www/data; whoever sent it is done
	within 30 sh -c "! kill -0 $receiver" || kill $receiver
	[ "$(md5sum <got)" = "$(md5sum <www/data)" ]
}

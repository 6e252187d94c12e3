# SPDX-License-Identifier: MIT
# A Debian kernel started in the background from a configuration file, and what is done to it from then on:
# sourced after live.sh, with a network.
console_of() { # console_of DOMAIN: what is asked goes there
	: >live.log; : >asks
	rm -f keys; mkfifo keys; exec 3<>keys
	pvring console $1 <keys >live.log 2>&1 &
	live=$!
}
lives() { [ "$(grep -ac "GUEST told" live.log)" = "$1" ]; }
is() { pvring list | grep -q "^$1 .* $2"; }
gone() { ! pvring list | grep -q "^$1 "; }
ended() { ! kill -0 $1; }
serve() { # a hypervisor and backends that stay
	export PVRING_DIR=/tmp/hv XENSTORED_PATH=/tmp/hv/xenstored.sock
	pvring hypervisor 2>hv.log &
	servers=$!
	within 20 xenstore-read /local/domain/0/name || return 1
	pvring blkback 2>blkback.log & servers="$! $servers"
	pvring netback 2>netback.log & servers="$! $servers"
}
config() { # config KERNEL VCPUS
	cat >web.cfg <<-E
		name = "web"
		kernel = "/guest/$1"
		ramdisk = "/tmp/$1.cpio"
		extra = "console=hvc0 loglevel=4 panic=-1 do=told"
		memory = 256
		vcpus = $2
		disk = [ "format=raw,vdev=xvda,access=rw,target=/tmp/web.img" ]
		vif = [ "mac=00:16:3e:00:00:01,bridge=br0" ]
	E
}
own_mac() { [ "$(ask 'cat /sys/class/net/eth0/address')" = 00:16:3e:00:00:01 ]; }
devices() { # mounts its disk, reaches the bridge
	ask 'mount -t ext4 /dev/xvda /mnt && cd /mnt && md5sum -c ref.md5 && cd / && umount /mnt' || return 1
	ask 'ip addr add 10.77.0.2/24 dev eth0; ip link set eth0 up; ping -q -c 3 -i 0.2 -w 20 10.77.0.1'
}
create_checks() {
	set -- cloud 2 # a kernel, its vCPUs
	cp /payload/disk.img web.img
	config $1 $2
	check "a hypervisor and backends that stay" serve
	check "create, $1, $2 vCPUs" pvring create web.cfg
	check "list has it" is web running
	console_of web
	check "its console" within 100 lives 1
	check "its vCPUs, asked on the console" ask "[ \$(nproc) = $2 ]"
	check "its interface has the address of the file" own_mac
	check "its disk and its network" devices
	check "it is asked to reboot" pvring reboot web
	check "and lives again, on the same console" within 100 lives 2
	check "with its disk and its network" devices
	check "it is asked to power off" pvring shutdown web
	check "and the domain ends" within 60 gone web
	check "and its console" within 30 ended $live
	check "e2fsck finds nothing" e2fsck -fn web.img
	check "create again" pvring create web.cfg
	console_of web
	check "it boots" within 100 lives 1
	check "destroy" pvring destroy web
	check "nothing of it is left" within 30 sh -c "! pidof pvring-guest && ! pidof pvring-keeper && ! ls hv | grep console"
	kill $servers
	for pid in $servers; do check "a server ends" within 30 ended $pid; done
	exec 3>&-
	unset PVRING_DIR XENSTORED_PATH
	cat hv/web.log hv.log blkback.log netback.log
}

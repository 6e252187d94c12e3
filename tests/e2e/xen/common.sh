# SPDX-License-Identifier: MIT
# What the scenarios in dom0 share: each check is a line "RESULT PASS|FAIL name".
cd /tmp
failed=0
check() {
	local what=$1 # a name that no caller's command uses
	shift
	if "$@" >/tmp/out 2>&1; then echo "RESULT PASS $what"; else echo "RESULT FAIL $what"; tail -20 /tmp/out; failed=1; fi
}
within() { # within SECONDS COMMAND...: it succeeds before the time is over
	local tries=$(($1 * 2))
	shift
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.5
	done
}
gone() { ! xl domid "$1" >/dev/null 2>&1; }
console() { tr -d '\r' </var/log/xen/guest-"$1".log; }
ends() { # ends DOMAIN SECONDS
	within $2 said $1 end && within 30 gone $1 && return
	echo "domain $1 did not end by itself:"
	console $1 | tail -20
}
said() { console "$1" | grep -q "DOMU $2"; } # said DOMAIN TEXT

# The first RAM disk of a domU.
initrd() {
	mkdir -p /tmp/i/{bin,dev,m,mnt,proc,sys,tmp}
	cp /bin/busybox /tmp/i/bin/
	for a in $(busybox --list); do [ "$a" = busybox ] || ln -sf busybox /tmp/i/bin/$a; done
	cp /rig/modules/*.ko /tmp/i/m/
	cp /payload/domu-init /tmp/i/init
	chmod +x /tmp/i/init
	(cd /tmp/i && find . | cpio -o -H newc 2>/dev/null) >/tmp/initrd
	rm -rf /tmp/i
}
# config NAME pv|pvh DO [LINE...]: /tmp/NAME.cfg, with $vcpus CPUs and $memory MiB
config() {
	local name=$1 type=$2 what=$3
	shift 3
	cat >/tmp/$name.cfg <<-C
		name="$name"
		type="$type"
		kernel="/rig/vmlinuz"
		ramdisk="/tmp/initrd"
		extra="console=hvc0 quiet do=$what"
		memory=${memory:-256}
		vcpus=${vcpus:-1}
		tsc_mode="native"
		on_poweroff="destroy"
		on_crash="destroy"
	C
	for line; do echo "$line"; done >>/tmp/$name.cfg
}
script=script=block-pvring
# disk VDEV IMAGE: as a config and block-attach have it
disk() { echo "format=raw,vdev=$1,access=rw,$script,target=$2"; }
disks() { # disks VDEV IMAGE ...: the line of a config
	local list=
	while [ $# -gt 0 ]; do list="$list'$(disk $1 $2)',"; shift 2; done
	echo "disk=[$list]"
}
vif() { echo "vif=['${1:-script=vif-pvring},bridge=br0,mac=00:16:3e:00:00:01']"; }
# pair DOMAIN DEVID IMAGE [NODE=VALUE...]: a device pair without libxl, in one transaction. As a toolstack of
# one's own would do; with it come the nodes that are ours. xen-blkback names its thread after `dev`, and without it
# says Connected and starts none.
pair() {
	local d=$1 devid=$2 image=$3 front back
	front=/local/domain/$d/device/vbd/$devid back=/local/domain/0/backend/vbd/$d/$devid
	shift 3
	xenstore-write "$back/frontend" "$front" "$back/frontend-id" "$d" "$back/online" 1 "$back/params" "$image" \
		"$back/dev" "vbd-$devid" "$back/type" file "$back/mode" w "$back/device-type" disk "$back/state" 1 \
		$(for node; do echo "$back/${node%%=*} ${node#*=}"; done) \
		"$front/backend" "$back" "$front/backend-id" 0 "$front/virtual-device" "$devid" \
		"$front/device-type" disk "$front/state" 1
	xenstore-chmod -r "$back" n0 "r$d"
	xenstore-chmod -r "$front" "n$d" r0
}
# What a domain's disks or interfaces and their other halves say in xenstore.
show() { xenstore-ls -f | grep -E "/local/domain/($1/device|0/backend)/(vbd|vif)/.* = " | sed 's/^/XS /'; }

# A file system with a file and its checksum.
mkimage() {
	mkdir -p fs
	dd if=/dev/urandom of=fs/ref bs=64k count=64 2>/dev/null
	md5sum fs/ref | cut -c1-32 >fs/ref.md5
	truncate -s ${2:-64M} $1
	mke2fs -q -t ext4 -d fs $1
	rm -rf fs
}
network() { # a bridge with a web server that has `data`
	modprobe bridge
	ip link add br0 type bridge
	ip addr add 10.77.0.1/24 dev br0
	ip link set br0 up
	mkdir -p www
	dd if=/dev/urandom of=www/data bs=64k count=128 2>/dev/null
	httpd -p 10.77.0.1:80 -h www
}
receive() { # what a domU sends to port 9000, into the file `got`
	rm -f got hold
	mkfifo hold # nc ends when its input does
	timeout ${1:-300} nc -l -p 9000 >got 0<>hold &
	receiver=$!
}
received() {
	wait $receiver
	cmp got www/data
}
# pvring's backends, and what guests.sh's domUs are served.
backends() {
	cp /payload/block-pvring /payload/vif-pvring /etc/xen/scripts/
	initrd
	mkimage disk.img
	truncate -s 208M big.img
	truncate -s 16M small.img
	network
	unit blkback
	unit netback
	systemctl daemon-reload
	systemctl start pvring-blkback pvring-netback
}
unit() { # the one that operators install, with an option, and its log to a file
	mkdir -p /usr/local/bin /etc/systemd/system/pvring-$1.service.d
	ln -sf /payload/pvring /usr/local/bin/
	cp /payload/pvring-$1.service /etc/systemd/system/
	cat >/etc/systemd/system/pvring-$1.service.d/test.conf <<-U
		[Service]
		ExecStart=
		ExecStart=/usr/local/bin/pvring $1 --xen --workers 2
		StandardOutput=append:/tmp/$1.log
		StandardError=append:/tmp/$1.log
	U
}
blkback() { systemctl show -P MainPID pvring-blkback; }
netback() { systemctl show -P MainPID pvring-netback; }
verified() { # verified DOMAIN MIB: it wrote and read all that
	said $1 "ext4 read ok" && said $1 "ext4 write ok" && said $1 "ext4 trim ok" && said $1 "ext4 umount ok" &&
		said $1 "verified $2 MiB" || { console $1 | tail -20; return 1; }
}
networked() {
	said $1 "ping ok" && said $1 "net $(md5sum <www/data | cut -c1-32)" || { console $1 | tail -20; return 1; }
}

# SPDX-License-Identifier: MIT
# In dom0: Debian's kernel as PV domUs on pvring's backends; domains that are destroyed and backends that are killed
# under load.
. /payload/common.sh
backends

# PV, as xl starts it.
config pv pv ext4,verify=104,net "$(disks xvda /tmp/disk.img xvdb /tmp/big.img)" "$(vif)"
receive
xl create pv.cfg >/dev/null
within 40 said pv "ext4 read ok" || ends pv 1
show $(xl domid pv)
ends pv 200
check "PV: ext4, and 104 MiB" verified pv 104
dmesg | grep segfault
check "PV: e2fsck" e2fsck -fn disk.img
check "PV: ping, and a copy to it" networked pv
check "PV: a copy from it" received

# What a backend has of domains, and Xen of dom0's event channels.
holds_none() {
	cat /proc/$(blkback)/maps /proc/$(netback)/maps >maps && grep -q pvring maps && ! grep -q /dev/xen/gntdev maps
}
channels() { lsevtchn 0 | grep -c Interdomain; }
forgotten() { ! xl list | grep -q -- "$1"; } # no zombie that somebody's mapping keeps
check "with no domain no grant is mapped" within 10 holds_none
before=$(channels)

# A domain destroyed under load.
config load pv load "$(disks xvda /tmp/small.img)" "$(vif)"
xl create load.cfg >/dev/null
within 60 said load loading
sleep 2
check "a grant is mapped under load" grep -q /dev/xen/gntdev /proc/$(blkback)/maps
check "and event channels are bound" test $(channels) -gt $before
d=$(xl domid load)
xl destroy load
check "destroyed under load: no grant stays mapped" within 10 holds_none
check "no event channel stays bound" within 10 eval '[ $(channels) = $before ]'
check "Xen has let go of the domain" within 10 eval '! xl list $d'

# The backend killed three times, each with requests in flight: its image is on a file system that is frozen, so a
# write is on its way until it is thawed, and the process ends then only.
for m in crc16 crc32c_generic mbcache jbd2 ext4; do insmod /rig/modules/$m.ko; done
modprobe loop
rm big.img
truncate -s 200M fs.img
mke2fs -q -t ext4 fs.img
mkdir fs
mount -o loop fs.img fs
truncate -s 80M fs/big.img
held() { # by its write, for as long as one looks
	for look in 1 2 3 4; do
		grep -q '^State:.D' /proc/$1/task/*/status || return 1
		sleep 0.2
	done
}
killed() { # killed TIMES: so often by now, and another one has taken the disk over
	local old=$(blkback)
	fsfreeze --freeze fs && within 60 held $old && kill -9 $old
	fsfreeze --unfreeze fs
	within 20 eval '[ $(grep -c "/51728: taken over" blkback.log) = '$1' ]' || { cat blkback.log; return 1; }
}
config kill pv verify=64 "$(disks xvda /tmp/small.img xvdb /tmp/fs/big.img)"
xl create kill.cfg >/dev/null
for i in 1 2 3; do
	check "killed with a write on its way, the $i. time" killed $i
done
check "systemctl restart under load" systemctl restart pvring-blkback
check "whose disks are taken over" within 20 eval '[ $(grep -c "/51728: taken over" blkback.log) = 4 ]'
check "and it is enabled to go on" test "$(systemctl is-active pvring-blkback)" = active
ends kill 120
check "the guest went on, 64 MiB as written" said kill "verified 64 MiB"
grep -h . blkback.log netback.log
grep 51728 blkback.log | sed 's/^/COUNT /'
check "what was in flight was done again" \
	eval '[ $(grep -c "/51728: taken over, [1-9][0-9]* done again" blkback.log) -ge 3 ]'
dmesg | grep segfault
exit $failed

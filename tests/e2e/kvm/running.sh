# SPDX-License-Identifier: MIT
# One guest of two vCPUs that runs on while its network is tried, devices come and go, and its backends are killed.
. /payload/common.sh
. /payload/live.sh
. /payload/net.sh
. /payload/hotplug.sh
. /payload/kill.sh
network
cp /payload/disk.img d.img
check "a guest that listens to its console" live_start cloud 2 --disk d.img --net tap,bridge=br0,queues=2
grep -a '^pvring: ' live.log
net_checks
hotplug_checks
kill_checks
check "it ends" live_end
exit $failed

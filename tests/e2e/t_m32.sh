#!/bin/sh
# SPDX-License-Identifier: MIT
# A 32-bit guest: its own layout on the ring and in shared_info, before the same backend and hypervisor. What one
# word size writes the other reads.
. "$(dirname "$0")/lib.sh"
g64=$BUILD/tests/guest
g32=$BUILD/m32/tests/guest
if [ ! -x "$g32" ]; then
	echo "skipped: no 32-bit program was built (gcc-12-multilib, libc6-dev-i386)"
	exit
fi
truncate -s 33M "$work/image"

# on KEY=VALUE,... COMMAND...: as a guest with the image.
on() {
	spec=$work/image,$1
	shift
	timeout $((60 * slow)) pvring run --memory 256M --disk "$spec" -- "$@" </dev/null
}
says() { # says PATTERN COMMAND...: the command succeeds, and its line matches
	pattern=$1
	shift
	"$@" >"$work/said" 2>&1 && grep -q -- "$pattern" "$work/said" || { cat "$work/said"; return 1; }
}

check "it is a 32-bit program" sh -c "test \"\$(od -An -tu1 -j4 -N1 '$g32')\" -eq 1"
check "grant calls in its layout, its 1024 ports" on queues=1 "$g32" machine
seed=0
for sector in 512 4096; do
	for queues in 1 4; do
		for segments in 11 64; do
			for order in 0 2; do
				for persistent in 0 1; do
					seed=$((seed + 1))
					p=
					[ $persistent = 0 ] || p=-p
					check "sector $sector, $queues queues, $segments segments, ring order $order, persistent $persistent" says \
						"^32 bits, $queues queues, order $order, $segments segments, sector $sector, persistent $persistent: .* right$" \
						on queues=4,sector=$sector "$g32" -q $queues -s $segments -o $order $p -S $seed write
				done
			done
		done
		check "a 64-bit guest reads what the last of them wrote" on queues=4,sector=$sector "$g64" -q 4 -s 32 -S $seed check
	done
done
check "it reads what a 64-bit guest writes" \
	on queues=4 sh -c "'$g64' -q 2 -s 256 -S 100 write && '$g32' -q 4 -S 100 check"
check "pages of its own only, 256 segments" on queues=1 "$g32" -u -s 256 -o 4 -S 101 write
check "no discard" on discard=off "$g32" -S 102 write
check "direct, by aio" on direct=on,engine=aio,sector=4096 "$g32" -q 4 -o 2 -S 103 write

# The check itself must be able to fail.
printf x | dd of="$work/image" bs=1 seek=12345678 conv=notrunc status=none
refuses "a spoiled byte is found" 1 "byte 12345672 is not" pvring run --disk "$work/image" -- "$g32" -S 103 check
refuses "more memory than it can have" 1 "attach.*Cannot allocate" \
	pvring run --memory 8G --disk "$work/image" -- "$g32" -S 103 check
check "as much as it can" timeout $((60 * slow)) pvring run --memory 1G --disk "$work/image" -- "$g32" -S 104 write

# What it says of itself, seen from outside while it is connected.
start_system
PVRING_DOMID=$(pvring create guest)
export PVRING_DOMID
front=/local/domain/$PVRING_DOMID/device/vbd/51712
check "attach" pvring block-attach guest "$work/image"
mkfifo "$work/fifo"
connected() { # connected PROGRAM ABI
	"$1" wait <"$work/fifo" &
	guest=$!
	exec 9>"$work/fifo"
	check "connected" within 10 sh -c 'pvring block-list guest | grep -q Connected'
	check "its protocol is $2" test "$(xenstore-read $front/protocol)" = "$2"
	exec 9>&-
	check "it ends in order" wait $guest
}
connected "$g32" x86_32-abi
connected "$g64" x86_64-abi

#!/bin/sh
# SPDX-License-Identifier: MIT
# demo.sh: what `make demo` shows. Runs as an ordinary user, makes no change outside a temporary directory.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
PATH=${BUILD:-$here/build}:$PATH
export PATH

if [ "${1-}" != inside ]; then
	dir=$(mktemp -d "${TMPDIR:-/tmp}/pvring-demo-XXXXXX")
	trap 'rm -rf "$dir"' EXIT
	image=$dir/disk.img
	truncate -s 64M "$image"
	echo "== An image of 64 MiB, a hypervisor, a block backend, and a guest with the disk xvda"
	echo "   \$ pvring run --disk disk.img -- ..."
	pvring run --disk "$image" -- "$0" inside "$image"
	"$here/tools/demo-net.sh"
	exit
fi

image=$2
echo
echo "== The guest writes, flushes, reads back and checks every byte"
echo "   \$ pvring blk verify"
pvring blk verify
echo
echo "== What was negotiated"
echo "   \$ pvring blk info"
pvring blk info
echo
echo "== The same I/O through the split driver and without it, in turns"
echo "   \$ pvring bench blk"
pvring bench blk --file "$image" --time 200 --rounds 5 >"$image.bench" &
bench=$!
sleep 1
xenstore-ls -f | grep -E '/vbd/|domain/[0-9]+/name' >"$image.tree" || true
wait "$bench"
cat "$image.bench"
echo
echo "== The two halves in xenstore while it ran"
echo "   \$ xenstore-ls -f"
cat "$image.tree"
echo
echo "== What the backend counted"
echo "   \$ pvring stats"
pvring stats

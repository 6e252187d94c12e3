#!/bin/sh
# SPDX-License-Identifier: MIT
# install-packages.sh demo|test|ci: install what is missing from packages.txt, up to that target. With
# neither root nor passwordless sudo it prints the one line to run and fails.
set -u
cd "$(dirname "$0")/.." || exit 1
case ${1-} in
demo) upto=demo ;;
test) upto='demo|test' ;;
ci) upto='demo|test|ci' ;;
*) echo "usage: $0 demo|test|ci" >&2; exit 64 ;;
esac
command -v dpkg-query >/dev/null || exit 0 # not Debian: the compiler will say what is missing

missing=
for package in $(awk -v upto="^($upto)\$" '$1 !~ /^#/ && $2 ~ upto {print $1}' packages.txt); do
	dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
	as_root=
elif sudo -n true 2>/dev/null; then
	as_root='sudo -n'
else
	echo "missing packages; please run: sudo apt-get install -y --no-install-recommends$missing" >&2
	exit 69
fi
echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
install() { $as_root apt-get install -y -q --no-install-recommends $missing >"$log" 2>&1; }
if ! install; then
	# The package lists may be old, or not there at all.
	$as_root apt-get update -q >>"$log" 2>&1
	install || { tail -5 "$log" >&2; rm -f "$log"; exit 69; }
fi
rm -f "$log"

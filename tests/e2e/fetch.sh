# SPDX-License-Identifier: MIT
# Debian's packages, unpacked and not installed: into x/ of the current folder, once. Sourced by the emulated machines.

fetch() { # fetch PACKAGE...
	local p
	mkdir -p debs x
	for p; do
		[ -e "debs/$p.done" ] && continue
		(cd debs && apt-get -q download "$p" >fetch.log 2>&1) || { cat debs/fetch.log >&2; exit 69; }
		dpkg-deb -x debs/"$p"_*.deb x
		touch "debs/$p.done"
	done
}
newest() { # newest METAPACKAGE: the kernel package it stands for
	apt-cache depends "$1" | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -1
}

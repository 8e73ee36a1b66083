#!/bin/bash
# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# prepare.sh SUITE DIR - makes Mosquitto of another Debian suite ready for tests.
#
# DIR becomes a minimal Debian of that suite with Mosquitto and what the plugin is built
# with. In the repository it leaves
#
#   build/SUITE/mosquitto              runs that Mosquitto here, with its own libraries
#   build/SUITE/mosquitto_rollcall.so  the plugin, built there, with warnings as errors
#
# Needs root, the network and debootstrap. Run again it keeps the tree and builds
# the plugin anew. Nothing stays mounted and no service is started, so DIR can be removed
# like any folder. ROLLCALL_DEBIAN_MIRROR names a mirror; by default it is the one that
# apt uses on this machine.
set -euo pipefail

say() { printf 'brokers: %s\n' "$*" >&2; }

# The status by which a caller knows that it cannot be had here.
skip() {
	say "$*"
	exit 77
}

# The archive that this machine's own packages come from.
mirror_of_this_machine() {
	# shellcheck disable=SC2016 # apt's variables
	apt-get indextargets --format '$(REPO_URI) $(ORIGIN)' 'Created-By: Packages' 2>/dev/null |
		sed -n 's#^\(.*/debian/\{0,1\}\) Debian$#\1#p' | head -n 1
}

# Suites younger than this machine's debootstrap are made as the youngest that it knows.
make_tree() {
	local script=/usr/share/debootstrap/scripts/$suite

	[ ! -e "$tree/.complete" ] || return 0
	[ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid
	say "making a Debian $suite in $tree"
	rm -rf "$tree"
	mkdir -p "$tree"
	debootstrap --variant=minbase "$suite" "$tree" \
		"${ROLLCALL_DEBIAN_MIRROR:-$(mirror_of_this_machine)}" "$script" >"$tree.log" 2>&1 ||
		skip "debootstrap failed: $(tail -n 1 "$tree.log")"
	touch "$tree/.complete"
}

# Nothing that is installed may start; and a mirror that lags behind must not be refused as
# expired.
settle_tree() {
	cp /etc/resolv.conf "$tree/etc/resolv.conf"
	echo 'Acquire::Check-Valid-Until "false";' >"$tree/etc/apt/apt.conf.d/99rollcall"
	printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
	chmod 755 "$tree/usr/sbin/policy-rc.d"
}

# Its /proc is mounted in a namespace of the command alone, and is gone with it.
in_tree() {
	# shellcheck disable=SC2016 # expanded by the inner shell
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
		DEBIAN_FRONTEND=noninteractive ${http_proxy:+http_proxy="$http_proxy"} \
		unshare --mount sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' \
		"$tree" "$@"
}

# Objects of an earlier time go as well: what is copied may be older than they are (another
# branch, an older commit), which make would take for "nothing has changed".
copy_sources() {
	mkdir -p "$tree/src/deploy"
	rm -rf "$tree/src/plugin" "$tree/src/protocol" "$tree/src/build"
	cp -a "$root"/{Makefile,VERSION,plugin,protocol} "$tree/src/"
	cp -a "$root/deploy/deps.sh" "$tree/src/deploy/"
}

install_packages() {
	in_tree /src/deploy/deps.sh build || skip "packages cannot be installed in $tree"
	[ -x "$tree/usr/sbin/mosquitto" ] ||
		in_tree apt-get -q install -y --no-install-recommends mosquitto >&2 ||
		skip "mosquitto cannot be installed in $tree"
}

build_plugin() {
	in_tree make -s -C /src --no-print-directory CI=1 plugin >&2
	install -D -m 755 "$tree/src/build/release/mosquitto_rollcall.so" "$out/mosquitto_rollcall.so"
}

# The tree's own loader finds the tree's libraries: no chroot, so the broker runs as anyone,
# sees the tests' files, and has the process id that it was started with.
write_wrapper() {
	local loader

	loader=$(find "$tree/usr/lib" -maxdepth 2 -name 'ld-linux*.so.*' | head -n 1)
	[ -n "$loader" ] || {
		say "no dynamic loader in $tree"
		exit 1
	}
	{
		echo '#!/bin/sh'
		printf 'exec %q --library-path %q %q "$@"\n' "$loader" "${loader%/*}" \
			"$tree/usr/sbin/mosquitto"
	} >"$out/mosquitto"
	chmod 755 "$out/mosquitto"
}

[ $# = 2 ] || {
	sed -n '3,13s/^# \{0,1\}//p' "$0" >&2
	exit 2
}
readonly suite=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$2"
tree=$(cd "$2" && pwd)
readonly root tree out=$root/build/$suite

[ "$(id -u)" = 0 ] || skip "only root can make a Debian tree"
command -v debootstrap >/dev/null || skip "debootstrap is not installed"
make_tree
settle_tree
copy_sources
install_packages
mkdir -p "$out"
build_plugin
write_wrapper
say "$("$out/mosquitto" -h | sed -n 's/^\(mosquitto version [^ ]*\).*/\1/p') of $suite: $out"

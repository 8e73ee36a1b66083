#!/bin/bash
# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# deps.sh GROUP... - install the Debian packages that a task needs.
#
#   build    compile the plugin and the bridge
#   run      start the broker, the database and the bridge
#   test     run the tests
#   fuzz     build the fuzz targets
#   brokers  run them on the Mosquitto of other Debian suites
#   lint     check the sources
#   node     build the dashboard, run the Node example
#   chromium test the dashboard
#
# When nothing is missing it asks dpkg once and does nothing else. Debian starts
# and enables brokers and databases when it installs them; what was not running
# and not enabled before is neither afterwards.
set -euo pipefail

readonly POLICY=/usr/sbin/policy-rc.d
readonly POLICY_SAVED=/usr/sbin/policy-rc.d.before-rollcall
readonly POLICY_MARK="Rollcall's deps.sh is installing packages"
# Those that the packages below bring along, as dependencies too.
readonly SERVICES=(mosquitto mariadb haproxy)
readonly LOCK=/run/lock/rollcall-deps.lock

packages_of() {
	case $1 in
	# Mosquitto 2.1's own headers include cJSON's.
	build) echo gcc libc6-dev make pkg-config libmosquitto-dev mosquitto-dev libcjson-dev \
		liblmdb-dev libjson-c-dev libsodium-dev libmicrohttpd-dev libgnutls28-dev libssl-dev zlib1g-dev \
		libevent-dev libjwt-dev libmariadb-dev ;;
	run) echo mosquitto mariadb-server-core mariadb-client-core util-linux curl \
		python3 python3-paho-mqtt ;;
	test) echo libcmocka-dev python3 python3-pytest python3-pytest-xdist python3-pytest-timeout \
		python3-paho-mqtt python3-requests python3-pymysql python3-jwt python3-jsonschema mosquitto-clients \
		libpaho-mqtt-dev valgrind curl openssl haproxy ;;
	lint) echo clang clang-format clang-tidy shellcheck python3-pyflakes ;;
	fuzz) echo clang llvm libclang-rt-dev ;;
	brokers) echo debootstrap util-linux ;;
	node) echo nodejs npm ;;
	chromium) echo chromium ;;
	*) return 1 ;;
	esac
}

say() { printf 'deps: %s\n' "$*" >&2; }

usage() {
	sed -n '3,16s/^# \{0,1\}//p' "$0" >&2
	exit 2
}

# Those of the named packages that dpkg does not have.
missing_of() {
	local have
	have=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
		sed -n 's/^installed //p') || true
	comm -23 <(printf '%s\n' "$@" | sort -u) <(sort -u <<<"$have")
}

# Where the distribution's package is replaced by the same program from elsewhere.
drop_provided() {
	local package
	while read -r package; do
		case $package in
		nodejs) command -v node >/dev/null && continue ;;
		npm) command -v npm >/dev/null && continue ;;
		curl) command -v curl >/dev/null && continue ;;
		esac
		echo "$package"
	done
}

become_root() {
	[ "$(id -u)" = 0 ] && return
	if command -v sudo >/dev/null; then
		say "asking sudo to install: ${missing[*]}"
		exec sudo -- "$0" "${groups[@]}"
	fi
	say "these packages are missing: ${missing[*]}"
	say "neither root nor sudo here; have an administrator run: apt-get install ${missing[*]}"
	exit 1
}

# By systemd or by a start link; either may be asked by the next boot.
is_enabled() {
	compgen -G "/etc/systemd/system/*.wants/$1.service" >/dev/null ||
		compgen -G "/etc/rc[2-5].d/S??$1" >/dev/null
}

enabled_services() {
	local name

	for name in "${SERVICES[@]}"; do
		! is_enabled "$name" || echo "$name"
	done
}

forbid_starts() {
	# Left by a run that was killed before it could clean up.
	! grep -qs "$POLICY_MARK" "$POLICY" || allow_starts
	[ ! -e "$POLICY" ] || mv "$POLICY" "$POLICY_SAVED"
	printf '#!/bin/sh\n# %s\nexit 101\n' "$POLICY_MARK" >"$POLICY"
	chmod 755 "$POLICY"
}

allow_starts() {
	rm -f "$POLICY"
	[ ! -e "$POLICY_SAVED" ] || mv "$POLICY_SAVED" "$POLICY"
}

disable_new_services() {
	local name

	for name in "${SERVICES[@]}"; do
		grep -qx "$name" <<<"$1" || disable_service "$name"
	done
}

disable_service() {
	is_enabled "$1" || return 0
	say "leaving $1 disabled"
	systemctl disable "$1.service" >/dev/null 2>&1 || true
	# systemctl may be absent, or refuse to act in a container.
	find /etc/systemd/system -name "$1.service" -type l -delete
	[ ! -e "/etc/init.d/$1" ] || update-rc.d "$1" disable >/dev/null 2>&1 || true
}

# An exit trap alone would do for a failure; a signal has to become an exit first.
finish() {
	local status=$?
	trap '' INT TERM HUP
	allow_starts
	disable_new_services "$enabled_before"
	exit "$status"
}

install_missing() {
	local apt=(apt-get -q -o DPkg::Lock::Timeout=600)

	export DEBIAN_FRONTEND=noninteractive
	"${apt[@]}" update >&2 || say "apt-get update failed; trying with the lists that are here"
	enabled_before=$(enabled_services)
	trap finish EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	forbid_starts
	"${apt[@]}" install -y --no-install-recommends "${missing[@]}" >&2
}

[ $# -gt 0 ] || usage
groups=("$@")
wanted=()
for group in "${groups[@]}"; do
	read -ra names < <(packages_of "$group") || usage
	wanted+=("${names[@]}")
done
command -v dpkg-query >/dev/null || {
	say "this is not a Debian system; install what these Debian packages hold: ${wanted[*]}"
	exit 1
}
mapfile -t missing < <(missing_of "${wanted[@]}" | drop_provided)
[ ${#missing[@]} -gt 0 ] || exit 0
become_root
exec 9>"$LOCK"
flock 9
mapfile -t missing < <(missing_of "${wanted[@]}" | drop_provided)
[ ${#missing[@]} -gt 0 ] || exit 0
say "installing ${missing[*]}"
install_missing

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# settings.sh - what the environment asks of run.sh, and whether it can be had.
# Everything that can be refused is refused here, before anything is started.

say() { printf 'rollcall: %s\n' "$*" >&2; }

die() {
	say "$*"
	exit 1
}

# settings_load ROOT - sets the variables that the other files read.
settings_load() {
	root=$1
	run_dir=${ROLLCALL_RUN_DIR:-$root/run}
	bind=${ROLLCALL_BIND:-127.0.0.1}
	http_port=${ROLLCALL_HTTP_PORT:-8080}
	ws_port=${ROLLCALL_WS_PORT:-9001}
	mqtt_port=${ROLLCALL_MQTT_PORT:-11883}
	mosquitto=$(program ROLLCALL_MOSQUITTO mosquitto)
	mariadbd=$(program ROLLCALL_MARIADBD mariadbd)
	plugin=$root/build/release/mosquitto_rollcall.so
	bridge=$root/build/release/rollcall-bridge
	admin_password=${ROLLCALL_ADMIN_PASSWORD:-}

	local file
	for file in "$plugin" "$bridge"; do
		[ -e "$file" ] || die "$file is missing; 'make' builds it"
	done
	# They are this script's, not the bridge's, which reads the same prefix.
	unset ROLLCALL_RUN_DIR ROLLCALL_BIND ROLLCALL_WS_PORT ROLLCALL_MQTT_PORT \
		ROLLCALL_MOSQUITTO ROLLCALL_MARIADBD ROLLCALL_ADMIN_PASSWORD
}

# program VARIABLE NAME - a user's PATH often lacks the sbin directories.
program() {
	local name=${!1:-$2} found

	found=$(PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin command -v "$name") ||
		die "$name is not installed (deploy/deps.sh run installs it; $1 names another one)"
	printf '%s\n' "$found"
}

run_dir_open() {
	umask 077
	mkdir -p "$run_dir" || die "ROLLCALL_RUN_DIR: cannot make $run_dir"
	run_dir=$(cd "$run_dir" && pwd -P)
	mkdir -p "$run_dir"/{secrets,log,broker,plugin}
	[ -O "$run_dir/secrets" ] || die "$run_dir belongs to another user; ROLLCALL_RUN_DIR names another directory"
	run_dir_lock
	rm -f "$run_dir/ready.env"
	db_socket=$(socket_path)
}

# The parts inherit the lock: it is free only when the last of them has ended,
# also where this script was killed and could not wait for them.
run_dir_lock() {
	local owner=

	exec 9>>"$run_dir/lock"
	if ! flock -n 9; then
		owner=$(<"$run_dir/lock")
		! grep -qs run.sh "/proc/${owner:-none}/cmdline" ||
			die "already running on $run_dir (process $owner); ROLLCALL_RUN_DIR names another directory"
		say "waiting for the end of an earlier run on $run_dir"
		flock -w 60 9 || die "programs of an earlier run on $run_dir do not end"
	fi
	echo $$ >"$run_dir/lock"
}

# A socket's path has at most 107 bytes; a run directory may be deeper than that.
socket_path() {
	local path=$run_dir/mariadb.sock short

	if [ ${#path} -gt 100 ]; then
		short=/tmp/rollcall-$(id -u)-$(cksum <<<"$run_dir" | tr ' ' -)
		mkdir -p "$short"
		[ -O "$short" ] || die "$short belongs to another user"
		path=$short/mariadb.sock
	fi
	printf '%s\n' "$path"
}

ports_check() {
	# Mosquitto 2.0 leaves a WebSocket listener out, in silence, when it is given a name.
	[[ $bind =~ ^([0-9.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$ ]] ||
		die "ROLLCALL_BIND: '$bind' is not an IP address"
	port_check ROLLCALL_HTTP_PORT "$http_port" "$bind"
	port_check ROLLCALL_WS_PORT "$ws_port" "$bind"
	port_check ROLLCALL_MQTT_PORT "$mqtt_port" 127.0.0.1
	[ "$http_port" != "$ws_port" ] || die "ROLLCALL_HTTP_PORT and ROLLCALL_WS_PORT are both $ws_port"
	[ "$http_port" != "$mqtt_port" ] || die "ROLLCALL_HTTP_PORT and ROLLCALL_MQTT_PORT are both $mqtt_port"
	[ "$ws_port" != "$mqtt_port" ] || die "ROLLCALL_WS_PORT and ROLLCALL_MQTT_PORT are both $mqtt_port"
}

port_check() {
	local name=$1 port=$2 address=$3

	[[ $port =~ ^[1-9][0-9]{0,4}$ && $port -le 65535 ]] ||
		die "$name: '$port' is not a port number"
	! port_taken "$port" "$address" ||
		die "port $port on $address is taken by another program; set $name to a free one"
}

# Reads the kernel's table of listening sockets (state 0A), since a connection
# attempt would disturb the other program and can hang on one that is stuck.
port_taken() {
	local port address

	port=$(printf '%04X' "$1")
	address=$(hex_address "$2")
	# Without IPv6 there is no tcp6.
	{ cat /proc/net/tcp /proc/net/tcp6 2>/dev/null || true; } | awk -v port="$port" -v ours="$address" '
		$4 == "0A" && split($2, local, ":") == 2 && local[2] == port {
			theirs = local[1]
			sub(/^0000000000000000FFFF0000/, "", theirs)
			if (ours == "" || ours ~ /^0+$/ || theirs ~ /^0+$/ || theirs == ours)
				taken = 1
		}
		END { exit !taken }'
}

# An IPv4 address as /proc/net/tcp writes it; nothing for any other name, which
# then counts as equal to every address.
hex_address() {
	local a b c d

	[[ $1 =~ ^[0-9]{1,3}(\.[0-9]{1,3}){3}$ ]] || return 0
	IFS=. read -r a b c d <<<"$1"
	printf '%02X%02X%02X%02X\n' "$d" "$c" "$b" "$a"
}

# The host part of an address that a program on this machine can connect to.
reachable_host() {
	case $1 in
	0.0.0.0) echo 127.0.0.1 ;;
	::) echo '[::1]' ;;
	*:*) echo "[$1]" ;;
	*) echo "$1" ;;
	esac
}

# As many connections as this user may have: each worker is one open file.
open_files_raise() {
	ulimit -n 1048576 2>/dev/null || ulimit -n "$(ulimit -Hn)" 2>/dev/null || true
}

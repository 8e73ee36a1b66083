# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# secrets.sh - passwords made on first start, and the broker's configuration that
# is made with them. Sourced by run.sh and by the containers' entry points.
#
# A secret is a file with one line. It is written once and never replaced, so that
# a second start finds the data of the first one readable.

readonly BRIDGE_USER=rollcall-bridge

# random_password [BYTES]
random_password() {
	head -c "${1:-36}" /dev/urandom | base64 -w0 | tr '+/' '-_'
	echo
}

# secret_make FILE [VALUE] - VALUE or a random one, unless the file exists. The
# rename keeps a half-written secret from being taken for a whole one.
secret_make() {
	local file=$1 value=${2:-}

	[ -e "$file" ] && return
	[ -n "$value" ] || value=$(random_password)
	(umask 077 && printf '%s\n' "$value" >"$file.new")
	mv "$file.new" "$file"
}

# broker_accounts PASSWORD_FILE SECRET_FILE - Mosquitto's password file. It is
# hashed in place, since an argument would show in the list of processes.
broker_accounts() {
	(umask 077 && printf '%s:%s\n' "$BRIDGE_USER" "$(<"$2")" >"$1.new")
	mosquitto_passwd -U "$1.new"
	mv "$1.new" "$1"
}

# broker_config TEMPLATE NAME=VALUE... - the template with each @NAME@ replaced.
broker_config() {
	local text pair

	text=$(<"$1")
	shift
	for pair in "$@"; do
		[[ $pair != WS_BIND=*:* ]] || text=${text/socket_domain ipv4/socket_domain ipv6}
		text=${text//"@${pair%%=*}@"/"${pair#*=}"}
	done
	printf '%s\n' "$text"
}

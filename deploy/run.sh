#!/bin/bash
# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# run.sh - Rollcall on this machine, in the foreground: a private MariaDB, Mosquitto
# with the plugin, and the bridge. `make run` builds them and comes here.
#
# All state is in ROLLCALL_RUN_DIR (default: run/). The parts run as whoever starts
# this script and can be reached from this machine alone unless ROLLCALL_BIND says
# otherwise. Ctrl-C or SIGTERM stops all of it. docs/ lists the variables.
set -euo pipefail

readonly BASH_NEEDED=501
[ $((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1])) -ge $BASH_NEEDED ] || {
	echo "run.sh: needs bash 5.1 or later" >&2
	exit 1
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib/settings.sh
. "$here/lib/settings.sh"
# shellcheck source=lib/secrets.sh
. "$here/lib/secrets.sh"
# shellcheck source=lib/parts.sh
. "$here/lib/parts.sh"
# shellcheck source=lib/supervise.sh
. "$here/lib/supervise.sh"

# The administrator whose password is still the first one.
readonly INITIAL_PASSWORD="$DB_NAME.users WHERE name = 'admin' AND password_initial = 1"

ready_print() {
	initial_password_read
	printf '%s\n' "" "Rollcall is ready." "" \
		"  REST                 $url" \
		"  MQTT over WebSocket  $ws_url/ws/{worker_id}" \
		"  MQTT                 mqtt://127.0.0.1:$mqtt_port" \
		"  administrator        admin, ${first_password:+password }${first_password:-password as you set it}" \
		"  state and logs       $run_dir" "" \
		"Register a worker and start the Python sample as that worker:" "" \
		"  env \$($root/examples/register.sh $run_dir/ready.env) /usr/bin/python3 $root/examples/python/worker.py" "" \
		"The same step by step with curl: $root/examples/tour.sh $run_dir/ready.env" \
		"Ctrl-C stops everything; the data stays." ""
}

main() {
	settings_load "$(dirname "$here")"
	run_dir_open
	ports_check
	open_files_raise
	url=http://$(reachable_host "$bind"):$http_port
	ws_url=ws://$(reachable_host "$bind"):$ws_port

	user=$(id -un)
	# A child that is just being forked has these traps, too; it must not stop the parts.
	trap '[ $BASHPID != $$ ] || stop_all' EXIT
	trap 'exit 0' INT TERM HUP
	secrets_prepare
	broker_prepare
	part_start broker
	database_prepare
	part_start database
	bridge_prepare
	part_start bridge
	probe_start
	supervise
}

main "$@"

#!/bin/bash
# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# tour.sh [READY_ENV] - five minutes of Rollcall with curl: register a worker, watch it
# connect, start and stop it, kill it, watch it disconnect. `make run` must be running.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=lib.sh
. "$here/lib.sh"

step() { printf '\n\033[1m%s\033[0m\n' "$*"; }

# show METHOD PATH [BODY] - the call as one would type it, and its answer.
show() {
	printf '$ curl -X %s $ROLLCALL_URL%s -H "Authorization: Bearer $session"%s\n' \
		"$1" "$2" "${3:+ -H 'Content-Type: application/json' -d '$3'}"
	answer=$(call "$@")
	printf '%s\n' "$answer"
}

# until_status TEXT - asks for the worker's status until the answer holds TEXT.
until_status() {
	local tries

	for tries in {1..100}; do
		answer=$(call GET "/workers/status?id=$id")
		[[ $answer != *"$1"* ]] || break
		sleep 0.05
	done
	printf '$ curl "$ROLLCALL_URL/workers/status?id=%s"   # asked %d times\n%s\n' "$id" "$tries" "$answer"
	[[ $answer == *"$1"* ]]
}

worker_start() {
	ROLLCALL_WS_URL=$(field websocket_url <<<"$registered") ROLLCALL_WORKER_ID=$id \
		ROLLCALL_WORKER_TOKEN=$(field token <<<"$registered") \
		/usr/bin/python3 "$here/python/worker.py" &
	worker=$!
	trap 'kill "$worker" 2>/dev/null || true' EXIT
}

ready_load "${1:-$here/../run/ready.env}"

step "1. Log in"
printf '$ curl -X POST $ROLLCALL_URL/auth/login -d {"username":"%s","password":"..."}\n' "$ROLLCALL_ADMIN_USER"
login
show GET /auth/me

step "2. Register a worker: its token is shown this once"
show POST /workers '{"name":"tour","tags":["tour"]}'
registered=$answer
id=$(field worker_id <<<"$registered")

step "3. Start the Python worker; it is connected"
worker_start
until_status '"connected":true'

step "4. Start its engine, and wait for its word"
show POST "/workers/$id/start?wait=5"
until_status '"engine_status":"running"'

step "5. Stop its engine"
show POST "/workers/$id/stop?wait=5"

step "6. Kill the worker; it is not connected any more"
kill -KILL "$worker"
wait "$worker" 2>/dev/null || true
until_status '"connected":false'

step "7. A worker that is away cannot be started"
show POST "/workers/$id/start"

step "8. Remove it"
show DELETE "/workers/$id"

#!/bin/bash
# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# register.sh [READY_ENV [NAME]] - registers a worker and prints what it needs to
# connect, as NAME=value lines that the sample workers take from the environment:
#
#   env $(examples/register.sh) python3 examples/python/worker.py
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=lib.sh
. "$here/lib.sh"

ready_load "${1:-$here/../run/ready.env}"
login
worker=$(call POST /workers "{\"name\":$(json_string "${2:-sample}")}")
id=$(field worker_id <<<"$worker")
[ -n "$id" ] || {
	echo "not registered: $worker" >&2
	exit 1
}
echo "ROLLCALL_WORKER_ID=$id"
echo "ROLLCALL_WORKER_TOKEN=$(field token <<<"$worker")"
echo "ROLLCALL_WS_URL=$(field websocket_url <<<"$worker")"

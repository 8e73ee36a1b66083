#!/bin/bash
# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# bridge-health.sh - 0 when the bridge has its broker and its database.
set -euo pipefail

exec 3<>"/dev/tcp/127.0.0.1/${ROLLCALL_HTTP_PORT:-8080}"
printf 'GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
IFS= read -r -t 3 -u 3 status
[[ $status == "HTTP/1.1 200 "* ]]

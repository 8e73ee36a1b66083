#!/bin/bash
# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# broker-health.sh - 0 when the broker answers a CONNECT. One without a name is refused,
# which takes a turn of its loop and the plugin, and no password.
set -euo pipefail

exec 3<>/dev/tcp/127.0.0.1/1883
printf '\x10\x13\x00\x04MQTT\x04\x02\x00\x05\x00\x07healthy' >&3
IFS= read -r -N 1 -t 3 -u 3 answer
[ "$answer" = $'\x20' ]	# CONNACK

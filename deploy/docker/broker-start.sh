#!/bin/bash
# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# broker-start.sh - Mosquitto with the plugin. What is made here from the secrets lives in
# memory; what must last is in /var/lib/rollcall.
set -euo pipefail
umask 077
readonly SHARE=${BASH_SOURCE[0]%/*} DATA=/var/lib/rollcall CONFIG=/tmp/rollcall
# shellcheck source=../lib/secrets.sh
. "$SHARE/secrets.sh"

mkdir -p "$DATA/plugin" "$DATA/mosquitto" "$CONFIG"
broker_accounts "$CONFIG/passwd" /secrets/broker_password
cp "$SHARE/rollcall.acl" "$CONFIG/acl"
broker_config "$SHARE/rollcall.conf" USER=rollcall PASSWORD_FILE="$CONFIG/passwd" \
	ACL_FILE="$CONFIG/acl" PLUGIN=/usr/lib/rollcall/mosquitto_rollcall.so \
	STORAGE_PATH="$DATA/plugin" NODE_ID="${ROLLCALL_NODE_ID:-broker-1}" MQTT_PORT=1883 \
	MQTT_BIND=0.0.0.0 WS_PORT=9001 WS_BIND=0.0.0.0 PERSISTENCE_PATH="$DATA/mosquitto" \
	>"$CONFIG/mosquitto.conf"
ulimit -n "$(ulimit -Hn)"	# each worker is an open file
exec /usr/sbin/mosquitto -c "$CONFIG/mosquitto.conf"

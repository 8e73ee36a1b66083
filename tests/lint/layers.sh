#!/bin/bash
# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# Holds the arrows of docs/architecture.md: reads the #includes of protocol/, plugin/
# and bridge/ and fails on one that points upwards or sideways, and on a foreign
# library outside the module that keeps it in.
set -euo pipefail
cd "$(dirname "$0")/../.."

wrong=0
complain() {
	echo "layers: $*" >&2
	wrong=1
}

# includes_of FOLDER - lines "FILE HEADER", HEADER without its quotes, for all C files below it.
includes_of() {
	find "$1" -name '*.[ch]' -exec \
		awk '/^[ \t]*#[ \t]*include[ \t]/ { gsub(/["<>]/, "", $2); print FILENAME, $2 }' {} +
}

# forbid FOLDER PATTERN WHY - no file of the folder may include what matches.
forbid() {
	local folder=$1 pattern=$2 why=$3 file header

	while read -r file header; do
		[[ ! $header =~ $pattern ]] || complain "$file includes $header: $why"
	done < <(includes_of "$folder")
}

# only FOLDER PATTERN MODULE... - what matches may be included by those files alone.
only() {
	local folder=$1 pattern=$2 file header name
	shift 2

	while read -r file header; do
		[[ $header =~ $pattern ]] || continue
		name=${file##*/}
		[[ " $* " == *" $name "* || " $* " == *" ${name%.*} "* ]] ||
			complain "$file includes $header, which is for ${*} alone"
	done < <(includes_of "$folder")
}

# layers FOLDER SHARED PATTERN... - from top to bottom; a file may include headers of its
# own layer and of those below it, and the shared ones: mere types, which all may know.
layers() {
	local folder=$1 shared=$2 file header from to
	shift 2

	while read -r file header; do
		[[ $header == "$folder"/* && ! $header =~ ^$folder/(.*/)?($shared)\.h$ ]] || continue
		from=$(layer_of "${file##*/}" "$@")
		to=$(layer_of "${header##*/}" "$@")
		if [ "$from" = 0 ]; then
			complain "$file belongs to no layer: name it in $0"
		elif [ "$to" != 0 ] && [ "$to" -lt "$from" ]; then
			complain "$file includes $header: the arrow points the other way"
		fi
	done < <(includes_of "$folder")
}

# layer_of FILE PATTERN... - the number of the first pattern that fits; 0 for none.
layer_of() {
	local name=${1%.[ch]} n=0 pattern
	shift

	for pattern in "$@"; do
		n=$((n + 1))
		if [[ $name =~ ^($pattern)$ ]]; then
			echo $n
			return
		fi
	done
	echo 0
}

# Between the folders.
forbid protocol '^(plugin|bridge)/' 'protocol/ is below both'
forbid plugin '^bridge/' 'the plugin knows nothing of the bridge'
forbid bridge '^plugin/' 'the bridge knows nothing of the plugin'
forbid protocol '^(sys/socket|sys/epoll|pthread|threads|sys/select|poll)\.h$' \
	'protocol/ does no I/O and has no threads'

# Foreign libraries stay in their modules.
only plugin '^(mosquitto|mqtt_protocol|plugin/broker_api)' broker_api plugin events publish
only plugin '^lmdb\.h$' store_lmdb
only bridge '^microhttpd\.h$' http http_daemon http_server.h http_request.h http_stream http_answer.c http_answer.h request respond
only bridge '^(mysql|mariadb)' db stmt stmt_bulk stmt_state migrate db_connection db_pool
only bridge '^mosquitto' broker
only bridge '^jwt\.h$' jwt
only bridge '^zlib\.h$' gzip
only bridge '^gnutls' tls_server
only bridge '^openssl' tls_client
only bridge '^event2?/' loop http_daemon broker

# Inside the plugin: the broker's structs stop in the first layer, storage is at the bottom.
layers plugin 'plugin|broker_api' \
	'plugin|events|lifecycle|tick' \
	'control[a-z_]*|dirsync' \
	'admit|access|report|audit' \
	'conn|connset[a-z_]*|session|session_token|hibernate|directory|proof' \
	'object|publish|gather' \
	'store[a-z_]*|journal|pending|mark' \
	'options|codec|disk|wake|own_files|expiry|slab|region|numtab|swap|histogram|stats|limits'

# Inside the bridge: a request goes down these lines, and its answer comes back by return.
layers bridge 'app|http|http_stream|router|routes' \
	'main|user_command' \
	'app|reload' \
	'http[a-z_]*|request|respond|listener' \
	'router|routes' \
	'rest_[a-z]*|health|exposition' \
	'inbox|scheduler|jobs|job_[a-z]*' \
	'event|event_listener' \
	'auth|signin|user|key|key_use|identity|worker[a-z_]*|command|command_results|command_watch|command_expiry|command_kept|command_writer|command_body|command_send|command_dispatch|command_news|command_batch|metric|metric_writer|metric_ack|metric_link|metric_socket|metric_keys|metric_follow|audit|refusals|presence_log|engine_state|engine_desired|engine_reconcile|mirror|mirror_list|catchup|follow|directory|directory_sync|directory_tombstones|renewal[a-z_]*|token_change|mirror_table|plugin_stats|command_figures' \
	'control' \
	'broker' \
	'store_[a-z_]*|command_outgoing|token_life|roster|roster_sync|migrate|directory_entry' \
	'stmt[a-z_]*' \
	'db|db_[a-z]*' \
	'loop|backstage|resolve|epoch|config|openapi|jwt|jwt_cache|url|tally|logging|cursor|login_limit|pwhash|gzip|packer|address|audit_limit|scope|metric_report|metric_scan|metric_queue|metric_news|metric_days|mqtt_packet|command_result|batch_pace|schema|dashboard_assets|lag|latency|prom|traffic|process|event_log|heartbeat|tls_[a-z]*'

[ $wrong = 0 ] && echo "layers: all arrows point down"
exit $wrong

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

# includes_of FILE... - lines "FILE HEADER", HEADER without its quotes.
includes_of() {
	awk '/^[ \t]*#[ \t]*include[ \t]/ { gsub(/["<>]/, "", $2); print FILENAME, $2 }' "$@"
}

# forbid FOLDER PATTERN WHY - no file of the folder may include what matches.
forbid() {
	local folder=$1 pattern=$2 why=$3 file header

	compgen -G "$folder/*.[ch]" >/dev/null || return 0
	while read -r file header; do
		[[ ! $header =~ $pattern ]] || complain "$file includes $header: $why"
	done < <(includes_of "$folder"/*.[ch])
}

# only FOLDER PATTERN MODULE... - what matches may be included by those files alone.
only() {
	local folder=$1 pattern=$2 file header name
	shift 2

	compgen -G "$folder/*.[ch]" >/dev/null || return 0
	while read -r file header; do
		[[ $header =~ $pattern ]] || continue
		name=${file##*/}
		[[ " $* " == *" $name "* || " $* " == *" ${name%.*} "* ]] ||
			complain "$file includes $header, which is for ${*} alone"
	done < <(includes_of "$folder"/*.[ch])
}

# below FOLDER UPPER-PATTERN LOWER-PATTERN - files that match LOWER know nothing of UPPER.
below() {
	local folder=$1 upper=$2 lower=$3 file header

	compgen -G "$folder/*.[ch]" >/dev/null || return 0
	while read -r file header; do
		[[ ${file##*/} =~ ^($lower)\.[ch]$ && $header =~ ^$folder/($upper)\.h$ ]] || continue
		complain "$file includes $header: the arrow points the other way"
	done < <(includes_of "$folder"/*.[ch])
}

# Between the folders.
forbid protocol '^(plugin|bridge)/' 'protocol/ is below both'
forbid plugin '^bridge/' 'the plugin knows nothing of the bridge'
forbid bridge '^plugin/' 'the bridge knows nothing of the plugin'
forbid protocol '^(sys/socket|sys/epoll|pthread|threads|sys/select|poll)\.h$' \
	'protocol/ does no I/O and has no threads'

# Foreign libraries stay in their modules. log_sink is where lines reach the broker's log.
only plugin '^mosquitto' plugin events publish tick log_sink
only plugin '^lmdb\.h$' store_lmdb
only bridge '^microhttpd\.h$' http http_server.h http_request.h request respond
only bridge '^(mysql|mariadb)' db stmt migrate db_connection db_pool
only bridge '^mosquitto' broker
only bridge '^jwt\.h$' jwt
only bridge '^event2?/' loop http broker

# Inside the plugin: plugin → events → domain → publish, store.
forbid plugin '^plugin/(plugin|events)\.h$' 'only the broker calls these'
below plugin 'events|control[a-z_]*|tick|admit|access' \
	'conn|object|objects|directory|publish|store[a-z_]*|journal|codec|options|wake'
below plugin 'conn|object|objects|directory|publish' 'store[a-z_]*|journal|codec|options|wake'

# Inside the bridge: a request goes down this line, nothing calls upwards.
below bridge 'routes|rest_[a-z]*' \
	'worker|command|metric[a-z_]*|user|auth|mirror|directory[a-z_]*|control|broker|inbox|roster|store_[a-z]*|stmt|db[a-z_]*|migrate|loop|config|jwt|url'
# The records of roster.h are also what the stores fill.
below bridge 'worker|command|metric|user|inbox|mirror|directory|control|broker' \
	'store_[a-z]*|stmt|db[a-z_]*|migrate|loop|config|jwt|url'
below bridge 'store_[a-z]*' 'stmt|db[a-z_]*|loop|config|jwt|url'
below bridge 'mirror|directory|inbox' 'control|broker'
below bridge 'control' 'broker'
# No handler touches SQL.
below bridge 'stmt|db_connection' 'rest_[a-z]*|routes|router|http[a-z_]*'

[ $wrong = 0 ] && echo "layers: all arrows point down"
exit $wrong

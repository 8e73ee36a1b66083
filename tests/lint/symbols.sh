#!/bin/bash
# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# symbols.sh PLUGIN.so - checks what the plugin shows to the broker and asks of it.
#
# It shows its three entry points and nothing else: Mosquitto 2.0 loads plugins into
# the global scope, where another name could meet one of the broker's. And it asks for
# nothing that one of Mosquitto 2.0.11, 2.0.21 and 2.1.2 lacks, since the plugin would
# then not load at all (docs/adr/0001-broker-versions.md).
set -euo pipefail

[ $# = 1 ] || {
	echo "usage: symbols.sh PLUGIN.so" >&2
	exit 2
}
readonly so=$1
wrong=0

readonly entry_points='mosquitto_plugin_cleanup
mosquitto_plugin_init
mosquitto_plugin_version'

# Exported by the broker itself in all three versions.
readonly from_broker='mosquitto_broker_publish
mosquitto_calloc
mosquitto_callback_register
mosquitto_callback_unregister
mosquitto_client_address
mosquitto_client_clean_session
mosquitto_client_id
mosquitto_client_keepalive
mosquitto_client_protocol
mosquitto_client_protocol_version
mosquitto_client_username
mosquitto_free
mosquitto_kick_client_by_clientid
mosquitto_kick_client_by_username
mosquitto_log_printf
mosquitto_malloc
mosquitto_property_add_binary
mosquitto_property_add_int32
mosquitto_property_add_string
mosquitto_property_free_all
mosquitto_realloc
mosquitto_strdup
mosquitto_topic_matches_sub
mosquitto_validate_utf8'

# Not in 2.0.21's broker: they come from libmosquitto, which the plugin is linked with.
readonly from_library='mosquitto_property_read_binary
mosquitto_property_read_string'

# mosquitto_broker_publish_copy is not listed on purpose: on 2.0 it breaks the broker's
# accounting of its heap.

shown=$(nm -D --defined-only --format=posix "$so" | awk '{ print $1 }' | sort)
if [ "$shown" != "$entry_points" ]; then
	echo "symbols: $so must export its three entry points alone; the difference:" >&2
	diff <(echo "$entry_points") <(echo "$shown") >&2 || true
	wrong=1
fi

# Weak references (type w) are resolved to nothing where the broker lacks them.
asked=$(nm -D --undefined-only --format=posix "$so" | awk '$2 != "w" { print $1 }' |
	sed 's/@.*//' | grep '^mosquitto_' | sort -u || true)
unknown=$(comm -23 <(echo "$asked") <(printf '%s\n' "$from_broker" "$from_library" | sort -u))
if [ -n "$unknown" ]; then
	echo "symbols: $so asks for what not every broker version has:" >&2
	printf '  %s\n' "$unknown" >&2
	wrong=1
fi

library_needed=$(comm -12 <(echo "$asked") <(echo "$from_library" | sort))
if [ -n "$library_needed" ] && ! readelf -d "$so" | grep -q 'NEEDED.*libmosquitto\.so'; then
	echo "symbols: $so must be linked with libmosquitto for: $library_needed" >&2
	wrong=1
fi

[ $wrong = 0 ] && echo "symbols: three entry points, nothing asked that a broker may lack"
exit $wrong

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* options.h - the plugin's `plugin_opt_*` lines, read once at start, constant afterwards. */
#pragma once

#include "protocol/err.h"
#include "protocol/presence.h"
#include "protocol/topics.h"

#include <stdbool.h>
#include <stdint.h>

#define OPTION_TEXT_MAX 512

enum transports { TRANSPORTS_ANY, TRANSPORTS_WEBSOCKETS };

struct options {
	char storage_path[OPTION_TEXT_MAX];
	char node_id[NODE_ID_MAX + 1];       /* "" : the stored one, else the host's name */
	char control_users[OPTION_TEXT_MAX]; /* user names between commas */
	char topic_root[TOPIC_ROOT_MAX + 1];
	char transports_text[16];
	enum transports transports;
	int64_t hibernate_after; /* seconds; 0: never */
	int64_t reconnect_grace_ms;
	int64_t max_worker_keepalive; /* seconds */
	int64_t max_sessions_per_worker;
	int64_t auth_failures_per_minute; /* an address; 0, here and below: no limit */
	int64_t connects_per_minute;      /* a worker */
	int64_t publishes_per_second;     /* a worker */
	int64_t flush_interval_ms;        /* storage commits at most this often */
	int64_t storage_size_mib;         /* ceiling of the LMDB map */
	bool retain_presence;
	bool app_retain;
};

/* Fills out from name and value pairs, defaults included. Unknown names and bad values are
 * ERR_INVALID_REQUEST, with a message that says which option and what it may be. */
enum err_code options_parse(struct options *out, const char *const names[],
			    const char *const values[], int count, struct err *e) MUST_CHECK;

/* True if `user` is one of control_users. */
bool options_is_control_user(const struct options *opt, const char *user);

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* plugin.h - the root object: all that the plugin is, in the order in which it starts. */
#pragma once

#include "plugin/access.h"
#include "plugin/audit.h"
#include "plugin/conn.h"
#include "plugin/control.h"
#include "plugin/directory.h"
#include "plugin/gather.h"
#include "plugin/limits.h"
#include "plugin/options.h"
#include "plugin/publish.h"
#include "plugin/store.h"

struct plugin {
	struct options options;
	struct access_rules rules;
	char node[NODE_ID_MAX + 1];
	struct store *store;
	struct publish publish;
	struct directory directory;
	struct connset conns;
	struct control control;
	struct audit audit;
	struct gather gather;
	struct limits limits; /* on failed logins */
	bool reloading;       /* from RELOAD (SIGHUP) to the turn's end: logins may be old
				 acquaintances */
	int logins;           /* that were admitted in this turn */
	int64_t last_login_us;
	bool started; /* all of plugin_start() succeeded */
	bool said_no_tick;
	int64_t started_us;
};

/* Opens storage, takes a new boot number (durable before the first event), closes what an
 * earlier life left open. Blocks; called from mosquitto_plugin_init() only. */
enum err_code plugin_start(struct plugin *p, void (*kick)(const char *client_id),
			   bool has_connect_event, struct err *e) MUST_CHECK;

/* Notes that the broker was stopped in order, and makes everything durable. */
void plugin_stop(struct plugin *p);

/* The end of a turn of the broker's loop. */
void plugin_tick(struct plugin *p);

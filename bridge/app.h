// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* app.h - the root object: every part of the bridge, in the order in which they start. */
#pragma once

#include "bridge/base/config.h"
#include "protocol/err.h"

struct app {
	struct config config;
	const char *config_file; /* NULL: $ROLLCALL_CONFIG, or none */
	struct loop *loop;
	struct db_pool *db;
	struct pwhash *pwhash;               /* the thread for passwords */
	struct jwt_cache *jwts;              /* sessions that were checked a moment ago */
	struct packer *packer;               /* the thread that compresses answers */
	struct identity *identity;           /* users, keys, ended sessions, in memory */
	struct roster *roster;               /* worker records */
	struct broker *broker;               /* connection to Mosquitto */
	struct control *control;             /* control commands and their answers */
	struct catchup *catchup;             /* was this process held up? */
	struct engine_states *engine_states; /* reported statuses on their way to the roster */
	struct mirror *mirror;               /* who is connected */
	struct renewals *renewals;           /* new tokens, on their way to workers */
	struct directory *directory;         /* what the plugin must know, kept in step */
	struct metrics *metrics;             /* reports: queue, writer, acknowledgements */
	struct commands *commands;           /* commands under way, and who waits for them */
	struct audit *audit;                 /* rows of the audit trail, on their way */
	struct presence_log *presence_log;   /* connections, into it */
	struct refusals *refusals;           /* refused logins, into it */
	struct plugin_stats *plugin_stats;   /* what the plugin counts */
	struct traffic *traffic;             /* what HTTP requests came */
	struct events *events;               /* what changes, for those who listen */
	struct inbox *inbox;                 /* MQTT messages to the parts above */
	struct scheduler *scheduler;         /* what is done without being asked */
	char *openapi;                       /* what GET /openapi.json says */
	struct http *http_operators;         /* NULL: they are served with the rest */
	struct http *http;                   /* last: serve only when whole */
	struct err fatal;                    /* why it stops by itself; ERR_OK: it does not */
};

/* Starts every part; what did start is stopped again where one fails. */
enum err_code app_start(struct app *app, struct err *e) MUST_CHECK;
void app_stop(struct app *app);

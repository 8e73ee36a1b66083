// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/app.h"

#include "bridge/audit/audit.h"
#include "bridge/audit/presence_log.h"
#include "bridge/audit/refusals.h"
#include "bridge/base/loop.h"
#include "bridge/commands/command.h"
#include "bridge/commands/engine_state.h"
#include "bridge/db/db.h"
#include "bridge/db/migrate.h"
#include "bridge/events/event.h"
#include "bridge/http/http_server.h"
#include "bridge/http/openapi.h"
#include "bridge/http/packer.h"
#include "bridge/http/routes.h"
#include "bridge/http/tls_server.h"
#include "bridge/http/traffic.h"
#include "bridge/identity/identity.h"
#include "bridge/identity/jwt_cache.h"
#include "bridge/identity/pwhash.h"
#include "bridge/identity/user.h"
#include "bridge/jobs/scheduler.h"
#include "bridge/metrics/metric.h"
#include "bridge/mqtt/broker.h"
#include "bridge/mqtt/control.h"
#include "bridge/mqtt/inbox.h"
#include "bridge/presence/catchup.h"
#include "bridge/presence/mirror.h"
#include "bridge/presence/plugin_stats.h"
#include "bridge/reload.h"
#include "bridge/workers/directory.h"
#include "bridge/workers/renewal.h"
#include "bridge/workers/roster.h"

#include <stdlib.h>

struct part {
	const char *name;
	bool (*start)(struct app *app, struct err *e);
	void (*stop)(struct app *app);
};

/* A part that is one object of struct app. */
#define PART(field, make, release)                                                             \
	static bool start_##field(struct app *app, struct err *e)                              \
	{                                                                                      \
		app->field = make(app, e);                                                     \
		return app->field != NULL;                                                     \
	}                                                                                      \
	static void stop_##field(struct app *app)                                              \
	{                                                                                      \
		release(app->field);                                                           \
		app->field = NULL;                                                             \
	}

PART(packer, packer_new, packer_free)
PART(pwhash, pwhash_new, pwhash_free)
PART(identity, identity_new, identity_free)
PART(roster, roster_new, roster_free)
PART(broker, broker_new, broker_free)
PART(control, control_new, control_free)
PART(catchup, catchup_new, catchup_free)
PART(engine_states, engine_states_new, engine_states_free)
PART(mirror, mirror_new, mirror_free)
PART(renewals, renewals_new, renewals_free)
PART(directory, directory_new, directory_free)
PART(metrics, metrics_new, metrics_free)
PART(commands, commands_new, commands_free)
PART(audit, audit_new, audit_free)
PART(presence_log, presence_log_new, presence_log_free)
PART(refusals, refusals_new, refusals_free)
PART(plugin_stats, plugin_stats_new, plugin_stats_free)
PART(traffic, traffic_new, traffic_free)
PART(events, events_new, events_free)
PART(inbox, inbox_new, inbox_free)
PART(scheduler, scheduler_new, scheduler_free)
PART(http, http_new, http_free)

static bool start_certificate(struct app *app, struct err *e)
{
	return *app->config.tls_cert == '\0' ||
	       tls_server_load(app->config.tls_cert, app->config.tls_key, e) == ERR_OK;
}

static void stop_certificate(struct app *app)
{
	(void)app;
	tls_server_unload();
}

static bool start_http_operators(struct app *app, struct err *e)
{
	if (app->config.metrics_port == 0)
		return true;
	app->http_operators = http_new_for_operators(app, e);
	return app->http_operators != NULL;
}

static void stop_http_operators(struct app *app)
{
	http_free(app->http_operators);
	app->http_operators = NULL;
}

static bool start_jwts(struct app *app, struct err *e)
{
	app->jwts = jwt_cache_new(app->config.jwt_secret);
	if (app->jwts == NULL)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	return app->jwts != NULL;
}

static void stop_jwts(struct app *app)
{
	jwt_cache_free(app->jwts);
	app->jwts = NULL;
}

static bool start_openapi(struct app *app, struct err *e)
{
	app->openapi = openapi_make(routes, routes_len, ROLLCALL_VERSION, e);
	return app->openapi != NULL;
}

static void stop_openapi(struct app *app)
{
	free(app->openapi);
	app->openapi = NULL;
}

static bool start_loop(struct app *app, struct err *e)
{
	app->loop = loop_new(e);
	if (app->loop != NULL)
		loop_on_hangup(app->loop, reload, app);
	return app->loop != NULL;
}

static void stop_loop(struct app *app)
{
	loop_free(app->loop);
	app->loop = NULL;
}

static enum err_code prepare_database(struct db *db, void *arg, struct err *e)
{
	const struct app *app = arg;

	if (migrate(&app->config, e) != ERR_OK)
		return e->code;
	return user_make_first(db, app->config.admin_password, e);
}

static void database_prepared(void *arg, struct err *e)
{
	struct app *app = arg;

	if (e->code != ERR_OK || scheduler_start(app->scheduler, e) != ERR_OK) {
		app->fatal = *e;
		loop_stop(app->loop);
		return;
	}
	identity_refresh(app->identity);
	roster_refresh(app->roster);
}

static bool start_db(struct app *app, struct err *e)
{
	const struct db_prepare prepare = {prepare_database, database_prepared, app};

	app->db = db_pool_new(&app->config, app->loop, &prepare, e);
	return app->db != NULL;
}

static void stop_db(struct app *app)
{
	db_pool_free(app->db);
	app->db = NULL;
}

static bool start_jobs(struct app *app, struct err *e)
{
	(void)app;
	(void)e;
	return true;
}

static void stop_jobs(struct app *app)
{
	renewals_stop(app->renewals);
	scheduler_stop(app->scheduler);
	metrics_stop(app->metrics);
	broker_stop(app->broker); /* whoever waits for an answer of the plugin is told now */
	commands_close(app->commands);
	pwhash_close(app->pwhash);
	db_pool_close(app->db);
}

/* Started downwards, stopped upwards. */
static const struct part parts[] = {
	{"traffic",        start_traffic,        stop_traffic       }, /* counts the last answer, too */
	{"loop",           start_loop,           stop_loop          },
	{"db",             start_db,             stop_db            },
	{"pwhash",         start_pwhash,         stop_pwhash        },
	{"jwts",           start_jwts,           stop_jwts          },
	{"identity",       start_identity,       stop_identity      },
	{"roster",         start_roster,         stop_roster        },
	{"audit",          start_audit,          stop_audit         },
	{"presence_log",   start_presence_log,   stop_presence_log  },
	{"broker",         start_broker,         stop_broker        },
	{"control",        start_control,        stop_control       },
	{"catchup",        start_catchup,        stop_catchup       },
	{"engine_states",  start_engine_states,  stop_engine_states },
	{"mirror",         start_mirror,         stop_mirror        },
	{"renewals",       start_renewals,       stop_renewals      },
	{"directory",      start_directory,      stop_directory     },
	{"metrics",        start_metrics,        stop_metrics       },
	{"commands",       start_commands,       stop_commands      },
	{"plugin_stats",   start_plugin_stats,   stop_plugin_stats  },
	{"refusals",       start_refusals,       stop_refusals      },
	{"events",         start_events,         stop_events        },
	{"inbox",          start_inbox,          stop_inbox         },
	{"scheduler",      start_scheduler,      stop_scheduler     },
	{"jobs",           start_jobs,
	 stop_jobs						  }, /* ends them while those who asked for them still exist */
	{"openapi",        start_openapi,        stop_openapi       },
	{"packer",         start_packer,         stop_packer        },
	{"certificate",    start_certificate,    stop_certificate   },
	{"http_operators", start_http_operators, stop_http_operators},
	{"http",           start_http,           stop_http          }, /* last: serve only when whole */
};

static void stop_from(struct app *app, size_t n)
{
	while (n-- > 0)
		parts[n].stop(app);
}

enum err_code app_start(struct app *app, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (!parts[i].start(app, e)) {
			stop_from(app, i);
			return e->code;
		}
	return ERR_OK;
}

void app_stop(struct app *app)
{
	stop_from(app, ARRAY_LEN(parts));
}

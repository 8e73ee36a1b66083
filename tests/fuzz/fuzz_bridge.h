// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* fuzz_bridge.h - the parts of the bridge for a fuzz target, without its threads. The linker
 * (--wrap, in the Makefile) cuts off what they would wait for: the database, which is always
 * away, the thread for passwords, and the broker's answers to control commands. What was to
 * come later comes when the target says so; timers never do. */
#pragma once

#include "bridge/app.h"
#include "bridge/audit/audit.h"
#include "bridge/audit/presence_log.h"
#include "bridge/audit/refusals.h"
#include "bridge/base/loop.h"
#include "bridge/commands/command.h"
#include "bridge/commands/engine_state.h"
#include "bridge/db/db.h"
#include "bridge/events/event.h"
#include "bridge/http/openapi.h"
#include "bridge/http/routes.h"
#include "bridge/http/traffic.h"
#include "bridge/identity/identity.h"
#include "bridge/identity/jwt_cache.h"
#include "bridge/identity/pwhash.h"
#include "bridge/mqtt/broker.h"
#include "bridge/mqtt/control.h"
#include "bridge/mqtt/inbox.h"
#include "bridge/presence/mirror.h"
#include "bridge/workers/directory.h"
#include "bridge/workers/renewal.h"
#include "bridge/workers/roster.h"
#include "protocol/clock.h"
#include "protocol/jread.h"
#include "protocol/log.h"
#include "tests/fuzz/fuzz.h"

#define LATER_MAX 256

static struct app app;

/* ---- what comes later -------------------------------------------------------------------- */

static struct later {
	db_done_f done;
	control_done_f told;
	control_part_f part;
	void (*hashed)(void *arg);
	void *arg;
} laters[LATER_MAX];
static size_t laters_len;

static inline void add_later(struct later later)
{
	must(laters_len < LATER_MAX);
	laters[laters_len++] = later;
}

void __wrap_db_submit(struct db_pool *pool, db_work_f work, db_done_f done, void *arg);
void __wrap_db_submit(struct db_pool *pool, db_work_f work, db_done_f done, void *arg)
{
	(void)pool;
	(void)work;
	add_later((struct later){.done = done, .arg = arg});
}

void __wrap_db_check(struct db_pool *pool, db_done_f done, void *arg);
void __wrap_db_check(struct db_pool *pool, db_done_f done, void *arg)
{
	__wrap_db_submit(pool, NULL, done, arg);
}

unsigned __wrap_db_pool_lapses(const struct db_pool *pool);
unsigned __wrap_db_pool_lapses(const struct db_pool *pool)
{
	(void)pool;
	return 0;
}

void __wrap_pwhash_submit(struct pwhash *p, struct pwhash_job *job);
void __wrap_pwhash_submit(struct pwhash *p, struct pwhash_job *job)
{
	(void)p;
	must(strlen(job->password) <= (size_t)4 * 1024);
	job->outcome = job->check ? PWHASH_DIFFERS : PWHASH_OK;
	add_later((struct later){.hashed = job->done, .arg = job->arg});
}

/* A command to the broker is an object of which the request has chosen values, no more. */
void __wrap_control_call(struct control *c, const char *command, const struct buf *fields,
			 int64_t timeout_ms, control_done_f done, void *arg);
void __wrap_control_call(struct control *c, const char *command, const struct buf *fields,
			 int64_t timeout_ms, control_done_f done, void *arg)
{
	struct json_object *doc;
	struct buf text;
	struct err e;

	(void)c;
	must(command[0] != '\0' && timeout_ms > 0 && !fields->failed);
	buf_init(&text, fields->len + 64);
	buf_printf(&text, "{%s}", fields->data != NULL ? fields->data : "");
	doc = jread_parse_envelope(text.data, text.len, &e);
	must(doc != NULL && !json_object_object_get_ex(doc, "command", NULL));
	must(!json_object_object_get_ex(doc, "correlationData", NULL));
	json_object_put(doc);
	buf_fini(&text);
	add_later((struct later){.told = done, .arg = arg});
}

void __wrap_control_call_parts(struct control *c, const char *command, const struct buf *fields,
			       int64_t timeout_ms, control_part_f part, void *arg);
void __wrap_control_call_parts(struct control *c, const char *command, const struct buf *fields,
			       int64_t timeout_ms, control_part_f part, void *arg)
{
	(void)c;
	(void)command;
	(void)fields;
	(void)timeout_ms;
	add_later((struct later){.part = part, .arg = arg});
}

static inline void run_later(const struct later *later)
{
	struct json_object *data;
	struct err e = {0};

	if (later->told != NULL) {
		data = jread_parse("{\"sessions\":1,\"generation\":2}", 29, &e);
		must(data != NULL);
		later->told(later->arg, data, &e);
		json_object_put(data);
	} else if (later->part != NULL) {
		err_set(&e, ERR_BROKER_UNAVAILABLE, NULL);
		later->part(later->arg, NULL, &e, false);
	} else if (later->done != NULL) {
		err_set(&e, ERR_DATABASE_UNAVAILABLE, NULL);
		later->done(later->arg, &e);
	} else if (later->hashed != NULL) {
		later->hashed(later->arg);
	}
}

static inline void run_laters(void)
{
	for (size_t i = 0; i < laters_len; i++) {
		const struct later later = laters[i];

		run_later(&later);
	}
	laters_len = 0;
}

/* ---- the parts --------------------------------------------------------------------------- */

static inline void quiet(enum log_level level, const char *subsystem, const char *text)
{
	(void)level;
	(void)subsystem;
	(void)text;
}

static inline void add_worker(const char *id, enum worker_status status)
{
	struct record *record = calloc(1, sizeof(*record));
	struct err e;

	must(record != NULL);
	snprintf(record->id.text, sizeof(record->id.text), "%s", id);
	record->name = strdup("a name");
	record->status = status;
	record->revision = 1;
	must(roster_put(app.roster, &record, &e) == ERR_OK);
}

static inline void start_parts(void)
{
	struct err e = {0};

	must(config_load(&app.config, NULL, &e) == ERR_OK);
	app.traffic = traffic_new(&app, &e);
	app.loop = loop_new(&e);
	app.jwts = jwt_cache_new(app.config.jwt_secret);
	app.identity = identity_new(&app, &e);
	app.roster = roster_new(&app, &e);
	app.audit = audit_new(&app, &e);
	app.broker = broker_new(&app, &e);
	app.control = control_new(&app, &e);
	app.mirror = mirror_new(&app, &e);
	app.renewals = renewals_new(&app, &e);
	app.directory = directory_new(&app, &e);
	app.presence_log = presence_log_new(&app, &e);
	app.engine_states = engine_states_new(&app, &e);
	app.commands = commands_new(&app, &e);
	app.refusals = refusals_new(&app, &e);
	app.inbox = inbox_new(&app, &e);
	app.events = events_new(&app, &e);
	app.openapi = openapi_make(routes, routes_len, "0", &e);
	must(e.code == ERR_OK);
	run_laters();
}

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Once a second all workers are compared, in memory. Who is found wrong is tried once in a
 * session; whether it may be is for the database to say, since several bridges look. */
#include "bridge/commands/engine_reconcile.h"

#include "bridge/app.h"
#include "bridge/base/loop.h"
#include "bridge/base/tally.h"
#include "bridge/commands/command.h"
#include "bridge/commands/command_dispatch.h"
#include "bridge/db/db.h"
#include "bridge/presence/mirror.h"
#include "bridge/store/store_engine.h"
#include "protocol/clock.h"
#include "protocol/htab.h"
#include "protocol/log.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_MS 1000
#define AT_ONCE 50        /* in a look: a broker that restarts brings back all at once */
#define AGAIN_US 10000000 /* after the database has said "not now" */

/* A worker that was found wrong. */
struct wrong {
	struct worker_id id;
	int64_t since_ms; /* of the session in which it was tried */
	int64_t next_us;  /* when it may be tried again; INT64_MAX: not in this session */
	uint64_t seen;    /* by that look */
};

/* One try. */
struct
try {
	struct engine_reconcile *all;
	struct command_row row;
	struct outgoing *made;
};

struct engine_reconcile {
	struct app *app;
	struct htab wrong; /* by worker */
	struct timer *timer;
	uint64_t looks;
};

/* ---- who is wrong ------------------------------------------------------------------------ */

static bool is_one_of(const char *status, const char *a, const char *b)
{
	return strcmp(status, a) == 0 || strcmp(status, b) == 0;
}

bool engine_is_wrong(const struct record *record, const struct presence *p)
{
	const char *status = record->latest.engine_status;

	if (record->desired == NULL || p == NULL || p->state != PRESENCE_ONLINE ||
	    record->desired_ms == 0 || record->desired_ms >= p->connected_since_ms ||
	    record->latest.engine_status_ms < p->connected_since_ms)
		return false;
	return strcmp(record->desired, "running") == 0
		       ? is_one_of(status, "stopped", "error")
		       : is_one_of(status, "running", "starting");
}

static uint64_t hash_wrong(const void *item)
{
	return htab_hash_str(((const struct wrong *)item)->id.text);
}

static bool is_worker(const void *item, const void *id)
{
	return worker_id_equal(&((const struct wrong *)item)->id, id);
}

static struct wrong *find(const struct engine_reconcile *r, const struct worker_id *id)
{
	return htab_find(&r->wrong, htab_hash_str(id->text), is_worker, id);
}

/* NULL: out of memory; the next look finds it again. */
static struct wrong *get(struct engine_reconcile *r, const struct worker_id *id)
{
	struct wrong *w = find(r, id);

	if (w != NULL)
		return w;
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return NULL;
	w->id = *id;
	if (htab_add(&r->wrong, w))
		return w;
	free(w);
	return NULL;
}

/* ---- a try ------------------------------------------------------------------------------- */

static void on_dispatched(void *arg)
{
	(void)arg;
}

static void on_made(void *arg, struct err *e)
{
	struct try *t = arg;
	struct app *app = t->all->app;
	struct wrong *w = find(t->all, &t->row.worker);

	if (e->code != ERR_OK)
		log_warn("command", "worker=%s cannot be reconciled: %s", t->row.worker.text,
			 e->msg);
	if (t->made != NULL) {
		log_info("command", "worker=%s command=%s sent again: it should be %s",
			 t->row.worker.text, t->row.id.text, t->row.desired);
		tally_add(TALLY_RECONCILED);
		if (w != NULL)
			w->next_us = INT64_MAX;
		commands_made(app->commands, &t->made->row);
		command_dispatch(app, t->made, on_dispatched, NULL);
	}
	free(t);
}

static enum err_code make(struct db *db, void *arg, struct err *e)
{
	struct try *t = arg;

	return store_engine_reconcile(db, &t->row, &t->made, e);
}

static void begin_try(struct engine_reconcile *r, const struct record *record)
{
	struct try *t = calloc(1, sizeof(*t));
	struct command_row *row = t != NULL ? &t->row : NULL;

	if (row == NULL)
		return;
	t->all = r;
	row->worker = record->id;
	row->desired = record->desired;
	row->type = strcmp(record->desired, "running") == 0 ? "engine_start" : "engine_stop";
	row->target = "any";
	row->created_ms = clock_unix_ms();
	row->expires_ms = row->created_ms + COMMAND_TTL_S * INT64_C(1000);
	command_id_generate(row->created_ms, &row->id);
	db_submit(r->app->db, make, on_made, t);
}

/* ---- a look ------------------------------------------------------------------------------ */

static bool consider(struct engine_reconcile *r, const struct record *record,
		     const struct presence *p, int64_t now_us)
{
	struct wrong *w = get(r, &record->id);

	if (w == NULL)
		return false;
	w->seen = r->looks;
	if (w->since_ms == p->connected_since_ms && now_us < w->next_us)
		return false;
	w->since_ms = p->connected_since_ms;
	w->next_us = now_us + AGAIN_US;
	begin_try(r, record);
	return true;
}

static void drop_right(struct engine_reconcile *r)
{
	struct wrong *w, *right[256];
	size_t pos = 0, n = 0;

	while (n < ARRAY_LEN(right) && (w = htab_next(&r->wrong, &pos)) != NULL)
		if (w->seen != r->looks)
			right[n++] = w;
	for (size_t i = 0; i < n; i++) {
		htab_remove(&r->wrong, right[i]);
		free(right[i]);
	}
}

static void on_look(void *arg)
{
	struct engine_reconcile *r = arg;
	const struct roster *roster = r->app->roster;
	const int64_t now_us = clock_mono_us();
	const struct presence *p;
	int tried = 0;

	if (!mirror_hears(r->app->mirror) || !roster_loaded(roster))
		return;
	r->looks++;
	for (size_t i = 0; i < roster_len(roster); i++) {
		const struct record *record = roster_at(roster, i);

		if (record->desired == NULL)
			continue;
		p = mirror_find(r->app->mirror, &record->id);
		if (engine_is_wrong(record, p) && tried < AT_ONCE)
			tried += consider(r, record, p, now_us);
	}
	if (tried < AT_ONCE)
		drop_right(r);
}

/* ---- life -------------------------------------------------------------------------------- */

struct engine_reconcile *engine_reconcile_new(struct app *app, struct err *e)
{
	struct engine_reconcile *r = calloc(1, sizeof(*r));

	if (r != NULL) {
		r->app = app;
		htab_init(&r->wrong, hash_wrong);
		r->timer = timer_new(app->loop, on_look, r);
	}
	if (r == NULL || r->timer == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		engine_reconcile_free(r);
		return NULL;
	}
	if (app->config.reconcile)
		timer_every(r->timer, LOOK_MS);
	return r;
}

void engine_reconcile_free(struct engine_reconcile *r)
{
	struct wrong *w;
	size_t pos = 0;

	if (r == NULL)
		return;
	while ((w = htab_next(&r->wrong, &pos)) != NULL)
		free(w);
	htab_fini(&r->wrong);
	timer_free(r->timer);
	free(r);
}

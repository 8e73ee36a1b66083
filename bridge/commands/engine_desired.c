// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/commands/engine_desired.h"

#include "bridge/app.h"
#include "bridge/base/loop.h"
#include "bridge/db/db.h"
#include "bridge/store/store_engine.h"
#include "bridge/workers/roster.h"
#include "protocol/clock.h"
#include "protocol/log.h"

#include <stdlib.h>

#define READ_MS 1000
#define OVERLAP_MS 5000 /* longer than any commit takes, for they come in any order */

struct engine_desired {
	struct app *app;
	struct timer *timer;
	int64_t newest_ms; /* of the orders read so far, by the database's clock */
	int64_t began_us;  /* the reading under way */

	/* The reading's: its thread's until it is done. */
	int64_t since_ms;
	struct engine_order *orders;
	size_t orders_len;
};

static enum err_code read_orders(struct db *db, void *arg, struct err *e)
{
	struct engine_desired *d = arg;

	return store_engine_orders(db, d->since_ms, &d->orders, &d->orders_len, e);
}

/* What was ordered here after the reading began is newer than what it says. */
static void apply(struct engine_desired *d, const struct engine_order *o)
{
	const struct record *record = roster_find(d->app->roster, &o->worker);

	if (o->at_ms > d->newest_ms)
		d->newest_ms = o->at_ms;
	if (record != NULL && record->desired_noted_us < d->began_us &&
	    record->desired_ms != o->at_ms)
		roster_set_desired(d->app->roster, &o->worker, o->desired, o->at_ms);
}

static void on_read(void *arg, struct err *e)
{
	struct engine_desired *d = arg;

	if (e->code == ERR_OK)
		for (size_t i = 0; i < d->orders_len; i++)
			apply(d, &d->orders[i]);
	else if (e->code != ERR_DATABASE_UNAVAILABLE)
		log_error("command", "cannot read what engines should do: %s", e->msg);
	free(d->orders);
	d->orders = NULL;
	timer_once(d->timer, READ_MS);
}

static void on_due(void *arg)
{
	struct engine_desired *d = arg;

	if (!roster_loaded(d->app->roster)) {
		timer_once(d->timer, READ_MS);
		return;
	}
	d->began_us = clock_mono_us();
	d->since_ms = d->newest_ms != 0 ? d->newest_ms - OVERLAP_MS : 0;
	db_submit(d->app->db, read_orders, on_read, d);
}

struct engine_desired *engine_desired_new(struct app *app, struct err *e)
{
	struct engine_desired *d = calloc(1, sizeof(*d));

	if (d != NULL) {
		d->app = app;
		d->timer = timer_new(app->loop, on_due, d);
	}
	if (d == NULL || d->timer == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		engine_desired_free(d);
		return NULL;
	}
	timer_once(d->timer, READ_MS);
	return d;
}

void engine_desired_free(struct engine_desired *d)
{
	if (d == NULL)
		return;
	timer_free(d->timer);
	free(d->orders);
	free(d);
}

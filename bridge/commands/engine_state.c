// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/commands/engine_state.h"

#include "bridge/app.h"
#include "bridge/base/loop.h"
#include "bridge/base/tally.h"
#include "bridge/workers/roster.h"
#include "protocol/clock.h"
#include "protocol/htab.h"
#include "protocol/jread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAITING_MAX 100000
#define WAIT_MS 30000 /* with a roster that is loaded and still does not know the worker */
#define RETRY_MS 250
#define PAYLOAD_MAX 8192
#define STATUS_MAX 32 /* bytes */

struct waiting {
	struct worker_id id;
	char status[STATUS_MAX + 1];
	int64_t at_ms;
	int64_t until_us; /* 0 while the roster is not loaded */
};

struct engine_states {
	struct app *app;
	struct htab waiting; /* statuses of workers that the roster does not know yet */
	struct timer *retry;
};

static uint64_t hash_waiting(const void *item)
{
	return htab_hash_str(((const struct waiting *)item)->id.text);
}

static bool is_worker(const void *item, const void *id)
{
	return worker_id_equal(&((const struct waiting *)item)->id, id);
}

static void drop(struct engine_states *s, struct waiting *w)
{
	htab_remove(&s->waiting, w);
	free(w);
}

/* True when nothing is left to be done about it. */
static bool settle(struct engine_states *s, struct waiting *w)
{
	if (!roster_loaded(s->app->roster))
		return false;
	if (roster_find(s->app->roster, &w->id) != NULL) {
		roster_set_engine_status(s->app->roster, &w->id, w->status, w->at_ms);
		return true;
	}
	if (w->until_us == 0)
		w->until_us = clock_mono_us() + WAIT_MS * INT64_C(1000);
	return clock_mono_us() > w->until_us;
}

static void on_retry(void *arg)
{
	struct engine_states *s = arg;
	struct waiting *w, *settled[256];
	size_t pos = 0, n = 0;

	/* Removing moves entries about, so they are collected first; what does not fit is taken
	 * in the next round. */
	while (n < ARRAY_LEN(settled) && (w = htab_next(&s->waiting, &pos)) != NULL)
		if (settle(s, w))
			settled[n++] = w;
	for (size_t i = 0; i < n; i++)
		drop(s, settled[i]);
	if (s->waiting.len > 0)
		timer_once(s->retry, n == ARRAY_LEN(settled) ? 0 : RETRY_MS);
}

static struct waiting *keep(struct engine_states *s, const struct worker_id *id)
{
	struct waiting *w;

	if (s->waiting.len >= WAITING_MAX || (w = calloc(1, sizeof(*w))) == NULL)
		return NULL;
	w->id = *id;
	if (!htab_add(&s->waiting, w)) {
		free(w);
		return NULL;
	}
	timer_once(s->retry, RETRY_MS);
	return w;
}

void engine_state_set(struct engine_states *s, const struct worker_id *id, const char *status,
		      int64_t at_ms)
{
	struct waiting *w;

	if (roster_find(s->app->roster, id) != NULL) {
		roster_set_engine_status(s->app->roster, id, status, at_ms);
		return;
	}
	w = htab_find(&s->waiting, htab_hash_str(id->text), is_worker, id);
	if (w == NULL)
		w = keep(s, id);
	if (w == NULL || at_ms < w->at_ms)
		return;
	snprintf(w->status, sizeof(w->status), "%s", status);
	w->at_ms = at_ms;
}

void engine_state_receive(struct app *app, const struct worker_id *id, const char *payload,
			  size_t len)
{
	struct err e = {0};
	struct json_object *doc = len <= PAYLOAD_MAX ? jread_parse(payload, len, &e) : NULL;
	const char *status = NULL;
	struct jread r;

	if (doc != NULL) {
		jread_begin(&r, doc, &e);
		status = jread_str(&r, "engine_status", 1, STATUS_MAX);
	}
	if (status != NULL && strlen(status) <= STATUS_MAX)
		engine_state_set(app->engine_states, id, status, clock_unix_ms());
	else
		tally_add(TALLY_STATE_REFUSED);
	json_object_put(doc);
}

struct engine_states *engine_states_new(struct app *app, struct err *e)
{
	struct engine_states *s = calloc(1, sizeof(*s));

	if (s != NULL) {
		s->app = app;
		htab_init(&s->waiting, hash_waiting);
		s->retry = timer_new(app->loop, on_retry, s);
	}
	if (s == NULL || s->retry == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		engine_states_free(s);
		return NULL;
	}
	return s;
}

void engine_states_free(struct engine_states *s)
{
	struct waiting *w;
	size_t pos = 0;

	if (s == NULL)
		return;
	while ((w = htab_next(&s->waiting, &pos)) != NULL)
		free(w);
	htab_fini(&s->waiting);
	timer_free(s->retry);
	free(s);
}

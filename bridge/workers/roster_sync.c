// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/workers/roster_sync.h"

#include "bridge/app.h"
#include "bridge/base/loop.h"
#include "bridge/db/db.h"
#include "protocol/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PERIOD_MS 1000
#define NEWS_MAX 500 /* changes told one by one */

struct roster_sync {
	struct app *app;
	struct roster *roster;
	struct timer *timer;
	bool loaded, reading, again;

	char epoch[EPOCH_LEN + 1]; /* of what the roster holds */
	int64_t n;                 /* it holds every change up to this one */

	struct worker_rows rows; /* of the reading under way; its thread's until it is done */
	bool all;
};

static enum err_code read_all(struct db *db, void *arg, struct err *e)
{
	return store_worker_all(db, &((struct roster_sync *)arg)->rows, e);
}

static enum err_code read_since(struct db *db, void *arg, struct err *e)
{
	struct roster_sync *s = arg;

	return store_worker_since(db, s->n, &s->rows, e);
}

/* Another epoch, or a revision that is behind ours: this is another database than before. */
static bool is_another(const struct roster_sync *s)
{
	return !s->loaded || strcmp(s->rows.epoch, s->epoch) != 0 || s->rows.n < s->n;
}

static enum err_code read_changes(struct db *db, void *arg, struct err *e)
{
	struct roster_sync *s = arg;

	worker_rows_fini(&s->rows);
	if (store_worker_state(db, &s->rows, e) != ERR_OK)
		return e->code;
	s->all = is_another(s);
	if (!s->all && s->rows.n == s->n)
		return ERR_OK;
	if (db_transaction(db, s->all ? read_all : read_since, s, e) != ERR_OK)
		return e->code;
	if (!s->all && is_another(s)) {
		s->all = true;
		return db_transaction(db, read_all, s, e);
	}
	return ERR_OK;
}

/* What this bridge does not know yet was changed by another one, which may have died before it
 * could tell the plugin. */
static void tell_news(struct roster_sync *s)
{
	const struct worker_rows *rows = &s->rows;
	const struct record *known;

	if (s->all)
		return; /* a synchronisation goes with that */
	if (rows->records_len + rows->removed_len > NEWS_MAX) {
		roster_tell_news(s->roster, NULL);
		return;
	}
	for (size_t i = 0; i < rows->records_len; i++) {
		known = roster_find(s->roster, &rows->records[i]->id);
		if (known == NULL || known->revision < rows->records[i]->revision)
			roster_tell_news(s->roster, &rows->records[i]->id);
	}
	for (size_t i = 0; i < rows->removed_len; i++)
		if (roster_find(s->roster, &rows->removed[i].id) != NULL)
			roster_tell_news(s->roster, &rows->removed[i].id);
}

static enum err_code apply(struct roster_sync *s, struct err *e)
{
	struct worker_rows *rows = &s->rows;

	tell_news(s);
	if (s->all)
		roster_doubt_all(s->roster);
	for (size_t i = 0; i < rows->records_len; i++)
		if (roster_put(s->roster, &rows->records[i], e) != ERR_OK)
			return e->code;
	if (s->all)
		roster_drop_doubted(s->roster);
	for (size_t i = 0; i < rows->removed_len; i++)
		roster_remove(s->roster, &rows->removed[i].id, rows->removed[i].revision);
	roster_forget_removed(s->roster, rows->n);
	memcpy(s->epoch, rows->epoch, sizeof(s->epoch));
	s->n = rows->n;
	return ERR_OK;
}

static void changes_read(void *arg, struct err *e)
{
	struct roster_sync *s = arg;

	s->reading = false;
	if (e->code == ERR_OK)
		apply(s, e);
	worker_rows_fini(&s->rows);
	if (e->code == ERR_OK && !s->loaded) {
		s->loaded = true;
		log_info("roster", "workers=%zu revision=%" PRId64, roster_len(s->roster),
			 s->n);
	} else if (e->code != ERR_OK && e->code != ERR_DATABASE_UNAVAILABLE) {
		log_error("roster", "cannot read the workers: %s", e->msg);
	}
	if (s->again)
		roster_sync_now(s);
}

void roster_sync_now(struct roster_sync *s)
{
	s->again = s->reading;
	if (s->reading)
		return;
	s->reading = true;
	db_submit(s->app->db, read_changes, changes_read, s);
}

static void on_timer(void *arg)
{
	struct roster_sync *s = arg;

	if (!s->reading)
		roster_sync_now(s);
}

struct roster_sync *roster_sync_new(struct app *app, struct roster *roster, struct err *e)
{
	struct roster_sync *s = calloc(1, sizeof(*s));

	if (s != NULL) {
		s->app = app;
		s->roster = roster;
		s->timer = timer_new(app->loop, on_timer, s);
	}
	if (s == NULL || s->timer == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		roster_sync_free(s);
		return NULL;
	}
	timer_every(s->timer, PERIOD_MS);
	return s;
}

void roster_sync_free(struct roster_sync *s)
{
	if (s == NULL)
		return;
	timer_free(s->timer);
	worker_rows_fini(&s->rows);
	free(s);
}

bool roster_sync_loaded(const struct roster_sync *s)
{
	return s->loaded;
}

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* One synchronisation is a chain of steps, of which one at a time is under way:
 *
 *	read the database ─▶ beginSync ─▶ is the database behind the plugin?
 *	                                   │ no                    │ yes
 *	                                   ▼                       ▼
 *	                        putWorkers, page by page    getDirectory, page by page
 *	                                   ▼                       ▼
 *	                                endSync             take over into the database,
 *	                                   │                new epoch; start again
 *	                                   ▼ "too destructive", the first time
 *	                        deleteWorkers for all tombstones, start again
 *
 * The plugin does not drop half of its directory for not being mentioned; but whom the database
 * remembers as deleted (while the broker was away, by a bridge that is gone) may go.
 * "Behind" is judged by a second look at the database after beginSync: a revision that the
 * plugin has was committed before the plugin got it, so only a database that was set back can
 * lack it then. Any failure ends the chain; it starts anew a little later.
 */
#include "bridge/workers/directory_sync.h"

#include "bridge/app.h"
#include "bridge/base/loop.h"
#include "bridge/db/db.h"
#include "bridge/mqtt/broker.h"
#include "bridge/mqtt/control.h"
#include "bridge/store/store_directory.h"
#include "bridge/workers/directory_tombstones.h"
#include "bridge/workers/epoch.h"
#include "protocol/log.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_WORKERS 100
#define PAGE_ASKED 250
#define TIMEOUT_MS 5000
#define PERIOD_MS (5 * 60 * 1000)
#define RETRY_MIN_MS 200
#define RETRY_MAX_MS 5000
#define DATABASE_POLL_MS 50
#define SYNC_ID_MAX 64

struct directory_sync {
	struct app *app;
	void (*synced)(void *arg);
	void *arg;
	struct timer *start; /* the next attempt: asked for, a retry, or the periodic one */
	int64_t retry_ms;
	bool running, again, done_once;
	bool buried;         /* the tombstones were sent: a refusal to drop is final now */
	char complaint[200]; /* last failure logged */

	struct directory_snapshot ours; /* what the database said */
	struct directory_snapshot
		theirs;             /* what the plugin said, when the database is behind */
	struct directory_state now; /* the second look */
	size_t put;                 /* entries of `ours` sent */
	char sync_id[SYNC_ID_MAX + 1];
	size_t taken; /* workers recovered */
};

static void put_page(struct directory_sync *s);
static void ask_page(struct directory_sync *s, const char *after);

/* ---- the end of a chain ------------------------------------------------------------------ */

static void finish(struct directory_sync *s)
{
	directory_snapshot_fini(&s->ours);
	directory_snapshot_fini(&s->theirs);
	s->running = false;
}

static void fail(struct directory_sync *s, const struct err *e)
{
	finish(s);
	if (!broker_connected(s->app->broker))
		return; /* the next connect starts one */
	if (strcmp(s->complaint, e->msg) != 0) {
		snprintf(s->complaint, sizeof(s->complaint), "%s", e->msg);
		log_warn("directory", "not in step with the broker, trying on: %s: %s",
			 err_name(e->code), e->msg);
	}
	timer_once(s->start,
		   s->retry_ms / 2 + randombytes_uniform((uint32_t)s->retry_ms / 2 + 1));
	s->retry_ms = s->retry_ms * 2 < RETRY_MAX_MS ? s->retry_ms * 2 : RETRY_MAX_MS;
}

static void succeed(struct directory_sync *s, int64_t dropped)
{
	log_info("directory", "in step: workers=%zu dropped=%" PRId64 " epoch=%.8s n=%" PRId64,
		 s->ours.len, dropped, s->ours.state.epoch, s->ours.state.n);
	finish(s);
	s->complaint[0] = '\0';
	s->retry_ms = RETRY_MIN_MS;
	s->buried = false;
	s->done_once = true;
	timer_once(s->start, s->again ? 0 : PERIOD_MS);
	s->synced(s->arg);
}

/* ---- the plugin's side ------------------------------------------------------------------- */

static void on_buried(void *arg, struct err *e)
{
	struct directory_sync *s = arg;

	if (e->code != ERR_OK) {
		fail(s, e);
		return;
	}
	s->buried = true;
	finish(s);
	timer_once(s->start, 0);
}

static void on_ended(void *arg, struct json_object *data, struct err *e)
{
	struct directory_sync *s = arg;
	struct jread r;
	int64_t dropped = 0;

	if (data != NULL) {
		jread_begin(&r, data, e);
		dropped = jread_i64_or(&r, "dropped", 0, 0, INT64_MAX);
	}
	if (e->code == ERR_SYNC_TOO_DESTRUCTIVE && !s->buried) {
		directory_send_tombstones(s->app, s->ours.state.epoch, on_buried, s);
		return;
	}
	if (e->code == ERR_SYNC_TOO_DESTRUCTIVE)
		err_set(e, e->code,
			"the database lacks more than half of the broker's workers, and did "
			"not "
			"delete them; if that is right, start the bridge once with "
			"ROLLCALL_DIRECTORY_FORCE=1");
	if (e->code != ERR_OK)
		fail(s, e);
	else
		succeed(s, dropped);
}

static void end(struct directory_sync *s)
{
	struct buf fields;
	struct jwrite w;

	buf_init(&fields, 512);
	jwrite_begin(&w, &fields);
	jwrite_str(&w, "sync_id", s->sync_id);
	jwrite_i64(&w, "count", (int64_t)s->ours.len);
	jwrite_bool(&w, "force", s->app->config.directory_force != 0);
	control_call(s->app->control, "endSync", &fields, TIMEOUT_MS, on_ended, s);
	buf_fini(&fields);
}

static void on_put(void *arg, struct json_object *data, struct err *e)
{
	struct directory_sync *s = arg;

	if (data == NULL)
		fail(s, e);
	else
		put_page(s);
}

static void put_page(struct directory_sync *s)
{
	struct buf fields;
	struct jwrite w;
	size_t until =
		s->put + PAGE_WORKERS < s->ours.len ? s->put + PAGE_WORKERS : s->ours.len;

	if (s->put == s->ours.len) {
		end(s);
		return;
	}
	buf_init(&fields, (size_t)PAGE_WORKERS * 1024);
	jwrite_begin(&w, &fields);
	jwrite_str(&w, "sync_id", s->sync_id);
	jwrite_array(&w, "workers");
	for (; s->put < until; s->put++)
		directory_entry_write(&w, &s->ours.entries[s->put], s->ours.state.epoch);
	jwrite_array_end(&w);
	control_call(s->app->control, "putWorkers", &fields, TIMEOUT_MS, on_put, s);
	buf_fini(&fields);
}

/* ---- recovery ---------------------------------------------------------------------------- */

static enum err_code recover_in(struct db *db, void *arg, struct err *e)
{
	struct directory_sync *s = arg;

	return store_directory_recover(db, s->ours.state.epoch, &s->theirs, &s->taken, e);
}

static enum err_code recover(struct db *db, void *arg, struct err *e)
{
	return db_transaction(db, recover_in, arg, e);
}

static void on_recovered(void *arg, struct err *e)
{
	struct directory_sync *s = arg;

	if (e->code == ERR_OK) {
		log_warn("directory",
			 "the database was restored from an older state: took over workers=%zu "
			 "from "
			 "the broker (their revocations, deletions and tokens), new epoch",
			 s->taken);
		err_set(e, ERR_CONFLICT, "the database was restored; synchronising again");
		s->retry_ms = RETRY_MIN_MS;
	}
	fail(s, e);
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct directory_entry *)a)->worker.text,
		      ((const struct directory_entry *)b)->worker.text);
}

/* Does the database, which is behind, lack this? Revisions of two epochs cannot be compared, so
 * there it is what differs. */
static bool is_news(const struct directory_sync *s, const struct directory_entry *entry)
{
	const struct directory_snapshot *ours = &s->ours;
	const struct directory_entry *known;

	if (epoch_compare(ours->state.epoch, s->theirs.state.epoch) == EPOCH_SAME)
		return entry->n > s->now.n;
	known = ours->len > 0 ? bsearch(entry, ours->entries, ours->len, sizeof(*known), by_id)
			      : NULL;
	return known == NULL ? !entry->deleted : !directory_entry_equal(known, entry);
}

static enum err_code keep_entry(struct directory_sync *s, struct json_object *item, size_t i,
				struct err *e)
{
	struct directory_snapshot *theirs = &s->theirs;
	struct directory_entry *grown;
	size_t cap = theirs->cap > 0 ? theirs->cap * 2 : 256;

	if (theirs->len == theirs->cap) {
		grown = reallocarray(theirs->entries, cap, sizeof(*grown));
		if (grown == NULL)
			return err_set(e, ERR_OUT_OF_MEMORY, NULL);
		theirs->entries = grown;
		theirs->cap = cap;
	}
	if (directory_entry_read(item, i, &theirs->entries[theirs->len], e) != ERR_OK)
		return e->code;
	if (is_news(s, &theirs->entries[theirs->len]))
		theirs->len++;
	return ERR_OK;
}

static void on_page(void *arg, struct json_object *data, struct err *e)
{
	struct directory_sync *s = arg;
	struct json_object *list = NULL;
	const char *next = NULL;
	struct jread r;

	if (data != NULL) {
		jread_begin(&r, data, e);
		list = jread_array(&r, "workers", 0, PAGE_ASKED);
		next = jread_str_or(&r, "next", 1, WORKER_ID_MAX, NULL);
	}
	for (size_t i = 0; e->code == ERR_OK && i < json_object_array_length(list); i++)
		keep_entry(s, json_object_array_get_idx(list, i), i, e);
	if (e->code != ERR_OK)
		fail(s, e);
	else if (next != NULL)
		ask_page(s, next);
	else
		db_submit(s->app->db, recover, on_recovered, s);
}

static void ask_page(struct directory_sync *s, const char *after)
{
	struct buf fields;
	struct jwrite w;

	buf_init(&fields, 512);
	jwrite_begin(&w, &fields);
	jwrite_i64(&w, "limit", PAGE_ASKED);
	if (after != NULL)
		jwrite_str(&w, "after", after);
	control_call(s->app->control, "getDirectory", &fields, TIMEOUT_MS, on_page, s);
	buf_fini(&fields);
}

/* ---- the beginning ----------------------------------------------------------------------- */

static enum err_code look_again(struct db *db, void *arg, struct err *e)
{
	struct directory_sync *s = arg;

	return store_directory_state(db, &s->now, e);
}

/* The plugin has revisions, or a generation of the epoch, that the database does not know. */
static bool is_behind(const struct directory_state *ours, const struct directory_state *theirs)
{
	switch (epoch_compare(ours->epoch, theirs->epoch)) {
	case EPOCH_SAME:
		return theirs->n > ours->n;
	case EPOCH_BEHIND:
		return true;
	case EPOCH_OTHER:
		break;
	}
	return false;
}

static void on_looked_again(void *arg, struct err *e)
{
	struct directory_sync *s = arg;

	if (e->code == ERR_OK && strcmp(s->now.epoch, s->ours.state.epoch) != 0)
		err_set(e, ERR_CONFLICT, "the database's epoch changed meanwhile");
	if (e->code != ERR_OK)
		fail(s, e);
	else if (is_behind(&s->now, &s->theirs.state))
		ask_page(s, NULL);
	else
		put_page(s);
}

static void on_begun(void *arg, struct json_object *data, struct err *e)
{
	struct directory_sync *s = arg;
	const char *id = NULL, *epoch = NULL;
	struct jread r;

	if (data != NULL) {
		jread_begin(&r, data, e);
		id = jread_str(&r, "sync_id", 1, SYNC_ID_MAX);
		epoch = jread_str_or(&r, "epoch", 1, EPOCH_MAX, NULL);
		s->theirs.state.n = jread_i64_or(&r, "max_n", 0, 0, INT64_MAX);
	}
	if (e->code != ERR_OK || id == NULL) {
		fail(s, e);
		return;
	}
	snprintf(s->sync_id, sizeof(s->sync_id), "%s", id);
	snprintf(s->theirs.state.epoch, sizeof(s->theirs.state.epoch), "%s",
		 epoch != NULL ? epoch : "");
	if (is_behind(&s->ours.state, &s->theirs.state))
		db_submit(s->app->db, look_again, on_looked_again, s);
	else
		put_page(s);
}

static void begin(struct directory_sync *s)
{
	struct buf fields;
	struct jwrite w;

	buf_init(&fields, 512);
	jwrite_begin(&w, &fields);
	jwrite_str(&w, "epoch", s->ours.state.epoch);
	jwrite_i64(&w, "snapshot_n", s->ours.state.n);
	control_call(s->app->control, "beginSync", &fields, TIMEOUT_MS, on_begun, s);
	buf_fini(&fields);
}

static enum err_code read_in(struct db *db, void *arg, struct err *e)
{
	struct directory_sync *s = arg;

	return store_directory_read(db, &s->ours, e);
}

static enum err_code read_database(struct db *db, void *arg, struct err *e)
{
	return db_transaction(db, read_in, arg, e);
}

static void on_read(void *arg, struct err *e)
{
	struct directory_sync *s = arg;

	if (e->code != ERR_OK)
		fail(s, e);
	else
		begin(s);
}

static void start(void *arg)
{
	struct directory_sync *s = arg;

	if (s->running || !broker_connected(s->app->broker))
		return;
	if (!db_pool_healthy(s->app->db)) {
		timer_once(s->start, DATABASE_POLL_MS);
		return;
	}
	s->running = true;
	s->again = false;
	s->put = 0;
	db_submit(s->app->db, read_database, on_read, s);
}

/* ---- life -------------------------------------------------------------------------------- */

void directory_sync_request(struct directory_sync *s)
{
	s->again = true;
	s->buried = false; /* it may be another broker by now */
	if (!s->running)
		timer_once(s->start, 0);
}

bool directory_sync_done_once(const struct directory_sync *s)
{
	return s->done_once;
}

struct directory_sync *directory_sync_new(struct app *app, void (*synced)(void *arg), void *arg,
					  struct err *e)
{
	struct directory_sync *s = calloc(1, sizeof(*s));

	if (s != NULL) {
		*s = (struct directory_sync){
			.app = app, .synced = synced, .arg = arg, .retry_ms = RETRY_MIN_MS};
		s->start = timer_new(app->loop, start, s);
	}
	if (s == NULL || s->start == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		directory_sync_free(s);
		return NULL;
	}
	return s;
}

void directory_sync_free(struct directory_sync *s)
{
	if (s == NULL)
		return;
	finish(s);
	timer_free(s->start);
	free(s);
}

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Pushes of single workers. A push reads what is committed *after* it was asked for and sends
 * that, so changes that follow each other quickly travel together, and a worker never has more
 * than one push under way: its revisions reach the plugin in order.
 *
 *	PUSH_DUE ─▶ PUSH_READING ─▶ PUSH_SENDING ─▶ gone, or PUSH_DUE again
 *
 * Whoever asks while the read is under way may have committed too late for it, and is served by
 * the next round.
 */
#include "bridge/workers/directory.h"

#include "bridge/app.h"
#include "bridge/base/loop.h"
#include "bridge/db/db.h"
#include "bridge/mqtt/broker.h"
#include "bridge/mqtt/control.h"
#include "bridge/store/store_directory.h"
#include "bridge/workers/directory_sync.h"
#include "bridge/workers/roster.h"
#include "protocol/clock.h"
#include "protocol/htab.h"
#include "protocol/log.h"

#include <stdlib.h>

#define PATIENCE_US INT64_C(1000000) /* then whoever asked is told "not yet" */
#define TICK_MS 20
#define RETRY_MIN_MS 100
#define RETRY_MAX_MS 2000
#define TIMEOUT_MS 5000

struct waiter {
	void (*done)(void *arg, bool enforced); /* NULL: told already */
	void *arg;
	int64_t deadline_us;
	struct waiter *next;
};

enum push_state { PUSH_DUE, PUSH_READING, PUSH_SENDING };

struct push {
	struct directory *directory;
	struct worker_id worker;
	enum push_state state;
	int64_t since_us; /* when it was first asked for */
	int64_t due_us;   /* in PUSH_DUE */
	int64_t retry_ms;
	struct waiter *covered; /* what is under way has their change */
	struct waiter *waiting; /* the next round will */
	struct directory_entry entry;
	struct directory_state database;
};

struct directory {
	struct app *app;
	struct directory_sync *sync;
	struct broker_listener listener;
	struct htab pushes; /* by worker id */
	struct timer *tick; /* runs while there are pushes */
};

/* ---- pushes and who waits for them ------------------------------------------------------- */

static uint64_t hash_push(const void *item)
{
	return htab_hash_str(((const struct push *)item)->worker.text);
}

static bool is_worker(const void *item, const void *id)
{
	return worker_id_equal(&((const struct push *)item)->worker, id);
}

static struct push *find(const struct directory *d, const struct worker_id *id)
{
	return htab_find(&d->pushes, htab_hash_str(id->text), is_worker, id);
}

static struct push *add(struct directory *d, const struct worker_id *id)
{
	struct push *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->directory = d;
	p->worker = *id;
	p->since_us = clock_mono_us();
	p->retry_ms = RETRY_MIN_MS;
	if (!htab_add(&d->pushes, p)) {
		free(p);
		return NULL;
	}
	if (d->pushes.len == 1)
		timer_every(d->tick, TICK_MS);
	return p;
}

static void tell(struct waiter *w, bool enforced)
{
	if (w->done != NULL)
		w->done(w->arg, enforced);
	w->done = NULL;
}

static void tell_all(struct waiter **list, bool enforced)
{
	struct waiter *w;

	while ((w = *list) != NULL) {
		*list = w->next;
		tell(w, enforced);
		free(w);
	}
}

static void move_all(struct waiter **from, struct waiter **to)
{
	struct waiter *w;

	while ((w = *from) != NULL) {
		*from = w->next;
		w->next = *to;
		*to = w;
	}
}

static void tell_impatient(struct waiter *w, int64_t now_us)
{
	for (; w != NULL; w = w->next)
		if (now_us >= w->deadline_us)
			tell(w, false);
}

/* ---- one round --------------------------------------------------------------------------- */

static void read_entry(struct push *p);

static void succeed(struct push *p)
{
	struct directory *d = p->directory;

	/* Out of the table before the waiters hear of it: they may look. */
	if (p->waiting == NULL) {
		struct waiter *covered = p->covered;

		htab_remove(&d->pushes, p);
		free(p);
		if (d->pushes.len == 0)
			timer_cancel(d->tick);
		tell_all(&covered, true);
		return;
	}
	tell_all(&p->covered, true);
	p->retry_ms = RETRY_MIN_MS;
	read_entry(p);
}

static void fail(struct push *p, const struct err *e)
{
	log_debug("directory", "worker=%s not pushed yet: %s", p->worker.text, e->msg);
	move_all(&p->covered, &p->waiting);
	p->state = PUSH_DUE;
	p->due_us = clock_mono_us() + p->retry_ms * 1000;
	p->retry_ms = p->retry_ms * 2 < RETRY_MAX_MS ? p->retry_ms * 2 : RETRY_MAX_MS;
	if (e->code == ERR_EPOCH_MISMATCH)
		directory_sync_request(p->directory->sync);
}

static void on_sent(void *arg, struct json_object *data, struct err *e)
{
	struct push *p = arg;

	/* "Stale": the plugin has a newer revision than what is committed. Another bridge may
	 * have been quicker, which reading again will show; or the database was restored, which
	 * a synchronisation finds out. */
	if (data != NULL && json_object_get_int64(json_object_object_get(data, "stale")) > 0)
		err_set(e, ERR_EPOCH_MISMATCH, "the broker has a newer revision");
	if (e->code == ERR_OK)
		succeed(p);
	else
		fail(p, e);
}

static void send_entry(struct push *p)
{
	struct buf fields;
	struct jwrite w;

	p->state = PUSH_SENDING;
	buf_init(&fields, 4096);
	jwrite_begin(&w, &fields);
	jwrite_array(&w, "workers");
	directory_entry_write(&w, &p->entry, p->database.epoch);
	jwrite_array_end(&w);
	control_call(p->directory->app->control,
		     p->entry.deleted ? "deleteWorkers" : "putWorkers", &fields, TIMEOUT_MS,
		     on_sent, p);
	buf_fini(&fields);
}

static enum err_code read_in(struct db *db, void *arg, struct err *e)
{
	struct push *p = arg;

	return store_directory_entry(db, &p->worker, &p->entry, &p->database, e);
}

static enum err_code read_work(struct db *db, void *arg, struct err *e)
{
	return db_transaction(db, read_in, arg, e);
}

static void on_read(void *arg, struct err *e)
{
	struct push *p = arg;

	if (e->code == ERR_OK)
		send_entry(p);
	else
		fail(p, e);
}

static void read_entry(struct push *p)
{
	p->state = PUSH_READING;
	move_all(&p->waiting, &p->covered);
	db_submit(p->directory->app->db, read_work, on_read, p);
}

static void on_tick(void *arg)
{
	struct directory *d = arg;
	int64_t now_us = clock_mono_us();
	bool connected = broker_connected(d->app->broker);
	struct push *p;
	size_t pos = 0;

	/* Neither reading nor telling changes the table here: answers come in later turns. */
	while ((p = htab_next(&d->pushes, &pos)) != NULL) {
		tell_impatient(p->covered, now_us);
		tell_impatient(p->waiting, now_us);
		if (p->state == PUSH_DUE && connected && now_us >= p->due_us)
			read_entry(p);
	}
}

/* ---- for the rest of the bridge ---------------------------------------------------------- */

void directory_push(struct directory *d, const struct worker_id *id,
		    void (*done)(void *arg, bool enforced), void *arg)
{
	struct waiter *w = calloc(1, sizeof(*w));
	struct push *p = find(d, id);

	if (w != NULL && p == NULL)
		p = add(d, id);
	if (w == NULL || p == NULL) {
		/* A synchronisation needs no note of this worker. */
		free(w);
		directory_sync_request(d->sync);
		done(arg, false);
		return;
	}
	*w = (struct waiter){.done = done,
			     .arg = arg,
			     .deadline_us = clock_mono_us() + PATIENCE_US,
			     .next = p->waiting};
	p->waiting = w;
	if (p->state == PUSH_DUE && broker_connected(d->app->broker))
		read_entry(p);
}

size_t directory_pending(const struct directory *d)
{
	return d->pushes.len;
}

int64_t directory_waiting_us(const struct directory *d)
{
	const int64_t now_us = clock_mono_us();
	int64_t longest_us = 0;
	const struct push *p;
	size_t pos = 0;

	while ((p = htab_next(&d->pushes, &pos)) != NULL)
		if (now_us - p->since_us > longest_us)
			longest_us = now_us - p->since_us;
	return longest_us;
}

bool directory_in_step(const struct directory *d)
{
	return directory_sync_done_once(d->sync);
}

bool directory_enforced(const struct directory *d, const struct worker_id *id)
{
	/* Until the first synchronisation nobody knows what an earlier process left undone. */
	return directory_sync_done_once(d->sync) && find(d, id) == NULL;
}

static void retry_now(void *arg)
{
	struct directory *d = arg;
	struct push *p;
	size_t pos = 0;

	while ((p = htab_next(&d->pushes, &pos)) != NULL) {
		p->due_us = 0;
		p->retry_ms = RETRY_MIN_MS;
	}
}

static void on_connected(void *arg)
{
	struct directory *d = arg;

	retry_now(d);
	directory_sync_request(d->sync);
}

static void nobody_waits(void *arg, bool enforced)
{
	(void)arg;
	(void)enforced;
}

/* Another bridge's change: it pushes it, unless it is dead by now. What the plugin knows
 * already it takes for what it is. */
static void on_news(void *arg, const struct worker_id *id)
{
	struct directory *d = arg;

	if (id != NULL)
		directory_push(d, id, nobody_waits, NULL);
	else
		directory_sync_request(d->sync);
}

static bool wants_nothing(void *arg, const char *topic)
{
	(void)arg;
	(void)topic;
	return false;
}

struct directory *directory_new(struct app *app, struct err *e)
{
	struct directory *d = calloc(1, sizeof(*d));

	if (d == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	d->app = app;
	d->listener = (struct broker_listener){
		.wants = wants_nothing, .connected = on_connected, .arg = d};
	htab_init(&d->pushes, hash_push);
	d->tick = timer_new(app->loop, on_tick, d);
	d->sync = directory_sync_new(app, retry_now, d, e);
	if (d->tick == NULL || d->sync == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		directory_free(d);
		return NULL;
	}
	broker_listen(app->broker, &d->listener);
	roster_set_news(app->roster, on_news, d);
	return d;
}

void directory_free(struct directory *d)
{
	struct push *p;
	size_t pos = 0;

	if (d == NULL)
		return;
	roster_set_news(d->app->roster, NULL, NULL);
	while ((p = htab_next(&d->pushes, &pos)) != NULL) {
		tell_all(&p->covered, false);
		tell_all(&p->waiting, false);
		free(p);
	}
	htab_fini(&d->pushes);
	timer_free(d->tick);
	directory_sync_free(d->sync);
	free(d);
}

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* What becomes an event. Who hears it is in event_listener.c. */
#include "bridge/events/event.h"

#include "bridge/app.h"
#include "bridge/base/loop.h"
#include "bridge/commands/command.h"
#include "bridge/db/db.h"
#include "bridge/events/event_listener.h"
#include "bridge/presence/mirror.h"
#include "bridge/workers/roster.h"
#include "bridge/workers/worker_body.h"
#include "protocol/clock.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define LOG_BYTES ((size_t)32 * 1024 * 1024)
#define EVENT_BYTES ((size_t)256 * 1024)

#define METRICS_MS 200 /* at most one metrics event of a worker in this time */
#define WAKE_GAP_MS 10 /* listeners are woken together, so often at most */
#define CHECK_MS 250   /* what ended elsewhere is read twice a second: a second in all */

struct events {
	struct app *app;
	struct event_log *log;
	char instance[EVENT_INSTANCE_MAX +
		      1]; /* this process; numbers of others mean nothing */
	struct event_listeners *listeners;
	struct timer *wake, *metrics, *check;
	int64_t woken_us;
	bool wake_due;
	bool broker, database; /* as the last health event said */

	struct worker_id *reported; /* workers whose metrics event is due */
	size_t reported_len, reported_cap;
};

static void add(struct events *ev, enum event_type type, const struct worker_id *worker,
		struct buf *json)
{
	int64_t due_ms;
	size_t len = 0;
	char *text = json != NULL ? buf_take(json, &len) : NULL;

	/* Out of memory: listeners must not believe that they have heard everything. */
	if (json != NULL && text == NULL)
		type = EVENT_RESET;
	event_log_add(ev->log, type, worker, text, len);
	if (ev->wake_due)
		return;
	ev->wake_due = true;
	due_ms = WAKE_GAP_MS - (clock_mono_us() - ev->woken_us) / 1000;
	timer_once(ev->wake, due_ms > 0 ? due_ms : 0);
}

/* As an event among the others, since it is for those, too, who are away for a moment and come
 * back with the cursor of an earlier one. */
static void on_lost(void *arg)
{
	add(arg, EVENT_RESET, NULL, NULL);
}

static void on_wake(void *arg)
{
	struct events *ev = arg;

	ev->wake_due = false;
	ev->woken_us = clock_mono_us();
	event_listeners_wake(ev->listeners);
}

static void begin(struct jwrite *w, struct buf *out)
{
	buf_init(out, EVENT_BYTES);
	jwrite_begin(w, out);
	jwrite_object(w, NULL);
}

/* ---- presence ---------------------------------------------------------------------------- */

static void on_presence(void *arg, const struct presence *p)
{
	struct events *ev = arg;
	struct jwrite w;
	struct buf out;

	buf_init(&out, EVENT_BYTES);
	jwrite_begin(&w, &out);
	presence_write(&w, NULL, p, mirror_node(ev->app->mirror));
	add(ev, EVENT_PRESENCE, &p->worker, &out);
}

/* ---- health ------------------------------------------------------------------------------ */

void events_health(const struct events *ev, struct buf *out)
{
	struct jwrite w;

	begin(&w, out);
	jwrite_bool(&w, "broker", mirror_hears(ev->app->mirror));
	jwrite_bool(&w, "database", db_pool_healthy(ev->app->db));
	jwrite_object_end(&w);
}

/* Tells when the broker or the database begins or ceases to be heard. */
static void check_health(struct events *ev)
{
	const bool broker = mirror_hears(ev->app->mirror);
	const bool database = db_pool_healthy(ev->app->db);
	struct buf out;

	if (broker == ev->broker && database == ev->database)
		return;
	ev->broker = broker;
	ev->database = database;
	events_health(ev, &out);
	add(ev, EVENT_HEALTH, NULL, &out);
}

static void on_hearing(void *arg)
{
	struct events *ev = arg;

	check_health(ev);
	event_listeners_hear(ev->listeners, events_known(ev));
}

static void on_check(void *arg)
{
	struct events *ev = arg;

	check_health(ev);
	event_listeners_hear(ev->listeners, events_known(ev));
	event_listeners_check(ev->listeners);
}

/* ---- workers ----------------------------------------------------------------------------- */

static void write_worker(struct buf *out, const struct record *k, const char *change)
{
	struct jwrite w;

	begin(&w, out);
	jwrite_str(&w, "worker_id", k->id.text);
	jwrite_str(&w, "change", change);
	worker_write_record(&w, k);
	jwrite_object_end(&w);
}

static bool looks_the_same(const struct record *a, const struct record *b)
{
	struct buf one, other;
	bool same;

	write_worker(&one, a, "");
	write_worker(&other, b, "");
	same = !one.failed && !other.failed && one.len == other.len &&
	       memcmp(one.data, other.data, one.len) == 0;
	buf_fini(&one);
	buf_fini(&other);
	return same;
}

static void on_record(void *arg, const struct record *record, const struct record *before)
{
	struct events *ev = arg;
	struct buf out;

	/* The first reading is no change, and later ones may bring what is known. */
	if (!roster_loaded(ev->app->roster) ||
	    (before != NULL && looks_the_same(record, before)))
		return;
	write_worker(&out, record, before != NULL ? "changed" : "created");
	add(ev, EVENT_WORKER, &record->id, &out);
}

static void on_removed(void *arg, const struct record *record)
{
	struct events *ev = arg;
	struct buf out;

	write_worker(&out, record, "deleted");
	add(ev, EVENT_WORKER, &record->id, &out);
}

/* ---- metrics ----------------------------------------------------------------------------- */

static void on_reported(void *arg, struct record *record)
{
	struct events *ev = arg;
	const size_t cap = ev->reported_cap == 0 ? 256 : ev->reported_cap * 2;
	struct worker_id *more;

	if (record->event_due)
		return;
	if (ev->reported_len == ev->reported_cap) {
		more = realloc(ev->reported, cap * sizeof(*more));
		if (more == NULL)
			return; /* its next report tries again, and carries more than this one
				 */
		ev->reported = more;
		ev->reported_cap = cap;
	}
	record->event_due = true;
	ev->reported[ev->reported_len++] = record->id;
	if (ev->reported_len == 1)
		timer_once(ev->metrics, METRICS_MS);
}

/* Without their text: it is written for the first who reads it, from what is latest then. */
static void on_metrics_due(void *arg)
{
	struct events *ev = arg;

	for (size_t i = 0; i < ev->reported_len; i++) {
		struct record *record = roster_find(ev->app->roster, &ev->reported[i]);

		if (record == NULL)
			continue;
		record->event_due = false;
		add(ev, EVENT_METRICS, &record->id, NULL);
	}
	ev->reported_len = 0;
}

const struct event *events_at(const struct events *ev, uint64_t n)
{
	return event_log_at(ev->log, n);
}

bool events_write(struct events *ev, uint64_t n)
{
	const struct event *event = event_log_at(ev->log, n);
	struct record *record;
	struct jwrite w;
	struct buf out;
	size_t len = 0;
	char *text;

	if (event->json != NULL || event->type == EVENT_RESET)
		return true;
	record = roster_find(ev->app->roster, &event->worker);
	if (record == NULL)
		return false; /* deleted since */
	buf_init(&out, EVENT_BYTES);
	jwrite_begin(&w, &out);
	worker_write_report(&w, record);
	text = buf_take(&out, &len);
	if (text == NULL)
		return false;
	event_log_set(ev->log, n, text, len);
	return true;
}

/* ---- commands ---------------------------------------------------------------------------- */

static void on_command(void *arg, const struct worker_id *worker, const struct command_id *id,
		       const struct command_standing *s)
{
	struct events *ev = arg;
	struct jwrite w;
	struct buf out;

	begin(&w, &out);
	jwrite_str(&w, "command_id", id->text);
	jwrite_str(&w, "worker_id", worker->text);
	jwrite_str(&w, "state", command_state_name(s->state));
	if (s->error != NULL)
		jwrite_str(&w, "error", s->error);
	jwrite_time(&w, "at", clock_unix_ms());
	jwrite_object_end(&w);
	add(ev, EVENT_COMMAND, worker, &out);
}

/* ---- cursors ----------------------------------------------------------------------------- */

bool events_known(const struct events *ev)
{
	return mirror_hears(ev->app->mirror);
}

void events_cursor_at(const struct events *ev, uint64_t n, bool unknown,
		      char out[CURSOR_TEXT_SIZE])
{
	struct watch_cursor cursor = {.n = n, .unknown = unknown};

	memcpy(cursor.instance, ev->instance, sizeof(cursor.instance));
	watch_cursor_print(&cursor, out);
}

void events_cursor(struct events *ev, char out[CURSOR_TEXT_SIZE])
{
	const bool unknown = !events_known(ev);

	/* A reader can notice a silence before the mirror's own timer does. */
	if (unknown)
		event_listeners_hear(ev->listeners, false);
	events_cursor_at(ev, event_log_newest(ev->log), unknown, out);
}

uint64_t events_newest(const struct events *ev)
{
	return event_log_newest(ev->log);
}

bool events_resume(const struct events *ev, const char *text, struct watch_cursor *out)
{
	return watch_cursor_parse(text, out) && strcmp(out->instance, ev->instance) == 0 &&
	       out->n <= event_log_newest(ev->log) && out->n + 1 >= event_log_oldest(ev->log);
}

struct event_listeners *events_listeners(struct events *ev)
{
	return ev->listeners;
}

/* ---- life -------------------------------------------------------------------------------- */

static void watch_all(struct events *ev)
{
	const struct mirror_watcher mirror = {on_presence, on_lost, on_hearing, ev};
	const struct roster_watcher roster = {on_record, on_removed, on_reported, ev};
	const struct command_watcher command = {on_command, on_lost, ev};

	mirror_set_watcher(ev->app->mirror, &mirror);
	roster_set_watcher(ev->app->roster, &roster);
	commands_set_watcher(ev->app->commands, &command);
}

struct events *events_new(struct app *app, struct err *e)
{
	struct events *ev = calloc(1, sizeof(*ev));
	uint8_t random[EVENT_INSTANCE_MAX / 2];

	if (ev != NULL) {
		ev->app = app;
		ev->log = event_log_new((size_t)app->config.events_kept, LOG_BYTES);
		ev->listeners = event_listeners_new(ev);
		ev->wake = timer_new(app->loop, on_wake, ev);
		ev->metrics = timer_new(app->loop, on_metrics_due, ev);
		ev->check = timer_new(app->loop, on_check, ev);
	}
	if (ev == NULL || ev->log == NULL || ev->listeners == NULL || ev->wake == NULL ||
	    ev->metrics == NULL || ev->check == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		events_free(ev);
		return NULL;
	}
	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(ev->instance, sizeof(ev->instance), random, sizeof(random));
	timer_every(ev->check, CHECK_MS);
	watch_all(ev);
	return ev;
}

void events_free(struct events *ev)
{
	if (ev == NULL)
		return;
	if (ev->check != NULL) {
		mirror_set_watcher(ev->app->mirror, NULL);
		roster_set_watcher(ev->app->roster, NULL);
		commands_set_watcher(ev->app->commands, NULL);
	}
	event_listeners_free(ev->listeners);
	timer_free(ev->wake);
	timer_free(ev->metrics);
	timer_free(ev->check);
	event_log_free(ev->log);
	free(ev->reported);
	free(ev);
}

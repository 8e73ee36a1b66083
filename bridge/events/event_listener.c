// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* A listener is a number in the log and a filter. Nobody waits for it: one that is slower than
 * the log forgets is ended, comes back with its cursor and is told to list again. */
#include "bridge/events/event_listener.h"

#include "bridge/base/tally.h"
#include "protocol/clock.h"

#include <stdlib.h>
#include <string.h>

#define LISTENERS_MAX 2000
#define SIGN_OF_LIFE_US INT64_C(15000000)
#define CHUNK_BYTES ((size_t)64 * 1024) /* written at a time */
#define RETRY_MS 1000                   /* for the client to come back */

struct event_listener {
	struct event_listeners *all;
	struct event_listener *prev, *next;
	struct event_filter filter;
	uint64_t n; /* of the last event that it has, or does not want */
	bool greeting_due, reset_due, sign_due;
	bool unknown;       /* it may have listed unknown states: a reset once they are known */
	bool relists;       /* it was told to, and nobody knows when it does */
	int64_t written_us; /* when something was last written for it */
	struct event_client client;
};

struct event_listeners {
	struct events *events;
	struct event_listener *first;
	size_t len;
};

struct event_listeners *event_listeners_new(struct events *events)
{
	struct event_listeners *all = calloc(1, sizeof(*all));

	if (all != NULL)
		all->events = events;
	return all;
}

void event_listeners_free(struct event_listeners *all)
{
	free(all);
}

/* ---- what it wants ----------------------------------------------------------------------- */

static int compare_ids(const void *a, const void *b)
{
	return strcmp(((const struct worker_id *)a)->text, ((const struct worker_id *)b)->text);
}

static bool wants(const struct event_listener *l, const struct event *event)
{
	if (event->type == EVENT_RESET)
		return true;
	if ((l->filter.types & 1u << event->type) == 0)
		return false;
	return l->filter.workers == NULL || event->worker.text[0] == '\0' ||
	       bsearch(&event->worker, l->filter.workers, l->filter.workers_len,
		       sizeof(*l->filter.workers), compare_ids) != NULL;
}

/* Goes to the next event that it wants; NULL: there is none, or it is lost already. */
static const struct event *next_wanted(struct event_listener *l)
{
	const struct event *event;

	while ((event = events_at(l->all->events, l->n + 1)) != NULL) {
		if (wants(l, event) && events_write(l->all->events, l->n + 1))
			return event;
		l->n++;
	}
	return NULL;
}

static bool fell_behind(const struct event_listener *l)
{
	return l->n < events_newest(l->all->events) &&
	       events_at(l->all->events, l->n + 1) == NULL;
}

/* ---- text -------------------------------------------------------------------------------- */

static void write_event(const struct event_listener *l, struct buf *out, const char *name,
			const char *json, size_t len)
{
	char cursor[CURSOR_TEXT_SIZE];

	events_cursor_at(l->all->events, l->n, l->unknown, cursor);
	buf_printf(out, "id: %s\nevent: %s\ndata: ", cursor, name);
	buf_add(out, json, len);
	buf_add_str(out, "\n\n");
}

static void write_health(const struct event_listener *l, struct buf *out)
{
	struct buf json;

	events_health(l->all->events, &json);
	if (!json.failed)
		write_event(l, out, event_type_name(EVENT_HEALTH), json.data, json.len);
	buf_fini(&json);
}

/* Says that the stream has begun, through whatever buffers stand between, and where. */
static void write_greeting(const struct event_listener *l, struct buf *out)
{
	buf_printf(out, "retry: %d\n\n", RETRY_MS);
	if (l->filter.types & 1u << EVENT_HEALTH)
		write_health(l, out);
}

static void write_reset(struct event_listener *l, struct buf *out)
{
	static const char text[] =
		"{\"message\":\"events were missed, or states unknown: list again\"}";

	write_event(l, out, "reset", text, sizeof(text) - 1);
	l->relists = true;
}

static void write_events(struct event_listener *l, struct buf *out)
{
	const struct event *event;

	while (out->len < CHUNK_BYTES && !out->failed && (event = next_wanted(l)) != NULL) {
		l->n++;
		if (event->type == EVENT_RESET)
			write_reset(l, out);
		else
			write_event(l, out, event_type_name(event->type), event->json,
				    event->len);
	}
}

void event_listener_read(struct event_listener *l, struct buf *out)
{
	if (l->greeting_due)
		write_greeting(l, out);
	if (l->reset_due)
		write_reset(l, out);
	write_events(l, out);
	if (l->sign_due && out->len == 0)
		buf_add_str(out, ": still here\n\n");
	l->greeting_due = l->reset_due = l->sign_due = false;
	if (out->len > 0)
		l->written_us = clock_mono_us();
}

/* ---- all of them ------------------------------------------------------------------------- */

void event_listeners_wake(struct event_listeners *all)
{
	struct event_listener *l, *next;

	for (l = all->first; l != NULL; l = next) {
		next = l->next;
		if (fell_behind(l)) {
			tally_add(TALLY_LISTENERS_DROPPED);
			l->client.leave(l->client.arg, "too slow");
		} else if (l->reset_due || next_wanted(l) != NULL) {
			l->client.wake(l->client.arg);
		}
	}
}

void event_listeners_check(struct event_listeners *all)
{
	const int64_t now_us = clock_mono_us();
	struct event_listener *l, *next;

	for (l = all->first; l != NULL; l = next) {
		next = l->next;
		l->sign_due = now_us - l->written_us >= SIGN_OF_LIFE_US;
		if (!l->client.may_stay(l->client.arg))
			l->client.leave(l->client.arg, "signed out");
		else if (l->sign_due)
			l->client.wake(l->client.arg);
	}
}

void event_listeners_hear(struct event_listeners *all, bool known)
{
	struct event_listener *l, *next;

	for (l = all->first; l != NULL; l = next) {
		next = l->next;
		if (!known) {
			l->unknown = l->unknown || l->relists;
		} else if (l->unknown) {
			l->unknown = false;
			l->reset_due = true;
			l->client.wake(l->client.arg);
		}
	}
}

/* ---- one of them ------------------------------------------------------------------------- */

static void resume(struct event_listener *l, const char *text)
{
	struct events *events = l->all->events;
	struct watch_cursor cursor;

	l->n = events_newest(events);
	if (text == NULL)
		return;
	if (!events_resume(events, text, &cursor)) {
		l->reset_due = true;
		return;
	}
	l->n = cursor.n;
	l->reset_due = cursor.unknown && events_known(events);
	l->unknown = cursor.unknown && !l->reset_due;
}

struct event_listener *event_listen(struct events *events, struct event_filter *filter,
				    const char *cursor, const struct event_client *client,
				    struct err *e)
{
	struct event_listeners *all = events_listeners(events);
	struct event_listener *l;

	if (all->len >= LISTENERS_MAX) {
		err_set(e, ERR_RATE_LIMITED, "there are %d listeners already", LISTENERS_MAX);
		return NULL;
	}
	l = calloc(1, sizeof(*l));
	if (l == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	*l = (struct event_listener){
		.all = all, .filter = *filter, .client = *client, .greeting_due = true};
	*filter = (struct event_filter){0};
	if (l->filter.workers != NULL)
		qsort(l->filter.workers, l->filter.workers_len, sizeof(*l->filter.workers),
		      compare_ids);
	resume(l, cursor);
	l->written_us = clock_mono_us();
	l->next = all->first;
	if (l->next != NULL)
		l->next->prev = l;
	all->first = l;
	all->len++;
	return l;
}

void event_unlisten(struct event_listener *l)
{
	if (l->prev != NULL)
		l->prev->next = l->next;
	else
		l->all->first = l->next;
	if (l->next != NULL)
		l->next->prev = l->prev;
	l->all->len--;
	free(l->filter.workers);
	free(l);
}

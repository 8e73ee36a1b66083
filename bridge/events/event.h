// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* event.h - what changes, as a stream: list, then watch from the list's cursor.
 *
 * Mirror, roster and commands say what they changed in memory, on the loop thread, and each
 * change gets the next number of this process's log. A list is made on the same thread, so its
 * cursor (the newest number) says exactly which changes it contains. Presence, worker and
 * command events carry what happened. Reports come faster than people can look: a worker has at
 * most five `metrics` events a second, each with its latest report.
 *
 * A cursor of another process, or of events that the log no longer has, cannot be resumed: the
 * listener is told so (`reset`) and has to list again. So has who listed while states were
 * unknown, as soon as they are known: that they are is no change of any worker. Thread: loop.
 */
#pragma once

#include "bridge/events/cursor.h"
#include "bridge/events/event_log.h"
#include "protocol/buf.h"
#include "protocol/err.h"

#include <stdbool.h>

#define EVENT_FILTER_WORKERS_MAX 1000

struct app;
struct events;
struct event_listener;

struct events *events_new(struct app *app, struct err *e) MUST_CHECK;
void events_free(struct events *events); /* NULL is fine; all listeners have left */

/* Where the stream is now: what an answer that is made now contains. */
void events_cursor(struct events *events, char out[CURSOR_TEXT_SIZE]);

struct event_filter {
	unsigned types; /* 1u << enum event_type */
	struct worker_id
		*workers; /* in order of their text; owned by the listener; NULL: all */
	size_t workers_len;
};

/* Who listens. */
struct event_client {
	void (*wake)(void *arg);                   /* there is something to read again */
	void (*leave)(void *arg, const char *why); /* it has to go, whether or not it reads */
	bool (*may_stay)(void *arg);               /* asked once a second */
	void *arg;
};

/* Listens from just after `cursor` (NULL: from now; one that cannot be resumed: a reset first).
 * Takes the filter's workers. NULL after an error; ERR_RATE_LIMITED: there are too many. */
struct event_listener *event_listen(struct events *events, struct event_filter *filter,
				    const char *cursor, const struct event_client *client,
				    struct err *e);
void event_unlisten(struct event_listener *listener);

/* Adds what there is to read as text/event-stream (WHATWG HTML, section 9.2), some 64 KiB at a
 * time. Adds nothing: there is nothing now, and the client is woken when there is. */
void event_listener_read(struct event_listener *listener, struct buf *out);

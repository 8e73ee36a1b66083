// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* event_listener.h - event.c's view of its listeners, and theirs of it. Thread: loop. */
#pragma once

#include "bridge/events/event.h"
#include "protocol/buf.h"

struct event_listeners;

struct event_listeners *event_listeners_new(struct events *events); /* NULL: out of memory */
void event_listeners_free(struct event_listeners *all);             /* NULL is fine */

/* Wakes those for whom there is something. */
void event_listeners_wake(struct event_listeners *all);

/* Once a second: signs of life are due, and who may no longer listen is dismissed. */
void event_listeners_check(struct event_listeners *all);

/* Whether states are known now. Who may have listed unknown ones is told to list again when
 * they are: nobody tells of a worker that has never been connected. */
void event_listeners_hear(struct event_listeners *all, bool known);

/* Event n; NULL where it is gone or still to come. */
const struct event *events_at(const struct events *events, uint64_t n);

/* Writes event n's text if it has none yet and needs one. False: there is nothing to tell any
 * more. */
bool events_write(struct events *events, uint64_t n);
uint64_t events_newest(const struct events *events);
bool events_known(const struct events *events); /* are states? */

/* For a listener who has heard event n, and may (`unknown`) have listed unknown states. */
void events_cursor_at(const struct events *events, uint64_t n, bool unknown,
		      char out[CURSOR_TEXT_SIZE]);

/* False: what follows this cursor is not there. */
bool events_resume(const struct events *events, const char *text, struct watch_cursor *out);

/* Writes how broker and database are. */
void events_health(const struct events *events, struct buf *out);
struct event_listeners *events_listeners(struct events *events);

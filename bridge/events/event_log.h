// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* event_log.h - the newest events, numbered from 1 without gaps, so that a listener who was
 * away for a moment can go on where it was. Bounded in number and in bytes: the oldest go
 * first.
 *
 * Owns: its events. Pure: no I/O, no clock. Thread: one at a time.
 */
#pragma once

#include "protocol/ident.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENT_TYPE_LIST(X)                                                                     \
	X(PRESENCE, "presence")                                                                \
	X(METRICS, "metrics")                                                                  \
	X(WORKER, "worker")                                                                    \
	X(COMMAND, "command")                                                                  \
	X(HEALTH, "health")

enum event_type {
#define X(name, text) EVENT_##name,
	EVENT_TYPE_LIST(X)
#undef X
		EVENT_TYPES,
	/* Who has heard less than this has missed something, and lists again, whatever it asked
	 * for. About no worker, never has a text. */
	EVENT_RESET = EVENT_TYPES
};

const char *event_type_name(enum event_type type); /* of those in the list */
bool event_type_parse(const char *text, size_t len, enum event_type *out);

struct event {
	enum event_type type;
	struct worker_id worker; /* "" where it is about none */
	char *json;              /* NULL: not written yet, see event_log_set() */
	size_t len;
};

struct event_log;

/* NULL: out of memory. */
struct event_log *event_log_new(size_t max_events, size_t max_bytes);
void event_log_free(struct event_log *log); /* NULL is fine */

/* Adds an event (takes `json`, which free() releases; NULL: to be written when somebody reads
 * it) and returns its number. `worker` NULL: about none. */
uint64_t event_log_add(struct event_log *log, enum event_type type,
		       const struct worker_id *worker, char *json, size_t len);

/* Gives event n its text (takes it), if it is still there and has none. */
void event_log_set(struct event_log *log, uint64_t n, char *json, size_t len);

/* Numbers of the oldest event that is there, and of the newest ever; oldest = newest + 1 where
 * there is none. */
uint64_t event_log_oldest(const struct event_log *log);
uint64_t event_log_newest(const struct event_log *log);

/* Event n; NULL where it is gone or has not happened. Borrowed until the next event_log_add().
 */
const struct event *event_log_at(const struct event_log *log, uint64_t n);

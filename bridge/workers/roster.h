// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* roster.h - all worker records in memory, so that lists need no SQL.
 *
 * Loaded from the database at start and after every reconnect to it; each change that this
 * bridge commits is applied before its answer goes out; changes of other bridges are read by
 * revision once a second (WHERE revision > what is known, one query). While the database is
 * away the roster goes on answering reads. It says nothing about connections: that is the
 * mirror's, and joining the two is the REST handlers'.
 *
 * Owns: its records. Thread: loop.
 */
#pragma once

#include "protocol/err.h"
#include "protocol/htab.h"
#include "protocol/ident.h"

#include <stdbool.h>
#include <stdint.h>

#define WORKER_NAME_MAX 100 /* characters; four bytes each at most */
#define WORKER_TAGS_MAX 32

enum worker_status { WORKER_ACTIVE, WORKER_UPDATE_REQUIRED, WORKER_REVOKED };

/* The latest report, ready to be written into an answer. */
struct metric_latest {
	double memory, cpu, rate; /* NaN: not reported */
	int64_t received_ms;      /* 0: never reported */
	char *json;             /* its further keys as an object, as text; owned; NULL: none */
	char engine_status[33]; /* the last one received in metrics or state; "" if none */
	int64_t engine_status_ms; /* when */
};

/* What status answers say of a worker, as JSON text but for the age of its report: made when it
 * is first needed, dropped by every change of the record, out of date after every change of the
 * connection. */
struct status_row {
	char *text; /* owned; NULL: to be made */
	uint32_t len, age_at;
	uint32_t report_at, report_end; /* the report's members */
	uint64_t epoch; /* the mirror's when the connection was written; 0: it has changed */
};

struct record {
	struct worker_id id;
	char *name;
	char **tags; /* tags_len strings */
	size_t tags_len;
	enum worker_status status;
	int64_t token_expires_ms; /* of the current token; 0: it has none */
	int64_t created_ms;
	char *renewal_failure_reason; /* NULL: none */
	int64_t renewal_failure_ms;
	int64_t revision; /* n of its last change */
	struct metric_latest latest;
	const char *desired; /* the engine status that was ordered last; NULL: none. Static */
	int64_t desired_ms;  /* when, by the database's clock; 0: never, or by us just now */
	int64_t desired_noted_us; /* monotonic: when we learnt of it; 0: with the record */
	bool event_due;           /* event.c's: its latest report is about to be told */

	struct status_row status_row;
};

/* Drops the text. */
void status_row_drop(struct status_row *row);

struct app;
struct roster;

struct roster *roster_new(struct app *app, struct err *e) MUST_CHECK;
void roster_free(struct roster *r); /* NULL is fine */

/* Who wants to hear of what changes here. */
struct roster_watcher {
	/* `before` NULL: it is new here. */
	void (*put)(void *arg, const struct record *record, const struct record *before);
	void (*removed)(void *arg, const struct record *record);
	void (*reported)(void *arg, struct record *record); /* a report, or its engine status */
	void *arg;
};
void roster_set_watcher(struct roster *r, const struct roster_watcher *w); /* NULL: none */

/* Reads what changed now rather than within a second. */
void roster_refresh(struct roster *r);

/* False until it was loaded once. */
bool roster_loaded(const struct roster *r);

/* Borrowed until the loop's next turn; NULL if there is no such worker. */
struct record *roster_find(const struct roster *r, const struct worker_id *id);

/* The same with an error: before the first reading nothing is known, which is not the same as
 * "no such worker". */
struct record *roster_get(const struct roster *r, const struct worker_id *id, struct err *e);

size_t roster_len(const struct roster *r);

/* Records in order of (created_ms, id): index 0 to roster_len() - 1. */
struct record *roster_at(const struct roster *r, size_t index);

/* Index of the first record after (created_ms, id): where a page goes on. */
size_t roster_after(const struct roster *r, int64_t created_ms, const struct worker_id *id);

/* Puts a committed record in (takes it, also when it fails; replaces unless the known revision
 * is newer). */
enum err_code roster_put(struct roster *r, struct record **record, struct err *e) MUST_CHECK;
void roster_remove(struct roster *r, const struct worker_id *id, int64_t revision);

/* Replaces the latest report (takes m->json). Older receipts are ignored. */
void roster_set_latest(struct roster *r, const struct worker_id *id, struct metric_latest *m);

/* Notes an engine status that came by `workers/{id}/state`. Older ones are ignored. */
void roster_set_engine_status(struct roster *r, const struct worker_id *id, const char *status,
			      int64_t at_ms);

/* Notes what its engine should be doing. `at_ms` 0: it was ordered here, a moment ago. */
void roster_set_desired(struct roster *r, const struct worker_id *id, const char *status,
			int64_t at_ms);

/* "running" or "stopped" as a literal; NULL for everything else, NULL included. */
const char *engine_wish(const char *text);

/* Notes that the worker's connection is another one now. */
void roster_touch_connection(struct roster *r, const struct worker_id *id);

/* Calls news(arg, id) for each change of another bridge, as soon as it is read; with NULL where
 * there are too many to tell one by one. */
void roster_set_news(struct roster *r, void (*news)(void *arg, const struct worker_id *id),
		     void *arg);

/* Grows with every change: an ETag's ingredient. */
uint64_t roster_version(const struct roster *r);

const char *worker_status_name(enum worker_status status); /* "active", … */
void record_free(struct record *record);

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_audit.h - rows of the audit trail (table token_log). Thread: database. */
#pragma once

#include "bridge/db/db.h"
#include "bridge/events/cursor.h"
#include "bridge/http/http.h"

#include <stddef.h>
#include <stdint.h>

/* Who asked for something, kept for the row that it will leave. */
struct audit_origin {
	char actor[ACTOR_MAX + 1];
	char address[64];
	char request_id[33];
};

#define AUDIT_SEEN_LEN 32 /* hexadecimal digits */

/* All texts are borrowed and may be NULL, `event` excepted. Never a token or a password. */
struct audit_row {
	const char *worker_id;
	const char *event; /* "created", "login_refused", "command_done", … at most 32 bytes */
	const char *code;
	const char *actor;   /* user, or "key:NAME"; NULL: a worker or the system */
	const char *address; /* where it came from */
	const char *request_id;
	const char *detail; /* JSON text */
	const char *seen; /* of what every bridge hears: the same at each; NULL: nobody else */
	int64_t at_ms;    /* 0: now */
	int64_t count;    /* 0: one */
};

/* Belongs into the transaction of what it tells about. */
enum err_code store_audit_add(struct db *db, const struct audit_row *row,
			      struct err *e) MUST_CHECK;

/* Many at once, in one transaction, with `at_ms` and `count` given. Of those with the same
 * `seen` one stays, with the newest `detail`. */
enum err_code store_audit_add_all(struct db *db, const struct audit_row *const rows[],
				  size_t len, struct err *e) MUST_CHECK;

/* ---- reading ----------------------------------------------------------------------------- */

struct audit_query {
	const char *worker_id;      /* NULL: all, and what concerns none */
	const char *actor;          /* NULL: any */
	const char *types;          /* events, comma-separated; NULL: all */
	int64_t from_ms, to_ms;     /* [from, to) */
	struct audit_cursor cursor; /* only what is older; {INT64_MAX, 0}: all */
	int64_t limit;
};

/* A row as it is read: borrowed. */
struct audit_entry {
	int64_t id;
	struct audit_row row; /* `seen` is NULL */
	const char *reason;   /* of `detail`, or NULL */
};

/* Calls `take` for each, newest first. */
enum err_code store_audit_read(struct db *db, const struct audit_query *query,
			       void (*take)(void *arg, const struct audit_entry *entry),
			       void *arg, struct err *e) MUST_CHECK;

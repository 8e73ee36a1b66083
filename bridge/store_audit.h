// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_audit.h - rows of the audit trail (table token_log). Thread: database. */
#pragma once

#include "bridge/db.h"
#include "bridge/http.h"

#include <stdint.h>

/* Who asked for something, kept for the row that it will leave. */
struct audit_origin {
	char actor[ACTOR_MAX + 1];
	char address[64];
	char request_id[33];
};

/* All texts are borrowed and may be NULL, `event` excepted. Never a token or a password. */
struct audit_row {
	const char *worker_id;
	const char *event; /* "created", "login_refused", "command_done", … at most 32 bytes */
	const char *code;
	const char *actor;   /* user, or "key:NAME"; NULL: a worker or the system */
	const char *address; /* where it came from */
	const char *request_id;
	const char *detail; /* JSON text */
	int64_t at_ms;      /* 0: now */
	int64_t count;      /* 0: one */
};

/* Belongs into the transaction of what it tells about. */
enum err_code store_audit_add(struct db *db, const struct audit_row *row,
			      struct err *e) MUST_CHECK;

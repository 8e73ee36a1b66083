// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_command_read.h - commands as they are shown. Thread: database. */
#pragma once

#include "bridge/commands/command_result.h"
#include "bridge/db/db.h"
#include "bridge/events/cursor.h"

/* A command as it is read: texts are borrowed for the call; times are Unix, 0: not yet. */
struct command_entry {
	const char *id, *worker, *type;
	const char *payload; /* JSON text */
	const char *target, *key, *batch, *actor;
	enum command_state state;
	bool queue;
	int64_t created_ms, expires_ms;
	int64_t at_ms[COMMAND_STATES]; /* of each state but QUEUED, which is created_ms */
	const char *result;            /* JSON text */
	const char *error;
};

struct command_query {
	const char *worker;
	const char *states;           /* comma-separated; NULL: any */
	const char *type;             /* NULL: any */
	struct command_cursor cursor; /* only what is older; {INT64_MAX}: all */
	int64_t limit;
};

typedef void (*command_take_f)(void *arg, const struct command_entry *entry);

/* Calls `take` for each, newest first. */
enum err_code store_command_list(struct db *db, const struct command_query *query,
				 command_take_f take, void *arg, struct err *e) MUST_CHECK;

/* Calls `take` once, or: ERR_NOT_FOUND. */
enum err_code store_command_get(struct db *db, const struct worker_id *worker,
				const struct command_id *id, command_take_f take, void *arg,
				struct err *e) MUST_CHECK;

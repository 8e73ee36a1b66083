// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_command.h - commands in the database. A state advances by conditional updates only, so
 * that several bridges may hear of the same thing. Thread: database; each within a transaction.
 */
#pragma once

#include "bridge/command_result.h"
#include "bridge/db.h"

/* A command as it is asked for. Texts are borrowed. */
struct command_row {
	struct command_id id;
	struct worker_id worker;
	const char *type;
	const char *payload; /* JSON text */
	const char *target;
	const char *actor, *address, *request_id; /* who asked */
	int64_t created_ms, expires_ms;
};

/* Where a command stands. */
struct command_standing {
	bool found;   /* false: the worker has no such command */
	bool changed; /* by this call */
	enum command_state state;
	int64_t created_ms;
	char *result; /* JSON text, or NULL; owned */
	char *error;  /* or NULL; owned */
};

void command_standing_fini(struct command_standing *s);

enum err_code store_command_add(struct db *db, const struct command_row *row,
				struct err *e) MUST_CHECK;

/* The plugin reached a live session. */
enum err_code store_command_sent(struct db *db, const struct command_row *row,
				 struct command_standing *out, struct err *e) MUST_CHECK;

/* It could not be delivered to anybody. */
enum err_code store_command_undelivered(struct db *db, const struct command_row *row,
					const char *error, struct command_standing *out,
					struct err *e) MUST_CHECK;

/* The worker reported. */
enum err_code store_command_result(struct db *db, const struct command_result *result,
				   struct command_standing *out, struct err *e) MUST_CHECK;

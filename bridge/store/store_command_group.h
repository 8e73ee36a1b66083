// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_command_group.h - what has gathered about many commands, written in one transaction.
 * Thread: database. */
#pragma once

#include "bridge/store/store_command.h"
#include "protocol/log.h"

#define COMMAND_GROUP_MAX 200

enum command_write_kind {
	COMMAND_WRITE_ADD,    /* a new command, without an idempotency key, not kept */
	COMMAND_WRITE_SENT,   /* the plugin reached a session */
	COMMAND_WRITE_RESULT, /* the worker reported */
};

/* One thing to be written. Pointers are borrowed. */
struct command_write {
	enum command_write_kind kind;
	const struct command_row *row;       /* ADD, SENT */
	const struct command_result *result; /* RESULT */
	int64_t generation;                  /* SENT: of the session */
	struct command_standing *standing; /* SENT, RESULT: set on success, as for one alone */
	struct err e;                      /* what came of it */

	/* The writer's (command_writer.h). */
	void (*done)(void *arg, struct err *e);
	void *arg;
	struct log_cause cause;
	int64_t put_us;
	struct command_write *next;
};

/* Are they about the same command? */
bool command_write_same(const struct command_write *a, const struct command_write *b);

/* Writes the whole list, at most COMMAND_GROUP_MAX of each kind, as store_command_add(),
 * store_command_sent() and store_command_result() would in its order, and sets the `e` of each:
 * with a few statements in one transaction if every one changes what it is meant to change,
 * which is the rule. One that the database will not have holds up no other. No transaction. */
void store_command_group(struct db *db, struct command_write *list);

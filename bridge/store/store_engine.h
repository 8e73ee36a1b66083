// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_engine.h - what engines should be doing: columns of the table workers. Thread:
 * database.
 */
#pragma once

#include "bridge/commands/command_outgoing.h"
#include "bridge/db/db.h"

/* What was ordered last for a worker. */
struct engine_order {
	struct worker_id worker;
	const char *desired; /* "running", "stopped"; NULL: nothing any more */
	int64_t at_ms;       /* by the database's clock */
};

/* Orders since then (0: of the last minute); the caller frees *out. */
enum err_code store_engine_orders(struct db *db, int64_t since_ms, struct engine_order **out,
				  size_t *len, struct err *e) MUST_CHECK;

/* Somebody asked for what is so already: that is wanted from now on. A single statement. */
enum err_code store_engine_wish(struct db *db, const struct worker_id *worker,
				const char *desired, struct err *e) MUST_CHECK;

/* Makes a command that repeats the last order, if this is still what is wanted, the last such
 * command is a minute old, and it was carried out. *out: the command, to be sent; NULL: it is
 * not to be. `row`: worker, `desired`, type and times. A transaction of its own. */
enum err_code store_engine_reconcile(struct db *db, const struct command_row *row,
				     struct outgoing **out, struct err *e) MUST_CHECK;

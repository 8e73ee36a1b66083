// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/store/store_engine.h"

#include "bridge/db/stmt.h"
#include "bridge/workers/roster.h"

#include <stdio.h>
#include <stdlib.h>

static const char sql_orders[] = /* workers_by_desired */
	"SELECT id, desired_engine_status, desired_at FROM workers"
	" WHERE desired_at >= COALESCE(?, UTC_TIMESTAMP(3) - INTERVAL 1 MINUTE)";

/* A command that has been forgotten since was no failure that anybody remembers. */
static const char sql_claim[] =
	"UPDATE workers w LEFT JOIN commands c ON c.id = w.reconcile_command"
	" SET w.reconciled_at = UTC_TIMESTAMP(3), w.reconcile_command = ?"
	" WHERE w.id = ? AND w.desired_engine_status = ? AND (w.reconciled_at IS NULL OR"
	" w.reconciled_at < UTC_TIMESTAMP(3) - INTERVAL 1 MINUTE) AND"
	" (c.id IS NULL OR c.state = 'done')";
static const char sql_payload[] = "SELECT c.payload FROM workers w JOIN commands c"
				  " ON c.id = w.desired_command WHERE w.id = ?";

static const char sql_wish[] =
	"UPDATE workers SET desired_engine_status = ?, desired_at = UTC_TIMESTAMP(3),"
	" desired_command = NULL, reconciled_at = NULL, reconcile_command = NULL WHERE id = ?";

enum err_code store_engine_wish(struct db *db, const struct worker_id *worker,
				const char *desired, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_wish);

	stmt_str(q, desired);
	stmt_str(q, worker->text);
	stmt_exec(q);
	return stmt_end(q, e);
}

enum err_code store_engine_orders(struct db *db, int64_t since_ms, struct engine_order **out,
				  size_t *len, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_orders);
	size_t cap = 0;
	bool room = true;

	*out = NULL;
	*len = 0;
	stmt_time(q, since_ms);
	while (room && stmt_row(q)) {
		struct engine_order *o;

		if (*len == cap) {
			cap = cap == 0 ? 64 : cap * 2;
			o = realloc(*out, cap * sizeof(*o));
			room = o != NULL;
			if (!room)
				break;
			*out = o;
		}
		o = &(*out)[(*len)++];
		snprintf(o->worker.text, sizeof(o->worker.text), "%s", stmt_get_str(q, 0));
		o->desired = engine_wish(stmt_get_str(q, 1));
		o->at_ms = stmt_get_time(q, 2);
	}
	if (stmt_end(q, e) == ERR_OK && !room)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	return e->code;
}

struct reconciling {
	const struct command_row *row;
	struct outgoing **out;
};

static enum err_code claim(struct db *db, const struct command_row *row, bool *claimed,
			   struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_claim);

	stmt_str(q, row->id.text);
	stmt_str(q, row->worker.text);
	stmt_str(q, row->desired);
	*claimed = stmt_exec(q) > 0;
	return stmt_end(q, e);
}

/* With the options of the order that it repeats. */
static enum err_code copy_order(struct db *db, const struct reconciling *r, struct err *e)
{
	struct command_row row = *r->row;
	struct stmt *q = stmt_begin(db, sql_payload);

	row.desired = NULL; /* it is no new wish */
	stmt_str(q, row.worker.text);
	row.payload = stmt_row(q) ? stmt_get_str(q, 0) : "{}";
	*r->out = row.payload != NULL ? outgoing_new(&row) : NULL;
	if (stmt_end(q, e) == ERR_OK && *r->out == NULL)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	return e->code;
}

static enum err_code reconcile_in(struct db *db, void *arg, struct err *e)
{
	const struct reconciling *r = arg;
	bool claimed;

	outgoing_free_all(r->out); /* of an earlier try */
	if (claim(db, r->row, &claimed, e) != ERR_OK || !claimed ||
	    copy_order(db, r, e) != ERR_OK)
		return e->code;
	return store_command_add(db, &(*r->out)->row, e);
}

enum err_code store_engine_reconcile(struct db *db, const struct command_row *row,
				     struct outgoing **out, struct err *e)
{
	struct reconciling r = {row, out};

	*out = NULL;
	if (db_transaction(db, reconcile_in, &r, e) != ERR_OK)
		outgoing_free_all(out);
	return e->code;
}

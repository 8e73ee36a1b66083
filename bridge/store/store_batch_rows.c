// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/store/store_batch_rows.h"

#include "bridge/db/stmt.h"
#include "protocol/clock.h"

#include <stdio.h>
#include <stdlib.h>

/* Left to itself MariaDB goes by the state, through all commands there are, and locks them. */
#define OF_BATCH "commands FORCE INDEX (commands_by_batch)"
static const char sql_count[] =
	"SELECT state, COUNT(*) FROM " OF_BATCH " WHERE batch_id = ? GROUP BY state";
static const char sql_end[] =
	"UPDATE command_batches SET state = ?, ended_at = ? WHERE id = ? AND state = 'running'";
static const char sql_queued[] = "SELECT id, worker_id, created_at FROM " OF_BATCH
				 " WHERE batch_id = ? AND state = 'queued' FOR UPDATE";
static const char sql_log[] =
	"INSERT INTO token_log (worker_id, at, event, actor, address, request_id, detail)"
	" SELECT worker_id, ?, 'command_cancelled', ?, ?, ?,"
	" JSON_OBJECT('command_id', id, 'type', type) FROM " OF_BATCH
	" WHERE batch_id = ? AND state = 'queued'";
static const char sql_cancel[] =
	"UPDATE " OF_BATCH " SET state = 'cancelled', cancelled_at = ?, kept_for = NULL"
	" WHERE batch_id = ? AND state = 'queued'";
static const char sql_keep_no_more[] =
	"UPDATE " OF_BATCH " SET kept_for = NULL WHERE batch_id = ? AND kept_for IS NOT NULL";

void batch_read(struct stmt *q, struct batch_row *row, struct batch_progress *progress)
{
	row->type = stmt_get_str(q, 0);
	row->payload = stmt_get_str(q, 1);
	row->target = stmt_get_str(q, 2);
	row->ttl_ms = stmt_get_i64(q, 3);
	row->queue = stmt_get_i64(q, 4) != 0;
	row->max_per_minute = stmt_get_i64(q, 5);
	row->abort_percent = stmt_get_i64(q, 6);
	progress->total = stmt_get_i64(q, 7);
	progress->next = stmt_get_i64(q, 8);
	row->actor = stmt_get_str(q, 9);
}

enum err_code batch_count(struct db *db, const struct batch_id *id, struct batch_counts *out,
			  struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_count);
	enum command_state state;

	stmt_str(q, id->text);
	while (stmt_row(q))
		if (command_state_parse(stmt_get_str(q, 0), &state))
			out->of[state] = stmt_get_i64(q, 1);
	return stmt_end(q, e);
}

enum err_code batch_end(struct db *db, const struct batch_id *id, enum batch_state state,
			struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_end);

	stmt_str(q, batch_state_name(state));
	stmt_time(q, clock_unix_ms());
	stmt_str(q, id->text);
	stmt_exec(q);
	return stmt_end(q, e);
}

enum err_code batch_taken_read(struct stmt *q, struct batch_taken_list *out, struct err *e)
{
	bool room = true;

	out->len = 0;
	while (room && stmt_row(q)) {
		struct batch_taken *t;

		if (out->len == out->cap) {
			const size_t cap = out->cap == 0 ? 64 : out->cap * 2;

			t = realloc(out->list, cap * sizeof(*t));
			room = t != NULL;
			if (!room)
				break;
			out->list = t;
			out->cap = cap;
		}
		t = &out->list[out->len++];
		snprintf(t->id.text, sizeof(t->id.text), "%s", stmt_get_str(q, 0));
		snprintf(t->worker.text, sizeof(t->worker.text), "%s", stmt_get_str(q, 1));
		t->created_ms = stmt_get_time(q, 2);
	}
	if (stmt_end(q, e) == ERR_OK && !room)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	return e->code;
}

static enum err_code list_queued(struct db *db, const struct batch_id *id,
				 struct batch_taken_list *out, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_queued);

	stmt_str(q, id->text);
	return batch_taken_read(q, out, e);
}

static enum err_code log_queued(struct db *db, const struct batch_row *row, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_log);

	stmt_time(q, clock_unix_ms());
	stmt_str(q, row->actor);
	stmt_str(q, row->address);
	stmt_str(q, row->request_id);
	stmt_str(q, row->id.text);
	stmt_exec(q);
	return stmt_end(q, e);
}

enum err_code batch_take_back(struct db *db, const struct batch_row *row,
			      struct batch_taken_list *taken, struct err *e)
{
	struct stmt *q;

	if (list_queued(db, &row->id, taken, e) != ERR_OK || log_queued(db, row, e) != ERR_OK)
		return e->code;
	q = stmt_begin(db, sql_cancel);
	stmt_time(q, clock_unix_ms());
	stmt_str(q, row->id.text);
	stmt_exec(q);
	if (stmt_end(q, e) != ERR_OK)
		return e->code;
	q = stmt_begin(db, sql_keep_no_more);
	stmt_str(q, row->id.text);
	stmt_exec(q);
	return stmt_end(q, e);
}

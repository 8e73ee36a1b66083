// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/commands/batch_pace.h"
#include "bridge/db/stmt.h"
#include "bridge/store/store_batch_rows.h"
#include "bridge/store/store_command_bulk.h"
#include "protocol/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OWNED_S                                                                                \
	"5" /* unless its owner takes another step; see STEP_MAX_MS in command_batch.c */

/* What it is about, and how far it is. Texts are borrowed from the statement. */
struct batch {
	struct batch_row row;
	struct batch_progress progress;
	bool began;
	int64_t lag_ms; /* if it began: how long the next is due; below 0: not yet */
};

static const char sql_own[] =
	"UPDATE command_batches SET owner = ?, owned_until = UTC_TIMESTAMP(3)"
	" + INTERVAL " OWNED_S " SECOND WHERE id = ? AND state = 'running' AND"
	" (owner IS NULL OR owner = ? OR owned_until < UTC_TIMESTAMP(3))";
static const char sql_get[] =
	"SELECT " BATCH_COLUMNS ","
	" TIMESTAMPDIFF(MICROSECOND, next_at, UTC_TIMESTAMP(3)) DIV 1000, address, request_id"
	" FROM command_batches WHERE id = ?";
static const char sql_workers[] =
	"SELECT worker_id FROM command_batch_workers WHERE batch_id = ? AND position >= ?"
	" ORDER BY position LIMIT ?";
static const char sql_advance[] =
	"UPDATE command_batches SET next_position = ?,"
	" next_at = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND WHERE id = ?";
static const char sql_open[] =
	"SELECT 1 FROM commands FORCE INDEX (commands_by_batch) WHERE batch_id = ?"
	" AND state IN ('queued', 'sent', 'accepted') LIMIT 1";

struct step {
	const struct batch_id *id;
	const char *owner;
	struct batch_step *out;
};

static enum err_code own(struct db *db, const struct step *s, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_own);

	stmt_str(q, s->owner);
	stmt_str(q, s->id->text);
	stmt_str(q, s->owner);
	s->out->mine = stmt_exec(q) > 0;
	return stmt_end(q, e);
}

static void read_batch(struct stmt *q, struct batch *b)
{
	batch_read(q, &b->row, &b->progress);
	b->began = !stmt_is_null(q, BATCH_COLUMNS_LEN);
	b->lag_ms = stmt_get_i64(q, BATCH_COLUMNS_LEN);
	b->row.address = stmt_get_str(q, BATCH_COLUMNS_LEN + 1);
	b->row.request_id = stmt_get_str(q, BATCH_COLUMNS_LEN + 2);
}

/* ---- aborting, ending -------------------------------------------------------------------- */

static enum err_code check_failures(struct db *db, const struct step *s, const struct batch *b,
				    struct err *e)
{
	const struct batch_row nobody = {.id = *s->id}; /* asked for that */
	struct batch_counts c = {0};
	int64_t failed;

	if (b->row.abort_percent == 0)
		return ERR_OK;
	if (batch_count(db, s->id, &c, e) != ERR_OK)
		return e->code;
	failed = c.of[COMMAND_FAILED] + c.of[COMMAND_EXPIRED];
	s->out->aborted = batch_aborts(b->row.abort_percent, b->progress.total, failed,
				       failed + c.of[COMMAND_DONE]);
	if (!s->out->aborted || batch_end(db, s->id, BATCH_ABORTED, e) != ERR_OK)
		return e->code;
	return batch_take_back(db, &nobody, &s->out->taken, e);
}

static enum err_code end_if_over(struct db *db, const struct step *s, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_open);
	bool open;

	stmt_str(q, s->id->text);
	open = stmt_row(q);
	if (stmt_end(q, e) != ERR_OK || open)
		return e->code;
	s->out->mine = false;
	return batch_end(db, s->id, BATCH_DONE, e);
}

/* ---- going on ---------------------------------------------------------------------------- */

static enum err_code read_workers(struct db *db, const struct step *s, const struct batch *b,
				  int64_t max, int64_t *len, struct err *e)
{
	const int64_t now_ms = clock_unix_ms();
	struct command_row row = {.type = b->row.type,
				  .payload = b->row.payload,
				  .target = b->row.target,
				  .batch = s->id->text,
				  .desired = command_type_desires(b->row.type),
				  .actor = b->row.actor,
				  .address = b->row.address,
				  .request_id = b->row.request_id,
				  .created_ms = now_ms,
				  .expires_ms = now_ms + b->row.ttl_ms,
				  .queue = b->row.queue};
	struct stmt *q = stmt_begin(db, sql_workers);
	struct outgoing **end = &s->out->made;
	bool room = true;

	stmt_str(q, s->id->text);
	stmt_i64(q, b->progress.next);
	stmt_i64(q, max);
	for (*len = 0; room && stmt_row(q); ++*len) {
		snprintf(row.worker.text, sizeof(row.worker.text), "%s", stmt_get_str(q, 0));
		command_id_generate(now_ms, &row.id);
		*end = outgoing_new(&row);
		room = *end != NULL;
		if (room)
			end = &(*end)->next;
	}
	if (stmt_end(q, e) == ERR_OK && !room)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	return e->code;
}

static enum err_code advance(struct db *db, const struct step *s, int64_t next, int64_t next_us,
			     struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_advance);

	stmt_i64(q, next);
	stmt_i64(q, next_us);
	stmt_str(q, s->id->text);
	stmt_exec(q);
	return stmt_end(q, e);
}

static enum err_code add_made(struct db *db, const struct outgoing *made, int64_t len,
			      struct err *e)
{
	const struct command_row **rows =
		calloc((size_t)len + 1, sizeof(const struct command_row *));
	enum err_code code;
	size_t n = 0;

	if (rows == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	for (; made != NULL; made = made->next)
		rows[n++] = &made->row;
	code = store_command_add_all(db, rows, n, e);
	free(rows);
	return code;
}

static enum err_code issue(struct db *db, const struct step *s, const struct batch *b,
			   struct err *e)
{
	struct batch_pace pace;
	int64_t len = 0;

	batch_pace(b->row.max_per_minute, b->began, b->lag_ms, &pace);
	s->out->wait_ms = pace.wait_ms;
	if (pace.n == 0)
		return ERR_OK;
	if (read_workers(db, s, b, pace.n, &len, e) != ERR_OK ||
	    add_made(db, s->out->made, len, e) != ERR_OK)
		return e->code;
	s->out->issued_all = b->progress.next + len >= b->progress.total;
	return advance(db, s, b->progress.next + len, pace.next_us, e);
}

static enum err_code go_on(struct db *db, const struct step *s, const struct batch *b,
			   struct err *e)
{
	if (check_failures(db, s, b, e) != ERR_OK || s->out->aborted)
		return e->code;
	s->out->issued_all = b->progress.next >= b->progress.total;
	return s->out->issued_all ? end_if_over(db, s, e) : issue(db, s, b, e);
}

/* The batch's texts belong to its statement, which stays open meanwhile. */
static enum err_code step_in(struct db *db, void *arg, struct err *e)
{
	const struct step *s = arg;
	struct batch b = {.row.id = *s->id};
	struct err after = {0};
	struct stmt *q;

	outgoing_free_all(&s->out->made); /* of an earlier try */
	s->out->taken.len = 0;
	s->out->aborted = s->out->issued_all = false;
	s->out->wait_ms = 0;
	if (own(db, s, e) != ERR_OK || !s->out->mine)
		return e->code;
	q = stmt_begin(db, sql_get);
	stmt_str(q, s->id->text);
	if (stmt_row(q)) {
		read_batch(q, &b);
		go_on(db, s, &b, e);
	}
	if (stmt_end(q, &after) != ERR_OK && e->code == ERR_OK)
		*e = after;
	return e->code;
}

enum err_code store_batch_step(struct db *db, const struct batch_id *id, const char *owner,
			       struct batch_step *out, struct err *e)
{
	struct step s = {id, owner, out};

	if (db_transaction(db, step_in, &s, e) != ERR_OK) {
		outgoing_free_all(&out->made);
		out->taken.len = 0;
	}
	return e->code;
}

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* A batch as people ask for it, look at it and end it. How it goes on is in store_batch_step.c.
 */
#include "bridge/store/store_batch.h"

#include "bridge/db/stmt_bulk.h"
#include "bridge/store/store_audit.h"
#include "bridge/store/store_batch_rows.h"
#include "protocol/clock.h"
#include "protocol/jwrite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BULK_ROWS 5000

static const char sql_add[] =
	"INSERT INTO command_batches (id, type, payload, target, filter, ttl_ms, queue,"
	" max_per_minute, abort_percent, total, created_by, address, request_id, created_at)"
	" VALUES (?, ?, ?, ?, ?, ?, ?, NULLIF(?, 0), NULLIF(?, 0), ?, ?, ?, ?, ?)";
static const char sql_add_workers[] =
	"INSERT INTO command_batch_workers (batch_id, position, worker_id) VALUES (?, ?, ?)";
static const char sql_get[] = "SELECT " BATCH_COLUMNS ", state, filter, created_at, ended_at"
			      " FROM command_batches WHERE id = ? FOR UPDATE";
static const char sql_state[] = "SELECT state FROM command_batches WHERE id = ? FOR UPDATE";
static const char sql_orphans[] =
	"SELECT id FROM command_batches WHERE state = 'running' AND"
	" (owned_until IS NULL OR owned_until < UTC_TIMESTAMP(3)) LIMIT ?";
static const char sql_forget[] = /* ids begin with the time at which they were made */
	"DELETE FROM command_batches WHERE id < ? AND state <> 'running' LIMIT ?";

static const char *const states[] = {
#define X(name, text) text,
	BATCH_STATE_LIST(X)
#undef X
};

const char *batch_state_name(enum batch_state state)
{
	return states[state];
}

bool batch_state_parse(const char *text, enum batch_state *out)
{
	for (size_t i = 0; text != NULL && i < ARRAY_LEN(states); i++)
		if (strcmp(states[i], text) == 0) {
			*out = (enum batch_state)i;
			return true;
		}
	return false;
}

static enum err_code audit(struct db *db, const struct batch_row *row, const char *event,
			   int64_t total, struct err *e)
{
	struct audit_row out = {.event = event,
				.actor = row->actor,
				.address = row->address,
				.request_id = row->request_id};
	enum err_code code;
	struct buf detail;
	struct jwrite w;

	buf_init(&detail, 1024);
	jwrite_begin(&w, &detail);
	jwrite_object(&w, NULL);
	jwrite_str(&w, "batch_id", row->id.text);
	if (row->type != NULL) {
		jwrite_str(&w, "type", row->type);
		jwrite_i64(&w, "total", total);
	}
	jwrite_object_end(&w);
	out.detail = detail.data;
	code = detail.failed ? err_set(e, ERR_OUT_OF_MEMORY, NULL)
			     : store_audit_add(db, &out, e);
	buf_fini(&detail);
	return code;
}

/* ---- adding ------------------------------------------------------------------------------ */

struct addition {
	const struct batch_row *row;
	const struct worker_id *workers;
	size_t len;
};

static enum err_code add_row(struct db *db, const struct addition *a, struct err *e)
{
	const struct batch_row *row = a->row;
	struct stmt *q = stmt_begin(db, sql_add);

	stmt_str(q, row->id.text);
	stmt_str(q, row->type);
	stmt_str(q, row->payload);
	stmt_str(q, row->target);
	stmt_str(q, row->filter);
	stmt_i64(q, row->ttl_ms);
	stmt_i64(q, row->queue);
	stmt_i64(q, row->max_per_minute);
	stmt_i64(q, row->abort_percent);
	stmt_i64(q, (int64_t)a->len);
	stmt_str(q, row->actor);
	stmt_str(q, row->address);
	stmt_str(q, row->request_id);
	stmt_time(q, row->created_ms);
	stmt_exec(q);
	return stmt_end(q, e);
}

static enum err_code add_workers(struct db *db, const struct addition *a, size_t from,
				 struct bulk *b, struct err *e)
{
	struct stmt *q;

	bulk_reset(b);
	for (size_t i = from; i < a->len && bulk_rows(b) < BULK_ROWS; i++) {
		bulk_text(b, a->row->id.text, BATCH_ID_LEN);
		bulk_i64(b, (int64_t)i);
		bulk_text(b, a->workers[i].text, strlen(a->workers[i].text));
	}
	q = stmt_begin(db, sql_add_workers);
	stmt_bulk(q, b);
	return stmt_end(q, e);
}

static enum err_code add_in(struct db *db, void *arg, struct err *e)
{
	static const enum bulk_type types[] = {BULK_TEXT, BULK_I64, BULK_TEXT};
	const struct addition *a = arg;
	struct bulk *b;

	if (add_row(db, a, e) != ERR_OK ||
	    audit(db, a->row, "batch_created", (int64_t)a->len, e) != ERR_OK)
		return e->code;
	b = bulk_new(types, ARRAY_LEN(types), BULK_ROWS);
	if (b == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	for (size_t i = 0; i < a->len && e->code == ERR_OK; i += BULK_ROWS)
		add_workers(db, a, i, b, e);
	bulk_free(b);
	return e->code;
}

enum err_code store_batch_add(struct db *db, const struct batch_row *row,
			      const struct worker_id *workers, size_t len, struct err *e)
{
	struct addition a = {row, workers, len};

	return db_transaction(db, add_in, &a, e);
}

/* ---- looking ----------------------------------------------------------------------------- */

struct look {
	const struct batch_id *id;
	void (*take)(void *arg, const struct batch_entry *entry);
	void *arg;
	bool taken; /* once, although the transaction may be tried again */
};

static bool read_entry(struct stmt *q, struct batch_entry *out)
{
	struct batch_progress progress;

	if (!stmt_row(q) || !batch_state_parse(stmt_get_str(q, BATCH_COLUMNS_LEN), &out->state))
		return false;
	batch_read(q, &out->row, &progress);
	out->total = progress.total;
	out->counts.pending = progress.total - progress.next;
	out->row.filter = stmt_get_str(q, BATCH_COLUMNS_LEN + 1);
	out->row.created_ms = stmt_get_time(q, BATCH_COLUMNS_LEN + 2);
	out->ended_ms = stmt_get_time(q, BATCH_COLUMNS_LEN + 3);
	return true;
}

static bool is_over(const struct batch_counts *c)
{
	return c->pending == 0 && c->of[COMMAND_QUEUED] == 0 && c->of[COMMAND_SENT] == 0 &&
	       c->of[COMMAND_ACCEPTED] == 0;
}

/* The row's texts belong to its statement, which stays open while others are read. */
static enum err_code look_in(struct db *db, void *arg, struct err *e)
{
	struct look *l = arg;
	struct batch_entry entry = {.row.id = *l->id};
	struct stmt *q = stmt_begin(db, sql_get);
	bool found;

	stmt_str(q, l->id->text);
	found = read_entry(q, &entry);
	if (found && batch_count(db, l->id, &entry.counts, e) == ERR_OK) {
		if (entry.state == BATCH_RUNNING && is_over(&entry.counts) &&
		    batch_end(db, l->id, BATCH_DONE, e) == ERR_OK) {
			entry.state = BATCH_DONE;
			entry.ended_ms = clock_unix_ms();
		}
		if (e->code == ERR_OK && !l->taken)
			l->take(l->arg, &entry);
		l->taken = l->taken || e->code == ERR_OK;
	}
	if (e->code != ERR_OK) {
		struct err after;

		(void)(stmt_end(q, &after) == ERR_OK);
		return e->code;
	}
	if (stmt_end(q, e) == ERR_OK && !found)
		err_set(e, ERR_NOT_FOUND, "there is no such batch");
	return e->code;
}

enum err_code store_batch_get(struct db *db, const struct batch_id *id,
			      void (*take)(void *arg, const struct batch_entry *entry),
			      void *arg, struct err *e)
{
	struct look l = {id, take, arg, false};

	return db_transaction(db, look_in, &l, e);
}

/* ---- ending ------------------------------------------------------------------------------ */

struct cancellation {
	const struct batch_row *row;
	struct batch_taken_list *taken;
};

static enum err_code cancel_in(struct db *db, void *arg, struct err *e)
{
	const struct cancellation *c = arg;
	struct stmt *q = stmt_begin(db, sql_state);
	enum batch_state state = BATCH_RUNNING;
	bool found;

	c->taken->len = 0;
	stmt_str(q, c->row->id.text);
	found = stmt_row(q) && batch_state_parse(stmt_get_str(q, 0), &state);
	if (stmt_end(q, e) != ERR_OK)
		return e->code;
	if (!found)
		return err_set(e, ERR_NOT_FOUND, "there is no such batch");
	if (state == BATCH_CANCELLED)
		return ERR_OK;
	if (state != BATCH_RUNNING)
		return err_set(e, ERR_BATCH_ENDED, "the batch is %s", batch_state_name(state));
	if (batch_end(db, &c->row->id, BATCH_CANCELLED, e) != ERR_OK ||
	    batch_take_back(db, c->row, c->taken, e) != ERR_OK)
		return e->code;
	return audit(db, c->row, "batch_cancelled", 0, e);
}

enum err_code store_batch_cancel(struct db *db, const struct batch_row *row,
				 struct batch_taken_list *taken, struct err *e)
{
	struct cancellation c = {row, taken};

	return db_transaction(db, cancel_in, &c, e);
}

/* ---- upkeep ------------------------------------------------------------------------------ */

enum err_code store_batch_orphans(struct db *db, struct batch_id *out, size_t max, size_t *len,
				  struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_orphans);

	stmt_i64(q, (int64_t)max);
	*len = 0;
	while (*len < max && stmt_row(q))
		snprintf(out[(*len)++].text, sizeof(out[0].text), "%s", stmt_get_str(q, 0));
	return stmt_end(q, e);
}

enum err_code store_batch_forget(struct db *db, int64_t limit_ms, int64_t batch, int64_t *n,
				 struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_forget);
	struct command_id floor;

	command_id_floor(limit_ms, &floor);
	memcpy(floor.text, "bat_", 4);
	stmt_str(q, floor.text);
	stmt_i64(q, batch);
	*n = (int64_t)stmt_exec(q);
	return stmt_end(q, e);
}

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/store/store_command_bulk.h"

#include "bridge/db/stmt_bulk.h"
#include "bridge/store/store_audit.h"

#include <stdio.h>
#include <string.h>

#define ROWS_MAX 200
#define PACKET_BYTES ((size_t)4 * 1024 * 1024) /* a quarter of what MariaDB takes at once */
#define ROW_BYTES 400                          /* of a command, beside its payload */
#define DETAIL_BYTES 160

static const char sql_add[] =
	"INSERT INTO commands (id, worker_id, type, payload, target, state, created_by,"
	" created_at, expires_at, queue, kept_for, batch_id)"
	" VALUES (?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?)";
static const enum bulk_type add_types[] = {BULK_TEXT, BULK_TEXT, BULK_TEXT, BULK_TEXT,
					   BULK_TEXT, BULK_TEXT, BULK_TIME, BULK_TIME,
					   BULK_I64,  BULK_TEXT, BULK_TEXT};

static const char sql_desire[] =
	"UPDATE workers SET desired_engine_status = ?, desired_at = UTC_TIMESTAMP(3),"
	" desired_command = ?, reconciled_at = NULL, reconcile_command = NULL WHERE id = ?";
static const enum bulk_type desire_types[] = {BULK_TEXT, BULK_TEXT, BULK_TEXT};

static void add_command(struct bulk *b, const struct command_row *row)
{
	bulk_str(b, row->id.text);
	bulk_str(b, row->worker.text);
	bulk_str(b, row->type);
	bulk_str(b, row->payload);
	bulk_str(b, row->target);
	bulk_str(b, row->actor);
	bulk_time(b, row->created_ms);
	bulk_time(b, row->expires_ms);
	bulk_i64(b, row->queue);
	bulk_str(b, row->queue ? row->worker.text : NULL);
	bulk_str(b, row->batch);
}

static void add_desire(struct bulk *b, const struct command_row *row)
{
	bulk_str(b, row->desired);
	bulk_str(b, row->id.text);
	bulk_str(b, row->worker.text);
}

static enum err_code run(struct db *db, const char *sql, struct bulk *b, struct err *e)
{
	struct stmt *q;

	if (b == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	q = stmt_begin(db, sql);
	stmt_bulk(q, b);
	bulk_free(b);
	return stmt_end(q, e);
}

static enum err_code insert(struct db *db, const struct command_row *const rows[], size_t len,
			    struct err *e)
{
	struct bulk *b = bulk_new(add_types, ARRAY_LEN(add_types), (unsigned)len);

	for (size_t i = 0; b != NULL && i < len; i++)
		add_command(b, rows[i]);
	return run(db, sql_add, b, e);
}

static enum err_code desire(struct db *db, const struct command_row *const rows[], size_t len,
			    struct err *e)
{
	struct bulk *b = bulk_new(desire_types, ARRAY_LEN(desire_types), (unsigned)len);

	for (size_t i = 0; b != NULL && i < len; i++)
		if (rows[i]->desired != NULL)
			add_desire(b, rows[i]);
	return run(db, sql_desire, b, e);
}

/* What commands are named by needs no escaping. */
static enum err_code audit(struct db *db, const struct command_row *const rows[], size_t len,
			   struct err *e)
{
	static const char form[] = "{\"command_id\":\"%s\",\"type\":\"%s\"}";
	const struct audit_row *pointers[ROWS_MAX];
	struct audit_row audits[ROWS_MAX];
	char details[ROWS_MAX][DETAIL_BYTES];

	for (size_t i = 0; i < len; i++) {
		const struct command_row *row = rows[i];

		snprintf(details[i], DETAIL_BYTES, form, row->id.text, row->type);
		audits[i] = (struct audit_row){.worker_id = row->worker.text,
					       .event = "command",
					       .actor = row->actor,
					       .address = row->address,
					       .request_id = row->request_id,
					       .detail = details[i],
					       .at_ms = row->created_ms,
					       .count = 1};
		pointers[i] = &audits[i];
	}
	return store_audit_add_all(db, pointers, len, e);
}

static enum err_code add_some(struct db *db, const struct command_row *const rows[], size_t len,
			      struct err *e)
{
	if (insert(db, rows, len, e) != ERR_OK || desire(db, rows, len, e) != ERR_OK)
		return e->code;
	return audit(db, rows, len, e);
}

/* How many of them fit into one message. */
static size_t fit(const struct command_row *const rows[], size_t len)
{
	size_t bytes = 0, n = 0;

	for (; n < len && n < ROWS_MAX; n++) {
		bytes += strlen(rows[n]->payload) + ROW_BYTES;
		if (n > 0 && bytes > PACKET_BYTES)
			break;
	}
	return n;
}

enum err_code store_command_add_all(struct db *db, const struct command_row *const rows[],
				    size_t len, struct err *e)
{
	for (size_t done = 0, n; done < len; done += n) {
		n = fit(rows + done, len - done);
		if (add_some(db, rows + done, n, e) != ERR_OK)
			return e->code;
	}
	return ERR_OK;
}

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/store/store_audit.h"

#include "bridge/db/stmt.h"
#include "bridge/db/stmt_bulk.h"
#include "protocol/clock.h"
#include "protocol/util.h"

#define FOREVER_MS INT64_C(253402300799000) /* the end of year 9999 */

static const char sql_add[] =
	"INSERT INTO token_log (worker_id, at, event, code, actor, address, request_id, "
	"detail, count) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";

/* Not IGNORE, which would store what does not fit as something else. */
static const char sql_add_all[] = "INSERT INTO token_log (worker_id, at, event, code, actor, "
				  "address, request_id, detail, "
				  "count, seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, UNHEX(?)) "
				  "ON DUPLICATE KEY UPDATE detail = VALUES(detail)";
static const enum bulk_type add_all_types[] = {BULK_TEXT, BULK_TIME, BULK_TEXT, BULK_TEXT,
					       BULK_TEXT, BULK_TEXT, BULK_TEXT, BULK_TEXT,
					       BULK_I64,  BULK_TEXT};

/* Served by token_log_by_worker and token_log_by_time, both of which end with the id: read from
 * the newest on until the page is full. */
#define SELECT_ROWS                                                                            \
	"SELECT id, at, event, worker_id, code, actor, address, request_id, detail, "          \
	"count, JSON_VALUE(detail, '$.reason') FROM token_log "
#define PAGE                                                                                   \
	"at >= ? AND at < ? AND (at < ? OR id < ?) AND (? IS NULL OR FIND_IN_SET(event, ?)) "  \
	"AND (? IS NULL OR BINARY actor = ?) ORDER BY at DESC, id DESC LIMIT ?"

static const char sql_of_worker[] = SELECT_ROWS "WHERE worker_id = ? AND " PAGE;
static const char sql_of_all[] = SELECT_ROWS "WHERE " PAGE;

enum err_code store_audit_add(struct db *db, const struct audit_row *row, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_add);

	stmt_str(q, row->worker_id);
	stmt_time(q, row->at_ms != 0 ? row->at_ms : clock_unix_ms());
	stmt_str(q, row->event);
	stmt_str(q, row->code);
	stmt_str(q, row->actor);
	stmt_str(q, row->address);
	stmt_str(q, row->request_id);
	stmt_str(q, row->detail);
	stmt_i64(q, row->count != 0 ? row->count : 1);
	stmt_exec(q);
	return stmt_end(q, e);
}

static void add_row(struct bulk *b, const struct audit_row *row)
{
	bulk_str(b, row->worker_id);
	bulk_time(b, row->at_ms);
	bulk_str(b, row->event);
	bulk_str(b, row->code);
	bulk_str(b, row->actor);
	bulk_str(b, row->address);
	bulk_str(b, row->request_id);
	bulk_str(b, row->detail);
	bulk_i64(b, row->count);
	bulk_str(b, row->seen);
}

enum err_code store_audit_add_all(struct db *db, const struct audit_row *const rows[],
				  size_t len, struct err *e)
{
	struct bulk *b = bulk_new(add_all_types, ARRAY_LEN(add_all_types), (unsigned)len);
	struct stmt *q;

	if (b == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	for (size_t i = 0; i < len; i++)
		add_row(b, rows[i]);
	q = stmt_begin(db, sql_add_all);
	stmt_bulk(q, b);
	bulk_free(b);
	return stmt_end(q, e);
}

/* ---- reading ----------------------------------------------------------------------------- */

static void bind(struct stmt *q, const struct audit_query *query)
{
	const struct audit_cursor *c = &query->cursor;
	const int64_t cursor_ms = c->at_ms < FOREVER_MS ? c->at_ms : FOREVER_MS;
	int64_t to_ms = query->to_ms < FOREVER_MS ? query->to_ms : FOREVER_MS;

	/* What is newer than the cursor need not even be looked at. */
	if (cursor_ms < to_ms)
		to_ms = cursor_ms + 1;
	stmt_time(q, query->from_ms > 0 ? query->from_ms : 1);
	stmt_time(q, to_ms);
	stmt_time(q, cursor_ms);
	stmt_i64(q, c->id);
	stmt_str(q, query->types);
	stmt_str(q, query->types);
	stmt_str(q, query->actor);
	stmt_str(q, query->actor);
	stmt_i64(q, query->limit);
}

static void read_entry(struct stmt *q, struct audit_entry *out)
{
	*out = (struct audit_entry){
		.id = stmt_get_i64(q, 0),
		.reason = stmt_get_str(q, 10),
		.row =
			{
                              .at_ms = stmt_get_time(q, 1),
                              .event = stmt_get_str(q, 2),
                              .worker_id = stmt_get_str(q, 3),
                              .code = stmt_get_str(q, 4),
                              .actor = stmt_get_str(q, 5),
                              .address = stmt_get_str(q, 6),
                              .request_id = stmt_get_str(q, 7),
                              .detail = stmt_get_str(q, 8),
                              .count = stmt_get_i64(q, 9),
			      },
	};
}

enum err_code store_audit_read(struct db *db, const struct audit_query *query,
			       void (*take)(void *arg, const struct audit_entry *entry),
			       void *arg, struct err *e)
{
	struct stmt *q = stmt_begin(db, query->worker_id != NULL ? sql_of_worker : sql_of_all);
	struct audit_entry entry;

	if (query->worker_id != NULL)
		stmt_str(q, query->worker_id);
	bind(q, query);
	while (stmt_row(q)) {
		read_entry(q, &entry);
		take(arg, &entry);
	}
	return stmt_end(q, e);
}

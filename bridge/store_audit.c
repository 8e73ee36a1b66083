// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/store_audit.h"

#include "bridge/stmt.h"
#include "protocol/buf.h"
#include "protocol/clock.h"
#include "protocol/jwrite.h"

#include <string.h>

#define ROWS_BYTES ((size_t)16 * 1024 * 1024)
#define FOREVER_MS INT64_C(253402300799000) /* the end of year 9999 */

static const char sql_add[] =
	"INSERT INTO token_log (worker_id, at, event, code, actor, address, request_id, "
	"detail, count) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";

/* Not IGNORE, which would store what does not fit as something else. */
static const char sql_add_all[] =
	"INSERT INTO token_log (worker_id, at, event, code, actor, address, request_id, "
	"detail, "
	"count, seen) SELECT r.worker_id, r.at, r.event, r.code, r.actor, r.address, "
	"r.request_id, r.detail, r.count, UNHEX(r.seen) FROM JSON_TABLE(?, '$[*]' COLUMNS ("
	"worker_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin PATH '$[0]', "
	"at DATETIME(3) PATH '$[1]', event VARCHAR(32) PATH '$[2]', code VARCHAR(32) PATH "
	"'$[3]', "
	"actor VARCHAR(64) PATH '$[4]', address VARCHAR(64) PATH '$[5]', "
	"request_id VARCHAR(32) PATH '$[6]', detail LONGTEXT PATH '$[7]', count INT PATH "
	"'$[8]', "
	"seen CHAR(32) PATH '$[9]')) r ON DUPLICATE KEY UPDATE detail = VALUES(detail)";

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

/* As MariaDB reads a DATETIME: RFC 3339 without its "Z". */
static void write_time(struct jwrite *w, int64_t unix_ms)
{
	char text[CLOCK_TEXT_SIZE];

	clock_format(unix_ms, text);
	jwrite_strn(w, NULL, text, strcspn(text, "Z"));
}

static void write_row(struct jwrite *w, const struct audit_row *row)
{
	jwrite_array(w, NULL);
	jwrite_str(w, NULL, row->worker_id);
	write_time(w, row->at_ms);
	jwrite_str(w, NULL, row->event);
	jwrite_str(w, NULL, row->code);
	jwrite_str(w, NULL, row->actor);
	jwrite_str(w, NULL, row->address);
	jwrite_str(w, NULL, row->request_id);
	jwrite_str(w, NULL, row->detail);
	jwrite_i64(w, NULL, row->count);
	jwrite_str(w, NULL, row->seen);
	jwrite_array_end(w);
}

enum err_code store_audit_add_all(struct db *db, const struct audit_row *const rows[],
				  size_t len, struct err *e)
{
	struct buf text;
	struct stmt *q;
	struct jwrite w;

	buf_init(&text, ROWS_BYTES);
	jwrite_begin(&w, &text);
	jwrite_array(&w, NULL);
	for (size_t i = 0; i < len; i++)
		write_row(&w, rows[i]);
	jwrite_array_end(&w);
	if (text.failed) {
		buf_fini(&text);
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	}
	q = stmt_begin(db, sql_add_all);
	stmt_bytes(q, text.data, text.len);
	stmt_exec(q);
	(void)(stmt_end(q, e) == ERR_OK);
	buf_fini(&text);
	return e->code;
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

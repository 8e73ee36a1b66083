// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/store_audit.h"

#include "bridge/stmt.h"
#include "protocol/clock.h"

static const char sql_add[] =
	"INSERT INTO token_log (worker_id, at, event, code, actor, address, request_id, "
	"detail, count) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";

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

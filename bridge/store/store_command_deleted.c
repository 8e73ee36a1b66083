// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/store/store_command_deleted.h"

#include "bridge/db/stmt.h"
#include "bridge/store/store_batch_rows.h"
#include "protocol/clock.h"

/* Left to itself MariaDB may go by the state, through everybody's open commands, and lock them.
 */
#define OF_WORKER "commands FORCE INDEX (commands_by_worker)"
#define NOT_ACCEPTED " WHERE worker_id = ? AND state IN ('queued', 'sent')"
static const char sql_list[] =
	"SELECT id, worker_id, created_at FROM " OF_WORKER NOT_ACCEPTED " FOR UPDATE";
static const char sql_log[] =
	"INSERT INTO token_log (worker_id, at, event, actor, address, request_id, detail)"
	" SELECT worker_id, ?, 'command_cancelled', ?, ?, ?,"
	" JSON_OBJECT('command_id', id, 'type', type) FROM " OF_WORKER NOT_ACCEPTED;
static const char sql_cancel[] = "UPDATE " OF_WORKER " SET state = 'cancelled',"
				 " cancelled_at = ?, kept_for = NULL" NOT_ACCEPTED;

static enum err_code list(struct db *db, const struct worker_id *worker,
			  struct batch_taken_list *taken, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_list);

	stmt_str(q, worker->text);
	return batch_taken_read(q, taken, e);
}

static enum err_code note(struct db *db, const struct command_row *asked, int64_t now_ms,
			  struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_log);

	stmt_time(q, now_ms);
	stmt_str(q, asked->actor);
	stmt_str(q, asked->address);
	stmt_str(q, asked->request_id);
	stmt_str(q, asked->worker.text);
	stmt_exec(q);
	return stmt_end(q, e);
}

static enum err_code cancel(struct db *db, const struct worker_id *worker, int64_t now_ms,
			    struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_cancel);

	stmt_time(q, now_ms);
	stmt_str(q, worker->text);
	stmt_exec(q);
	return stmt_end(q, e);
}

enum err_code store_command_take_back_all(struct db *db, const struct command_row *asked,
					  struct batch_taken_list *taken, struct err *e)
{
	const int64_t now_ms = clock_unix_ms();

	if (list(db, &asked->worker, taken, e) != ERR_OK || taken->len == 0 ||
	    note(db, asked, now_ms, e) != ERR_OK)
		return e->code;
	return cancel(db, &asked->worker, now_ms, e);
}

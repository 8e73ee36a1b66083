// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/store/store_upkeep.h"

#include "bridge/db/stmt.h"
#include "protocol/clock.h"

/* Each by an index of its table: audit rows by token_log_by_time, and so on. */
static const char sql_forget_audit[] = "DELETE FROM token_log WHERE at < ? ORDER BY at LIMIT ?";
static const char sql_forget_tokens[] =
	"DELETE FROM tokens WHERE role = 'ended' AND ended_at < ? LIMIT ?";
static const char sql_forget_tombstones[] =
	"DELETE FROM worker_tombstones WHERE deleted_at < ? LIMIT ?";
static const char sql_forget_sessions[] = /* ended_sessions_by_expiry */
	"DELETE FROM ended_sessions WHERE expires_at < ? ORDER BY expires_at LIMIT ?";

#define EXPIRED                                                                                \
	"role = 'current' AND expiry_noted_at IS NULL AND expires_at <= ? ORDER BY "           \
	"expires_at, id LIMIT ?"
static const char sql_expired[] = "SELECT 1 FROM tokens WHERE " EXPIRED " FOR UPDATE";
static const char sql_log_expired[] =
	"INSERT INTO token_log (worker_id, at, event, detail)"
	" SELECT worker_id, ?, 'token_expired', JSON_OBJECT('expired_at',"
	" CONCAT(LEFT(DATE_FORMAT(expires_at, '%Y-%m-%dT%H:%i:%s.%f'), 23), 'Z')) FROM tokens "
	"WHERE " EXPIRED;
static const char sql_note_expired[] = "UPDATE tokens SET expiry_noted_at = ? WHERE " EXPIRED;

static enum err_code forget(struct db *db, const char *sql, int64_t limit_ms, int64_t batch,
			    int64_t *n, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql);

	stmt_time(q, limit_ms);
	stmt_i64(q, batch);
	*n = (int64_t)stmt_exec(q);
	return stmt_end(q, e);
}

enum err_code upkeep_forget_audit(struct db *db, int64_t limit_ms, int64_t batch, int64_t *n,
				  struct err *e)
{
	return forget(db, sql_forget_audit, limit_ms, batch, n, e);
}

enum err_code upkeep_forget_tokens(struct db *db, int64_t limit_ms, int64_t batch, int64_t *n,
				   struct err *e)
{
	return forget(db, sql_forget_tokens, limit_ms, batch, n, e);
}

enum err_code upkeep_forget_tombstones(struct db *db, int64_t limit_ms, int64_t batch,
				       int64_t *n, struct err *e)
{
	return forget(db, sql_forget_tombstones, limit_ms, batch, n, e);
}

enum err_code upkeep_forget_sessions(struct db *db, int64_t limit_ms, int64_t batch, int64_t *n,
				     struct err *e)
{
	return forget(db, sql_forget_sessions, limit_ms, batch, n, e);
}

/* ---- what is overdue ----------------------------------------------------------------------
 */

/* Three statements on the same rows: the first one locks them, so that the others find them. */
struct overdue {
	const char *find, *log, *change;
	int64_t limit_ms, batch, n;
};

static enum err_code change_overdue(struct db *db, const char *sql, const struct overdue *o,
				    struct err *e)
{
	struct stmt *q = stmt_begin(db, sql);

	stmt_time(q, clock_unix_ms());
	stmt_time(q, o->limit_ms);
	stmt_i64(q, o->batch);
	stmt_exec(q);
	return stmt_end(q, e);
}

static enum err_code transact(struct db *db, void *arg, struct err *e)
{
	struct overdue *o = arg;
	struct stmt *q = stmt_begin(db, o->find);

	stmt_time(q, o->limit_ms);
	stmt_i64(q, o->batch);
	o->n = 0;
	while (stmt_row(q))
		o->n++;
	if (stmt_end(q, e) != ERR_OK || o->n == 0 || change_overdue(db, o->log, o, e) != ERR_OK)
		return e->code;
	return change_overdue(db, o->change, o, e);
}

static enum err_code settle(struct db *db, struct overdue *o, int64_t *n, struct err *e)
{
	(void)(db_transaction(db, transact, o, e) == ERR_OK);
	*n = o->n;
	return e->code;
}

enum err_code upkeep_note_expired_tokens(struct db *db, int64_t limit_ms, int64_t batch,
					 int64_t *n, struct err *e)
{
	struct overdue o = {sql_expired, sql_log_expired, sql_note_expired, limit_ms, batch, 0};

	return settle(db, &o, n, e);
}

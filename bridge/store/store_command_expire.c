// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/store/store_command_expire.h"

#include "bridge/db/stmt.h"
#include "protocol/clock.h"

#include <stdio.h>

/* By commands_by_expiry. The statements find the same rows, for the first one locks them. */
#define OVERDUE                                                                                \
	"state IN ('queued', 'sent', 'accepted') AND expires_at <= ?"                          \
	" ORDER BY expires_at, id LIMIT ?"
static const char sql_find[] =
	"SELECT id, worker_id, created_at FROM commands WHERE " OVERDUE " FOR UPDATE";
static const char sql_log[] =
	"INSERT INTO token_log (worker_id, at, event, detail)"
	" SELECT worker_id, ?, 'command_expired',"
	" JSON_OBJECT('command_id', id, 'type', type) FROM commands WHERE " OVERDUE;
static const char sql_expire[] =
	"UPDATE commands SET state = 'expired', kept_for = NULL, expired_at = ? WHERE " OVERDUE;

static const char sql_next[] =
	"SELECT MIN(at) FROM ("
	"SELECT MIN(expires_at) AS at FROM commands WHERE state = 'queued' UNION ALL "
	"SELECT MIN(expires_at) FROM commands WHERE state = 'sent' UNION ALL "
	"SELECT MIN(expires_at) FROM commands WHERE state = 'accepted') AS open";

/* An id begins with the time at which it was made, so the primary key is in order of age. */
static const char sql_forget[] =
	"DELETE FROM commands WHERE id < ? AND state NOT IN ('queued', 'sent', 'accepted')"
	" ORDER BY id LIMIT ?";

struct expiry {
	int64_t now_ms;
	struct commands_expired *out;
};

static enum err_code find(struct db *db, const struct expiry *x, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_find);

	stmt_time(q, x->now_ms);
	stmt_i64(q, COMMANDS_EXPIRED_MAX);
	x->out->len = 0;
	while (x->out->len < COMMANDS_EXPIRED_MAX && stmt_row(q)) {
		struct command_expired *c = &x->out->list[x->out->len++];

		snprintf(c->id.text, sizeof(c->id.text), "%s", stmt_get_str(q, 0));
		snprintf(c->worker.text, sizeof(c->worker.text), "%s", stmt_get_str(q, 1));
		c->created_ms = stmt_get_time(q, 2);
	}
	return stmt_end(q, e);
}

static enum err_code change(struct db *db, const char *sql, const struct expiry *x,
			    struct err *e)
{
	struct stmt *q = stmt_begin(db, sql);

	stmt_time(q, clock_unix_ms());
	stmt_time(q, x->now_ms);
	stmt_i64(q, COMMANDS_EXPIRED_MAX);
	stmt_exec(q);
	return stmt_end(q, e);
}

static enum err_code transact(struct db *db, void *arg, struct err *e)
{
	const struct expiry *x = arg;

	if (find(db, x, e) != ERR_OK || x->out->len == 0 || change(db, sql_log, x, e) != ERR_OK)
		return e->code;
	return change(db, sql_expire, x, e);
}

enum err_code store_command_expire(struct db *db, int64_t now_ms, struct commands_expired *out,
				   struct err *e)
{
	struct expiry x = {now_ms, out};

	return db_transaction(db, transact, &x, e);
}

enum err_code store_command_next_expiry(struct db *db, int64_t *at_ms, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_next);

	*at_ms = stmt_row(q) ? stmt_get_time(q, 0) : 0;
	return stmt_end(q, e);
}

enum err_code store_command_forget(struct db *db, int64_t limit_ms, int64_t batch, int64_t *n,
				   struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_forget);
	struct command_id floor;

	command_id_floor(limit_ms, &floor);
	stmt_str(q, floor.text);
	stmt_i64(q, batch);
	*n = (int64_t)stmt_exec(q);
	return stmt_end(q, e);
}

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/store/store_life.h"

#include "bridge/db/stmt.h"
#include "protocol/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_MAX (LIFE_TOKENS_MAX - 4) /* room for what is begun */

static const char sql_worker[] =
	"SELECT status, renewal_failure_reason, renewal_failure_at FROM workers WHERE id = ?";
/* Those that are valid, and the newest of the others: what a worker logged in with may have
 * ended while the news was on its way. */
static const char sql_tokens[] =
	"SELECT hash, role, created_at, sent_at, given_up_at, confirmed_at, expires_at"
	" FROM (SELECT * FROM tokens FORCE INDEX (tokens_by_worker) WHERE worker_id = ?"
	" ORDER BY role = 'ended', id DESC LIMIT ?) t ORDER BY id";
static const char sql_put_worker[] =
	"UPDATE workers SET status = ?, renewal_failure_reason = ?, renewal_failure_at = ?,"
	" revision = ? WHERE id = ?";
static const char sql_put_token[] =
	"INSERT INTO tokens (worker_id, hash, role, created_at, sent_at, given_up_at,"
	" confirmed_at, expires_at, ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
	" ON DUPLICATE KEY UPDATE role = VALUES(role), sent_at = VALUES(sent_at),"
	" given_up_at = VALUES(given_up_at), confirmed_at = VALUES(confirmed_at),"
	" expires_at = VALUES(expires_at), ended_at = VALUES(ended_at)";

/* By tokens_by_role_and_age and tokens_by_expiry. */
static const char sql_overdue[] =
	"SELECT DISTINCT worker_id FROM tokens WHERE role = 'pending' AND created_at <= ?"
	" AND given_up_at IS NULL LIMIT ?";
static const char sql_due[] =
	"SELECT t.worker_id, (SELECT MAX(p.created_at) FROM tokens p"
	"  WHERE p.worker_id = t.worker_id AND p.role = 'pending' AND p.sent_at IS NOT NULL"
	"  AND p.given_up_at IS NULL)"
	" FROM tokens t JOIN workers w ON w.id = t.worker_id"
	" WHERE t.role = 'current' AND t.expires_at > ? AND t.expires_at <= ?"
	" AND w.status <> 'revoked' AND NOT EXISTS (SELECT 1 FROM tokens g"
	"  WHERE g.worker_id = t.worker_id AND g.role = 'pending'"
	"  AND g.given_up_at IS NOT NULL AND g.created_at > ?)"
	" ORDER BY t.expires_at LIMIT ?";

/* ---- one worker -------------------------------------------------------------------------- */

static void read_token(struct stmt *q, struct life_token *out)
{
	const char *role = stmt_get_str(q, 1);

	*out = (struct life_token){.created_ms = stmt_get_time(q, 2),
				   .sent_ms = stmt_get_time(q, 3),
				   .given_up_ms = stmt_get_time(q, 4),
				   .confirmed_ms = stmt_get_time(q, 5),
				   .expires_ms = stmt_get_time(q, 6)};
	snprintf(out->hash, sizeof(out->hash), "%s", stmt_get_str(q, 0));
	/* The table does not say what an ended token was; that only a pending one can matter
	 * again, and only while it is newer than the current one, token_life.c knows. */
	out->ended = !token_role_parse(role, &out->role);
	if (out->ended)
		out->role = TOKEN_PENDING;
}

static enum err_code read_tokens(struct db *db, const struct worker_id *id, struct life *out,
				 struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_tokens);

	stmt_str(q, id->text);
	stmt_i64(q, READ_MAX);
	while (out->len < READ_MAX && stmt_row(q))
		read_token(q, &out->tokens[out->len++]);
	return stmt_end(q, e);
}

enum err_code store_life_read(struct db *db, const struct worker_id *id, struct life *out,
			      struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_worker);
	const char *reason;
	bool found;

	*out = (struct life){0};
	stmt_str(q, id->text);
	found = stmt_row(q) && worker_status_parse(stmt_get_str(q, 0), &out->status);
	if (found) {
		reason = stmt_get_str(q, 1);
		snprintf(out->failure, sizeof(out->failure), "%s",
			 reason != NULL ? reason : "");
		out->failure_ms = stmt_get_time(q, 2);
	}
	if (stmt_end(q, e) != ERR_OK)
		return e->code;
	if (!found)
		return err_set(e, ERR_WORKER_NOT_FOUND, NULL);
	return read_tokens(db, id, out, e);
}

static enum err_code write_token(struct db *db, const struct worker_id *id,
				 const struct life_token *token, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_put_token);

	stmt_str(q, id->text);
	stmt_str(q, token->hash);
	stmt_str(q, token->ended ? "ended" : token_role_name(token->role));
	stmt_time(q, token->created_ms);
	stmt_time(q, token->sent_ms);
	stmt_time(q, token->given_up_ms);
	stmt_time(q, token->confirmed_ms);
	stmt_time(q, token->expires_ms);
	stmt_time(q, token->ended ? clock_unix_ms() : 0);
	stmt_exec(q);
	return stmt_end(q, e);
}

enum err_code store_life_write(struct db *db, const struct worker_id *id,
			       const struct life *life, int64_t n, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_put_worker);

	stmt_str(q, worker_status_name(life->status));
	stmt_str(q, life->failure[0] != '\0' ? life->failure : NULL);
	stmt_time(q, life->failure_ms);
	stmt_i64(q, n);
	stmt_str(q, id->text);
	stmt_exec(q);
	if (stmt_end(q, e) != ERR_OK)
		return e->code;
	for (size_t i = 0; i < life->len; i++)
		if (life->tokens[i].changed &&
		    write_token(db, id, &life->tokens[i], e) != ERR_OK)
			return e->code;
	return ERR_OK;
}

/* ---- lists ------------------------------------------------------------------------------- */

static void add(struct life_candidate *out, size_t *len, const char *id, bool overdue,
		int64_t told_ms)
{
	struct life_candidate *c = &out[*len];

	if (id == NULL || !worker_id_parse(id, strlen(id), &c->id))
		return;
	c->overdue = overdue;
	c->told_ms = told_ms;
	++*len;
}

static enum err_code list_overdue(struct db *db, const struct life_spans *spans, int64_t now_ms,
				  struct life_candidate *out, size_t max, size_t *len,
				  struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_overdue);

	stmt_time(q, now_ms - spans->timeout_ms);
	stmt_i64(q, (int64_t)(max - *len));
	while (*len < max && stmt_row(q))
		add(out, len, stmt_get_str(q, 0), true, 0);
	return stmt_end(q, e);
}

static enum err_code list_due(struct db *db, const struct life_spans *spans, int64_t now_ms,
			      struct life_candidate *out, size_t max, size_t *len,
			      struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_due);

	stmt_time(q, now_ms);
	stmt_time(q, now_ms + spans->window_ms);
	stmt_time(q, now_ms - spans->retry_ms);
	stmt_i64(q, (int64_t)(max - *len));
	while (*len < max && stmt_row(q))
		add(out, len, stmt_get_str(q, 0), false, stmt_get_time(q, 1));
	return stmt_end(q, e);
}

enum err_code store_life_candidates(struct db *db, const struct life_spans *spans,
				    int64_t now_ms, struct life_candidate *out, size_t max,
				    size_t *len, struct err *e)
{
	*len = 0;
	if (list_overdue(db, spans, now_ms, out, max, len, e) != ERR_OK)
		return e->code;
	return list_due(db, spans, now_ms, out, max, len, e);
}

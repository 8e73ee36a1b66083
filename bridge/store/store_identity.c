// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/store/store_identity.h"

#include "bridge/db/stmt.h"
#include "protocol/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char SQL_N[] = "SELECT n FROM identity_state";
static const char SQL_NEXT[] = "UPDATE identity_state SET n = LAST_INSERT_ID(n + 1)";
static const char SQL_ENDED[] = /* ended_sessions_by_n */
	"SELECT jti, expires_at FROM ended_sessions WHERE n > ? AND expires_at > ?";
static const char SQL_END[] =
	"INSERT INTO ended_sessions (jti, n, expires_at) VALUES (?, ?, ?) "
	"ON DUPLICATE KEY UPDATE ended_sessions.n = ended_sessions.n";
void identity_rows_fini(struct identity_rows *rows)
{
	free(rows->users.rows);
	free(rows->keys.rows);
	free(rows->ended);
	*rows = (struct identity_rows){0};
}

static struct ended_session *grow(struct identity_rows *rows)
{
	const size_t cap = rows->ended_cap == 0 ? 16 : rows->ended_cap * 2;
	struct ended_session *ended;

	if (rows->ended_len < rows->ended_cap)
		return &rows->ended[rows->ended_len++];
	ended = realloc(rows->ended, cap * sizeof(*ended));
	if (ended == NULL)
		return NULL;
	rows->ended = ended;
	rows->ended_cap = cap;
	return &ended[rows->ended_len++];
}

static enum err_code read_ended(struct db *db, int64_t since, struct identity_rows *out,
				struct err *e)
{
	struct stmt *q = stmt_begin(db, SQL_ENDED);
	struct ended_session *session;
	bool room = true;

	stmt_i64(q, since);
	stmt_time(q, clock_unix_ms());
	while (room && stmt_row(q)) {
		session = grow(out);
		room = session != NULL;
		if (!room)
			break;
		snprintf(session->jti, sizeof(session->jti), "%s", stmt_get_str(q, 0));
		session->expires_ms = stmt_get_time(q, 1);
	}
	if (stmt_end(q, e) == ERR_OK && !room)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	return e->code;
}

enum err_code store_identity_read(struct db *db, int64_t known, struct identity_rows *out,
				  struct err *e)
{
	struct stmt *q = stmt_begin(db, SQL_N);

	identity_rows_fini(out);
	out->n = stmt_row(q) ? stmt_get_i64(q, 0) : 0;
	if (stmt_end(q, e) != ERR_OK || out->n == known)
		return e->code;
	/* n first: what is read after it can only be newer. One that went back is of another
	 * database than before. */
	out->all = known < 0 || out->n < known;
	if (store_user_list(db, &out->users, e) != ERR_OK ||
	    store_key_list(db, &out->keys, e) != ERR_OK)
		return e->code;
	return read_ended(db, out->all ? -1 : known, out, e);
}

enum err_code store_identity_next(struct db *db, int64_t *n, struct err *e)
{
	struct stmt *q = stmt_begin(db, SQL_NEXT);

	stmt_exec(q);
	*n = stmt_insert_id(q);
	return stmt_end(q, e);
}

enum err_code store_session_end(struct db *db, const struct ended_session *session, int64_t n,
				struct err *e)
{
	struct stmt *q = stmt_begin(db, SQL_END);

	stmt_str(q, session->jti);
	stmt_i64(q, n);
	stmt_time(q, session->expires_ms);
	stmt_exec(q);
	return stmt_end(q, e);
}

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/store/store_token.h"

#include "bridge/db/stmt.h"
#include "protocol/clock.h"

static const char SQL_ADD[] =
	"INSERT INTO tokens (worker_id, hash, role, created_at, expires_at) "
	"VALUES (?, ?, 'current', ?, ?)";
/* Both by tokens_by_worker. */
static const char SQL_END_ALL[] =
	"UPDATE tokens SET role = 'ended', ended_at = ? "
	"WHERE worker_id = ? AND role IN ('current', 'pending', 'previous')";
static const char SQL_END_PREVIOUS[] = "UPDATE tokens SET role = 'ended', ended_at = ? "
				       "WHERE worker_id = ? AND role = 'previous'";

enum err_code store_token_add(struct db *db, const struct worker_id *id,
			      const struct token_hash *hash, int64_t expires_ms, struct err *e)
{
	struct stmt *q = stmt_begin(db, SQL_ADD);
	char hex[TOKEN_HEX_LEN + 1];

	token_hash_print(hash, hex);
	stmt_str(q, id->text);
	stmt_str(q, hex);
	stmt_time(q, clock_unix_ms());
	stmt_time(q, expires_ms);
	stmt_exec(q);
	return stmt_end(q, e);
}

static enum err_code end(struct db *db, const char *sql, const struct worker_id *id,
			 struct err *e)
{
	struct stmt *q = stmt_begin(db, sql);

	stmt_time(q, clock_unix_ms());
	stmt_str(q, id->text);
	stmt_exec(q);
	return stmt_end(q, e);
}

enum err_code store_token_end_all(struct db *db, const struct worker_id *id, struct err *e)
{
	return end(db, SQL_END_ALL, id, e);
}

enum err_code store_token_end_previous(struct db *db, const struct worker_id *id, struct err *e)
{
	return end(db, SQL_END_PREVIOUS, id, e);
}

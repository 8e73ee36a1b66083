// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/store/store_key.h"

#include "bridge/db/stmt.h"
#include "bridge/identity/scope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Few rows; api_keys_by_hash gives the order. */
static const char SQL_LIST[] = "SELECT id, name, hash, scopes, created_by, created_at, "
			       "expires_at, last_used_at FROM api_keys ORDER BY hash";
static const char SQL_ADD[] = "INSERT INTO api_keys (id, name, hash, scopes, created_by, "
			      "created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)";
static const char SQL_NAME[] = "SELECT name FROM api_keys WHERE id = ?";
static const char SQL_DELETE[] = "DELETE FROM api_keys WHERE id = ?";
static const char SQL_USED[] = "UPDATE api_keys SET last_used_at = "
			       "GREATEST(COALESCE(last_used_at, ?), ?) WHERE id = ?";

static bool read_row(struct stmt *q, struct key_row *out)
{
	const char *hash = stmt_get_str(q, 2);

	*out = (struct key_row){0};
	snprintf(out->id, sizeof(out->id), "%s", stmt_get_str(q, 0));
	snprintf(out->name, sizeof(out->name), "%s", stmt_get_str(q, 1));
	out->scopes = scopes_parse(stmt_get_str(q, 3));
	snprintf(out->created_by, sizeof(out->created_by), "%s", stmt_get_str(q, 4));
	out->created_ms = stmt_get_time(q, 5);
	out->expires_ms = stmt_get_time(q, 6);
	out->last_used_ms = stmt_get_time(q, 7);
	return token_hash_parse(hash, strlen(hash), &out->hash);
}

static bool list_grow(struct key_list *list, size_t *cap)
{
	struct key_row *rows;

	if (list->len < *cap)
		return true;
	*cap = *cap == 0 ? 16 : *cap * 2;
	rows = realloc(list->rows, *cap * sizeof(*rows));
	if (rows == NULL)
		return false;
	list->rows = rows;
	return true;
}

enum err_code store_key_list(struct db *db, struct key_list *out, struct err *e)
{
	struct stmt *q = stmt_begin(db, SQL_LIST);
	size_t cap = 0;
	bool room = true;

	*out = (struct key_list){0};
	while (room && stmt_row(q)) {
		room = list_grow(out, &cap);
		/* A hash that is none was put there by hand; no key has it. */
		if (room && read_row(q, &out->rows[out->len]))
			out->len++;
	}
	if (stmt_end(q, e) == ERR_OK && room)
		return ERR_OK;
	free(out->rows);
	*out = (struct key_list){0};
	return room ? e->code : err_set(e, ERR_OUT_OF_MEMORY, NULL);
}

enum err_code store_key_add(struct db *db, const struct key_row *key, struct err *e)
{
	struct stmt *q = stmt_begin(db, SQL_ADD);
	char hex[TOKEN_HEX_LEN + 1], scopes[SCOPES_TEXT_SIZE];

	token_hash_print(&key->hash, hex);
	scopes_print(key->scopes, scopes);
	stmt_str(q, key->id);
	stmt_str(q, key->name);
	stmt_str(q, hex);
	stmt_str(q, scopes);
	stmt_str(q, key->created_by);
	stmt_time(q, key->created_ms);
	stmt_time(q, key->expires_ms);
	stmt_exec(q);
	return stmt_end(q, e);
}

enum err_code store_key_delete(struct db *db, const char *id, char name[KEY_NAME_MAX + 1],
			       struct err *e)
{
	struct stmt *q = stmt_begin(db, SQL_NAME);
	bool found;

	stmt_str(q, id);
	found = stmt_row(q);
	if (found)
		snprintf(name, KEY_NAME_MAX + 1, "%s", stmt_get_str(q, 0));
	if (stmt_end(q, e) != ERR_OK)
		return e->code;
	if (!found)
		return err_set(e, ERR_NOT_FOUND, "no such key");
	q = stmt_begin(db, SQL_DELETE);
	stmt_str(q, id);
	stmt_exec(q);
	return stmt_end(q, e);
}

enum err_code store_key_used(struct db *db, const char *id, int64_t at_ms, struct err *e)
{
	struct stmt *q = stmt_begin(db, SQL_USED);

	stmt_time(q, at_ms);
	stmt_time(q, at_ms);
	stmt_str(q, id);
	stmt_exec(q);
	return stmt_end(q, e);
}

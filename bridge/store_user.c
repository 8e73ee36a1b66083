// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/store_user.h"

#include "bridge/stmt.h"
#include "protocol/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Few rows, by the primary key. */
static const char SQL_LIST[] = "SELECT name, role, ver FROM users ORDER BY name";
static const char SQL_GET[] = "SELECT name, role, ver, password_hash FROM users WHERE name = ?";
static const char SQL_COUNT[] = "SELECT COUNT(*) FROM users";
static const char SQL_ADD[] =
	"INSERT INTO users (name, role, password_hash, ver, password_initial, created_at) "
	"VALUES (?, ?, ?, 1, ?, ?)";
/* Two bridges may start at once: the second one's insert finds a row. */
static const char SQL_ADD_FIRST[] =
	"INSERT INTO users (name, role, password_hash, ver, password_initial, created_at) "
	"SELECT ?, ?, ?, 1, ?, ? FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM users)";

static void read_row(struct stmt *q, struct user_row *out)
{
	const char *role;

	snprintf(out->name, sizeof(out->name), "%s", stmt_get_str(q, 0));
	role = stmt_get_str(q, 1);
	out->role = strcmp(role, "admin") == 0 ? ROLE_ADMIN : ROLE_VIEWER;
	out->ver = stmt_get_i64(q, 2);
}

static bool list_grow(struct user_list *list, size_t *cap)
{
	struct user_row *rows;

	if (list->len < *cap)
		return true;
	*cap = *cap == 0 ? 16 : *cap * 2;
	rows = realloc(list->rows, *cap * sizeof(*rows));
	if (rows == NULL)
		return false;
	list->rows = rows;
	return true;
}

enum err_code store_user_list(struct db *db, struct user_list *out, struct err *e)
{
	struct stmt *q = stmt_begin(db, SQL_LIST);
	size_t cap = 0;
	bool room = true;

	*out = (struct user_list){0};
	while (room && stmt_row(q)) {
		room = list_grow(out, &cap);
		if (room)
			read_row(q, &out->rows[out->len++]);
	}
	if (stmt_end(q, e) == ERR_OK && room)
		return ERR_OK;
	free(out->rows);
	*out = (struct user_list){0};
	return room ? e->code : err_set(e, ERR_OUT_OF_MEMORY, NULL);
}

enum err_code store_user_get(struct db *db, const char *name, struct user_secret *out,
			     struct err *e)
{
	struct stmt *q = stmt_begin(db, SQL_GET);
	bool found;

	stmt_str(q, name);
	found = stmt_row(q);
	if (found) {
		read_row(q, &out->user);
		snprintf(out->hash, sizeof(out->hash), "%s", stmt_get_str(q, 3));
	}
	if (stmt_end(q, e) == ERR_OK && !found)
		err_set(e, ERR_NOT_FOUND, "no such user");
	return e->code;
}

static uint64_t insert(struct stmt *q, const struct user_secret *user, bool initial)
{
	stmt_str(q, user->user.name);
	stmt_str(q, user->user.role == ROLE_ADMIN ? "admin" : "viewer");
	stmt_str(q, user->hash);
	stmt_i64(q, initial);
	stmt_time(q, clock_unix_ms());
	return stmt_exec(q);
}

enum err_code store_user_add(struct db *db, const struct user_secret *user, bool initial,
			     struct err *e)
{
	struct stmt *q = stmt_begin(db, SQL_ADD);

	insert(q, user, initial);
	return stmt_end(q, e);
}

enum err_code store_user_add_first(struct db *db, const struct user_secret *user, bool *added,
				   struct err *e)
{
	struct stmt *q = stmt_begin(db, SQL_ADD_FIRST);

	*added = insert(q, user, true) > 0;
	return stmt_end(q, e);
}

enum err_code store_user_count(struct db *db, int64_t *out, struct err *e)
{
	struct stmt *q = stmt_begin(db, SQL_COUNT);

	*out = stmt_row(q) ? stmt_get_i64(q, 0) : 0;
	return stmt_end(q, e);
}

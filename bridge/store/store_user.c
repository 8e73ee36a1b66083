// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/store/store_user.h"

#include "bridge/db/stmt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Few rows, by the primary key. */
static const char SQL_LIST[] = "SELECT name, role, ver, created_at FROM users ORDER BY name";
static const char SQL_GET[] =
	"SELECT name, role, ver, created_at, password_hash FROM users WHERE name = ?";
static const char SQL_COUNT[] =
	"SELECT COUNT(*), COUNT(IF(role = 'admin', 1, NULL)) FROM users";
static const char SQL_ADD[] =
	"INSERT INTO users (name, role, password_hash, ver, password_initial, created_at) "
	"VALUES (?, ?, ?, ?, ?, ?)";
static const char SQL_CHANGE[] = "UPDATE users SET role = ?, ver = ? WHERE name = ?";
static const char SQL_PASSWORD[] =
	"UPDATE users SET password_hash = ?, password_initial = FALSE WHERE name = ?";
static const char SQL_DELETE[] = "DELETE FROM users WHERE name = ?";

static const char *role_text(enum role role)
{
	return role == ROLE_ADMIN ? "admin" : "viewer";
}

static void read_row(struct stmt *q, struct user_row *out)
{
	const char *role;

	snprintf(out->name, sizeof(out->name), "%s", stmt_get_str(q, 0));
	role = stmt_get_str(q, 1);
	out->role = strcmp(role, "admin") == 0 ? ROLE_ADMIN : ROLE_VIEWER;
	out->ver = stmt_get_i64(q, 2);
	out->created_ms = stmt_get_time(q, 3);
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
		snprintf(out->hash, sizeof(out->hash), "%s", stmt_get_str(q, 4));
	}
	if (stmt_end(q, e) == ERR_OK && !found)
		err_set(e, ERR_NOT_FOUND, "no such user");
	return e->code;
}

enum err_code store_user_add(struct db *db, const struct user_secret *user, bool initial,
			     struct err *e)
{
	struct stmt *q = stmt_begin(db, SQL_ADD);

	stmt_str(q, user->user.name);
	stmt_str(q, role_text(user->user.role));
	stmt_str(q, user->hash);
	stmt_i64(q, user->user.ver);
	stmt_i64(q, initial);
	stmt_time(q, user->user.created_ms);
	stmt_exec(q);
	return stmt_end(q, e);
}

enum err_code store_user_change(struct db *db, const struct user_secret *user, struct err *e)
{
	struct stmt *q = stmt_begin(db, SQL_CHANGE);

	stmt_str(q, role_text(user->user.role));
	stmt_i64(q, user->user.ver);
	stmt_str(q, user->user.name);
	stmt_exec(q);
	if (stmt_end(q, e) != ERR_OK || *user->hash == '\0')
		return e->code;
	q = stmt_begin(db, SQL_PASSWORD);
	stmt_str(q, user->hash);
	stmt_str(q, user->user.name);
	stmt_exec(q);
	return stmt_end(q, e);
}

enum err_code store_user_delete(struct db *db, const char *name, struct err *e)
{
	struct stmt *q = stmt_begin(db, SQL_DELETE);

	stmt_str(q, name);
	stmt_exec(q);
	return stmt_end(q, e);
}

enum err_code store_user_count(struct db *db, int64_t *users, int64_t *admins, struct err *e)
{
	struct stmt *q = stmt_begin(db, SQL_COUNT);
	const bool found = stmt_row(q);

	*users = found ? stmt_get_i64(q, 0) : 0;
	*admins = found ? stmt_get_i64(q, 1) : 0;
	return stmt_end(q, e);
}

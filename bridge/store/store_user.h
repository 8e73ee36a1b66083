// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_user.h - SQL of the table users. Changes are part of a transaction that took `n` of the
 * identity state first (store_identity_next()), which becomes the user's `ver`. Thread: the
 * connection's. */
#pragma once

#include "bridge/db/db.h"
#include "bridge/http/http.h"

#include <sodium.h>

#define USER_NAME_MAX ACTOR_MAX

struct user_row {
	char name[USER_NAME_MAX + 1];
	enum role role;
	int64_t ver;
	int64_t created_ms;
};

struct user_list {
	struct user_row *rows; /* owned; in order of name */
	size_t len;
};

struct user_secret {
	struct user_row user;
	char hash[crypto_pwhash_STRBYTES];
};

enum err_code store_user_list(struct db *db, struct user_list *out, struct err *e) MUST_CHECK;

/* ERR_NOT_FOUND if there is none of that name. */
enum err_code store_user_get(struct db *db, const char *name, struct user_secret *out,
			     struct err *e) MUST_CHECK;

/* ERR_CONFLICT if the name is taken. `initial`: the password was made for the user. */
enum err_code store_user_add(struct db *db, const struct user_secret *user, bool initial,
			     struct err *e) MUST_CHECK;

/* Writes role and `ver` of a user that is there, and the hash unless it is "". */
enum err_code store_user_change(struct db *db, const struct user_secret *user,
				struct err *e) MUST_CHECK;

enum err_code store_user_delete(struct db *db, const char *name, struct err *e) MUST_CHECK;

enum err_code store_user_count(struct db *db, int64_t *users, int64_t *admins,
			       struct err *e) MUST_CHECK;

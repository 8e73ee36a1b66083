// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_user.h - SQL of the table users. Thread: the connection's. */
#pragma once

#include "bridge/db.h"
#include "bridge/http.h"

#include <sodium.h>

#define USER_NAME_MAX 64

struct user_row {
	char name[USER_NAME_MAX + 1];
	enum role role;
	int64_t ver;
};

struct user_list {
	struct user_row *rows; /* owned */
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

/* The same, but only where there is no user at all; *added tells. */
enum err_code store_user_add_first(struct db *db, const struct user_secret *user, bool *added,
				   struct err *e) MUST_CHECK;

enum err_code store_user_count(struct db *db, int64_t *out, struct err *e) MUST_CHECK;

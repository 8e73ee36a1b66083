// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* user.h - dashboard users. Names, roles and `ver` are kept in memory, read again each second
 * and after own changes, so that checking a session needs no SQL and one that ended is refused
 * within a second. Thread: loop, but for what takes a struct db. */
#pragma once

#include "bridge/store_user.h"

struct app;
struct login_limit;
struct users;

struct users *users_new(struct app *app, struct err *e) MUST_CHECK;
void users_free(struct users *u); /* NULL is fine */

bool users_loaded(const struct users *u);
void users_refresh(struct users *u);

/* Borrowed until the loop's next turn; NULL if there is none. */
const struct user_row *users_find(const struct users *u, const char *name);

/* Notes what was just read from the database, so that a session can be used at once. */
void users_put(struct users *u, const struct user_row *row);

/* Who guesses too often. */
struct login_limit *users_login_limit(struct users *u);

/* 1 to USER_NAME_MAX of [A-Za-z0-9_.@-]. */
bool user_name_valid(const char *name);

/* Fills *out with the hash of the password (argon2id; takes a tenth of a second and 64 MiB). */
enum err_code user_make(const char *name, enum role role, const char *password,
			struct user_secret *out, struct err *e) MUST_CHECK;

/* On a pool thread: does the password fit? ERR_UNAUTHENTICATED if not, after the same time
 * whether or not there is such a user. */
enum err_code user_verify(struct db *db, const char *name, const char *password,
			  struct user_row *out, struct err *e) MUST_CHECK;

/* On a pool thread, once: makes the administrator "admin" where there is no user at all.
 * `password` "": a random one, printed to stderr once. */
enum err_code user_make_first(struct db *db, const char *password, struct err *e) MUST_CHECK;

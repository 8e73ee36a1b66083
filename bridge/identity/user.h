// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* user.h - changes of dashboard users: commit with the next `n`, which becomes the user's `ver`
 * and so ends their older sessions, and an audit row; then have it in memory before the answer
 * goes out. Thread: loop, but for what takes a struct db. */
#pragma once

#include "bridge/identity/identity.h"
#include "bridge/identity/pwhash.h"
#include "bridge/store/store_audit.h"

struct app;

enum user_verb {
	USER_ADD,      /* wants role and password */
	USER_CHANGE,   /* role, password, or both */
	USER_PASSWORD, /* one's own password; wants `ver`, as it was when the old one fitted */
	USER_DELETE,
};

/* One change. The caller fills the first part, and frees all with user_change_free(). */
struct user_change {
	char name[USER_NAME_MAX + 1];
	bool has_role;
	enum role role;
	char *password;           /* owned; NULL: stays */
	int64_t ver;              /* of USER_PASSWORD; else 0 */
	struct audit_origin from; /* who, from where */

	/* The outcome. */
	struct user_row user; /* as committed */

	/* user.c's. */
	struct app *app;
	enum user_verb verb;
	struct pwhash_job job;
	struct identity_wait wait;
	void (*done)(void *arg, struct user_change *change, struct err *e);
	void *arg;
};

/* Calls `done` once, later. ERR_NOT_FOUND: no such user; ERR_CONFLICT: the name is taken, or it
 * would leave no administrator. */
void user_apply(struct app *app, enum user_verb verb, struct user_change *change,
		void (*done)(void *arg, struct user_change *change, struct err *e), void *arg);

void user_change_free(struct user_change *change); /* wipes the password; NULL is fine */

/* The same in one go, for the command line: `hash` instead of a password, "" for none. */
enum err_code user_apply_now(struct db *db, enum user_verb verb, struct user_change *change,
			     const char *hash, struct err *e) MUST_CHECK;

/* 1 to USER_NAME_MAX of [A-Za-z0-9_.@-]. */
bool user_name_valid(const char *name);

/* "admin" or "viewer". */
const char *role_name(enum role role);
bool role_parse(const char *text, enum role *out);

/* On a pool thread, once: makes the administrator "admin" where there is no user at all.
 * `password` "": a random one, printed to stderr once. */
enum err_code user_make_first(struct db *db, const char *password, struct err *e) MUST_CHECK;

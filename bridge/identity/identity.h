// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* identity.h - users, API keys and ended sessions in memory, so that checking a request needs
 * no SQL and what ended is refused within a second on every bridge.
 *
 * Some 400 ms is how often this bridge asks whether something changed anywhere; after its own
 * changes it reads at once (identity_sync()). While the database is away, what is known stays:
 * signed-in people can still look. Thread: loop. */
#pragma once

#include "bridge/store/store_identity.h"

struct app;
struct identity;
struct login_limit;

struct identity *identity_new(struct app *app, struct err *e) MUST_CHECK;
void identity_free(struct identity *i); /* NULL is fine */

/* False until it was read once. */
bool identity_loaded(const struct identity *i);

/* Borrowed until the loop's next turn; NULL if there is none. */
const struct user_row *identity_user(const struct identity *i, const char *name);
const struct key_row *identity_key(const struct identity *i, const struct token_hash *hash);
bool identity_session_ended(const struct identity *i, const char *jti);

const struct user_list *identity_users(const struct identity *i);
const struct key_list *identity_keys(const struct identity *i);

/* Ends a session at this bridge now, before the database knows. */
void identity_end_session(struct identity *i, const struct ended_session *session);

/* Grows whenever users, keys or ended sessions may have changed. */
uint64_t identity_version(const struct identity *i);

/* Reads what changed, now rather than soon. */
void identity_refresh(struct identity *i);

/* The same, and tells when a reading that began after this call is in memory; e says why it is
 * not. The node is the caller's and must stay until then. */
struct identity_wait {
	void (*done)(void *arg, struct err *e);
	void *arg;
	struct identity_wait *next; /* identity.c's */
};
void identity_sync(struct identity *i, struct identity_wait *wait);

/* Notes that a key was used; written to the database at most once a minute for each key. */
void identity_key_used(struct identity *i, const struct token_hash *hash, int64_t now_ms);

/* When it was last used, as far as this bridge and the database know; 0: never. */
int64_t identity_key_last_used(const struct identity *i, const struct key_row *key);

/* Who guesses passwords too often. */
struct login_limit *identity_login_limit(struct identity *i);

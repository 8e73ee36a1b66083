// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_key.h - SQL of the table api_keys. Changes are part of a transaction that took `n` of
 * the identity state first. Thread: the connection's. */
#pragma once

#include "bridge/db/db.h"
#include "bridge/http/http.h"
#include "protocol/ident.h"

#define KEY_NAME_MAX 60
#define KEY_ID_LEN (4 + 16) /* "key_" and 80 random bits, as of worker ids */

struct key_row {
	char id[KEY_ID_LEN + 1];
	char name[KEY_NAME_MAX + 1];
	struct token_hash hash;
	unsigned scopes;
	char created_by[ACTOR_MAX + 1];
	int64_t created_ms;
	int64_t expires_ms;   /* 0: never */
	int64_t last_used_ms; /* 0: never; as last written */
};

struct key_list {
	struct key_row *rows; /* owned; in order of hash */
	size_t len;
};

enum err_code store_key_list(struct db *db, struct key_list *out, struct err *e) MUST_CHECK;

/* ERR_CONFLICT if the name is taken. */
enum err_code store_key_add(struct db *db, const struct key_row *key, struct err *e) MUST_CHECK;

/* ERR_NOT_FOUND if there is none; *name is its name. */
enum err_code store_key_delete(struct db *db, const char *id, char name[KEY_NAME_MAX + 1],
			       struct err *e) MUST_CHECK;

/* Outside a transaction, without a new `n`: it changes nobody's rights. Never goes back. */
enum err_code store_key_used(struct db *db, const char *id, int64_t at_ms,
			     struct err *e) MUST_CHECK;

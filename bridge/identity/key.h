// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* key.h - API keys, for scripts: "rk_" and 43 random characters, shown once, kept as SHA-256.
 * They belong to the installation: they outlive the user who made them. Thread: loop. */
#pragma once

#include "bridge/identity/identity.h"
#include "bridge/store/store_audit.h"

struct app;

#define KEY_PREFIX "rk_"
#define KEY_SECRET_LEN (3 + 43) /* 32 random bytes in base64url */
#define KEYS_MAX 1000

enum key_verb { KEY_ADD, KEY_DELETE };

/* One change. The caller fills the first part, and frees all with key_change_free(). */
struct key_change {
	struct key_row key;       /* KEY_ADD: name, scopes, expires_ms; KEY_DELETE: id */
	struct audit_origin from; /* who, from where */

	/* The outcome. */
	char secret[KEY_SECRET_LEN + 1]; /* of KEY_ADD */

	/* key.c's. */
	struct app *app;
	enum key_verb verb;
	struct identity_wait wait;
	void (*done)(void *arg, struct key_change *change, struct err *e);
	void *arg;
};

/* Calls `done` once, later, when the change is committed and this bridge goes by it. */
void key_apply(struct app *app, enum key_verb verb, struct key_change *change,
	       void (*done)(void *arg, struct key_change *change, struct err *e), void *arg);

void key_change_free(struct key_change *change); /* wipes the secret; NULL is fine */

/* Does the text look like a key? Hashes it. */
bool key_hash(const char *text, struct token_hash *out);

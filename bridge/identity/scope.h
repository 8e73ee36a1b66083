// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* scope.h - what somebody may do, as a set of bits. Each row of the route table names the one
 * that it needs; a user's set follows from the role, an API key's was chosen when it was made.
 * Pure. */
#pragma once

#include "protocol/err.h"

#include <stddef.h>

/* X(NAME, bit, text). Stored by text and named in requests: a row is never renamed. */
#define SCOPE_LIST(X)                                                                          \
	X(READ, 0, "read")                                                                     \
	X(WORKERS, 1, "workers:write")                                                         \
	X(COMMANDS, 2, "commands:write")                                                       \
	X(ADMIN, 3, "admin")

enum scope {
	SCOPE_OPEN = 0, /* of a route: anybody, without signing in */
#define X(name, bit, text) SCOPE_##name = 1 << (bit),
	SCOPE_LIST(X)
#undef X
	/* Nobody chooses these: who has them follows from how one signed in. */
	SCOPE_SIGNED_IN = 1 << 8, /* whoever it is */
	SCOPE_SESSION = 1 << 9,   /* a user, not an API key */
};

#define SCOPES_VIEWER ((unsigned)SCOPE_READ)
#define SCOPES_ADMIN ((unsigned)(SCOPE_READ | SCOPE_WORKERS | SCOPE_COMMANDS | SCOPE_ADMIN))
#define SCOPES_TEXT_SIZE 64 /* of all of them, with commas */

/* The text of one scope, e.g. "workers:write". Static. */
const char *scope_name(enum scope scope);

/* SCOPE_OPEN if there is none of that name. */
enum scope scope_parse(const char *text, size_t len);

/* "read,workers:write". Unknown names, which a newer version may have stored, grant nothing. */
unsigned scopes_parse(const char *text);
void scopes_print(unsigned scopes, char out[SCOPES_TEXT_SIZE]);

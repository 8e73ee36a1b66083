// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* ident.h - ids and tokens: make, check, hash, print.
 *
 * Each kind of id is a struct of its own, so that passing one for another does not compile.
 * Random bytes and SHA-256 are libsodium's; call sodium_init() first. Thread: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORKER_ID_MAX 64
#define WORKER_ID_PREFIX "wrk_" /* of ids that we made; imported ones may look otherwise */
#define CLIENT_SUFFIX_MAX 32
#define CLIENT_ID_MAX (WORKER_ID_MAX + 1 + CLIENT_SUFFIX_MAX)
#define TOKEN_TEXT_LEN (3 + 64) /* "tk_" and 48 random bytes in base64url */
#define TOKEN_HASH_BYTES 32
#define TOKEN_HEX_LEN (2 * TOKEN_HASH_BYTES)
#define RENEWAL_ID_LEN (4 + 24)     /* "rnw_" and the first digits of the new token's hash */
#define COMMAND_ID_LEN (4 + 26)     /* "cmd_" and a ULID */
#define BATCH_ID_LEN COMMAND_ID_LEN /* "bat_" and a ULID */

struct worker_id {
	char text[WORKER_ID_MAX + 1];
};

struct command_id {
	char text[COMMAND_ID_LEN + 1];
};

/* One command to many workers. */
struct batch_id {
	char text[BATCH_ID_LEN + 1];
};

/* SHA-256 of a token: all that is ever stored of it. */
struct token_hash {
	uint8_t bytes[TOKEN_HASH_BYTES];
};

/* The token itself: lives for one answer; wipe it with sodium_memzero(). */
struct token {
	char text[TOKEN_TEXT_LEN + 1];
};

/* [A-Za-z0-9_-]{1,64}, except "status" and "events", which are routes beside worker ids. */
bool worker_id_parse(const char *text, size_t len, struct worker_id *out);

/* "wrk_" and 16 random lowercase base32 characters (RFC 4648), 80 bits. */
void worker_id_generate(struct worker_id *out);

bool worker_id_equal(const struct worker_id *a, const struct worker_id *b);

/* Splits an MQTT client id "{worker}" or "{worker}.{suffix}", suffix being 1 to 32 of
 * [A-Za-z0-9_-]. *suffix is "" for the plain form. False if it has neither form. */
bool client_id_split(const char *client_id, struct worker_id *worker, const char **suffix);

void token_generate(struct token *out);

/* Hash of whatever the worker sent as its password; imported tokens may have any form. */
void token_hash(const char *token, size_t len, struct token_hash *out);

bool token_hash_equal(const struct token_hash *a,
		      const struct token_hash *b); /* constant time */
void token_hash_print(const struct token_hash *hash, char hex[TOKEN_HEX_LEN + 1]);
bool token_hash_parse(const char *hex, size_t len, struct token_hash *out);

/* Names the renewal that brings this token, so that an acknowledgement can be matched by
 * whoever knows the hash: it needs to be kept nowhere. */
void renewal_id_of(const struct token_hash *hash, char out[RENEWAL_ID_LEN + 1]);

/* "cmd_" and a ULID: 48 bits of unix_ms, 80 random bits, Crockford's base32. */
void command_id_generate(int64_t unix_ms, struct command_id *out);
bool command_id_parse(const char *text, size_t len, struct command_id *out);

/* When it was made, Unix milliseconds: an id begins with that. */
int64_t command_id_ms(const struct command_id *id);

/* The same with "bat_". */
void batch_id_generate(int64_t unix_ms, struct batch_id *out);
bool batch_id_parse(const char *text, size_t len, struct batch_id *out);

/* Commands that were made before unix_ms have ids that sort before this one. */
void command_id_floor(int64_t unix_ms, struct command_id *out);

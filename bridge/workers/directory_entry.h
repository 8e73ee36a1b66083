// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* directory_entry.h - what the plugin must know of one worker to admit it: record and JSON. */
#pragma once

#include "bridge/workers/roster.h"
#include "protocol/jread.h"
#include "protocol/jwrite.h"

#define EPOCH_MAX 64
#define DIRECTORY_TOKENS_MAX 3

/* Spelt as in the database and in control commands. */
enum token_role { TOKEN_CURRENT, TOKEN_PENDING, TOKEN_PREVIOUS };

struct directory_token {
	char hash[TOKEN_HEX_LEN + 1];
	enum token_role role;
	int64_t expires_ms; /* 0: never */
};

struct directory_entry {
	struct worker_id worker;
	bool deleted; /* a tombstone: nothing but the revision counts */
	enum worker_status status;
	int64_t n; /* its revision within the epoch */
	struct directory_token tokens[DIRECTORY_TOKENS_MAX];
	size_t tokens_len;
};

const char *token_role_name(enum token_role role);
bool token_role_parse(const char *text, enum token_role *out);
bool worker_status_parse(const char *text, enum worker_status *out);

/* Do they say the same of their worker, whatever their revisions? */
bool directory_entry_equal(const struct directory_entry *a, const struct directory_entry *b);

/* Writes an element of putWorkers (or deleteWorkers, if it is a tombstone). */
void directory_entry_write(struct jwrite *w, const struct directory_entry *entry,
			   const char *epoch);

/* Reads an element of getDirectory's answer. */
enum err_code directory_entry_read(struct json_object *item, size_t index,
				   struct directory_entry *out, struct err *e) MUST_CHECK;

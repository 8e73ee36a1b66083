// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* directory.h - who may connect: one record a worker, kept in storage alone (no memory per
 * worker), and the rules by which a newer record replaces an older one.
 *
 * A revision is (epoch, n). Within an epoch the greater n wins, also over a tombstone; a record
 * of another epoch is replaced, unless it belongs to the synchronisation that is under way.
 * Thread: the broker's.
 */
#pragma once

#include "plugin/store.h"
#include "protocol/ident.h"

#define EPOCH_MAX 64
#define DIRECTORY_HASHES_MAX 3

/* Stored by number: append only. */
enum dir_status { DIR_ACTIVE, DIR_UPDATE_REQUIRED, DIR_REVOKED, DIR_DELETED };

/* What a token is to its worker; stored by number: append only. */
enum token_role { TOKEN_CURRENT, TOKEN_PENDING, TOKEN_PREVIOUS };

struct dir_token {
	struct token_hash hash;
	int64_t expires_ms; /* Unix milliseconds; 0: never */
	enum token_role role;
};

struct revision {
	char epoch[EPOCH_MAX + 1];
	int64_t n;
};

struct dir_entry {
	struct worker_id id;
	enum dir_status status;
	struct revision revision;
	int tokens_len;
	struct dir_token tokens[DIRECTORY_HASHES_MAX];
};

enum dir_change { DIR_APPLIED, DIR_UNCHANGED, DIR_STALE };

struct directory {
	struct store *store;
	char epoch[EPOCH_MAX + 1];      /* "" before the first synchronisation */
	char sync_epoch[EPOCH_MAX + 1]; /* of the one under way; "" when there is none */
	int64_t max_n;                  /* greatest n of this epoch */
	int64_t live;                   /* entries without tombstones */
};

/* Counts what is stored. */
void directory_open(struct directory *d, struct store *store);

/* The entry, tombstones included. */
bool directory_get(struct directory *d, const struct worker_id *id, struct dir_entry *out);

/* True if the plugin owns logins of this user name: it is in the directory (deleted or not) or
 * has the form of an id that we make. */
bool directory_owns(struct directory *d, const char *user);

/* Applies the entry unless it is older than what is known. *before gets what was there (status
 * DIR_DELETED if nothing was). Errors: ERR_EPOCH_MISMATCH and the store's. */
enum err_code directory_apply(struct directory *d, const struct dir_entry *entry,
			      struct dir_entry *before, enum dir_change *change,
			      struct err *e) MUST_CHECK;

/* Puts a tombstone where a synchronisation did not mention a worker: unless the entry is of the
 * tombstone's epoch and newer (it was put meanwhile), or a tombstone already. */
enum err_code directory_drop(struct directory *d, const struct dir_entry *tombstone,
			     struct dir_entry *before, bool *dropped, struct err *e) MUST_CHECK;

/* Makes `epoch` the directory's. */
enum err_code directory_set_epoch(struct directory *d, const char *epoch,
				  struct err *e) MUST_CHECK;

/* Another worker than `id` has this token. */
bool directory_token_of_other(struct directory *d, const struct token_hash *hash,
			      const struct worker_id *id);

/* The token of the entry that has this hash, NULL if none has. Constant time in the hash. */
const struct dir_token *dir_entry_token(const struct dir_entry *entry,
					const struct token_hash *hash);

/* Decodes a stored record (for store_page() visitors). False if it is damaged. */
bool dir_entry_decode(const char *key, size_t key_len, struct slice value,
		      struct dir_entry *out);

const char *dir_status_name(enum dir_status status);
bool dir_status_parse(const char *text, enum dir_status *status);
const char *token_role_name(enum token_role role);
bool token_role_parse(const char *text, enum token_role *role);

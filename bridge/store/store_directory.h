// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_directory.h - the plugin's directory as the database has it. Thread: database. */
#pragma once

#include "bridge/db/db.h"
#include "bridge/workers/directory_entry.h"

/* Where the database stands: its epoch, and the newest revision. */
struct directory_state {
	char epoch[EPOCH_MAX + 1];
	int64_t n;
};

/* All workers at one moment. */
struct directory_snapshot {
	struct directory_state state;
	struct directory_entry *entries;
	size_t len, cap;
};

void directory_snapshot_fini(struct directory_snapshot *s);

enum err_code store_directory_state(struct db *db, struct directory_state *out,
				    struct err *e) MUST_CHECK;

/* Within one transaction, so that entries and state belong together. */
enum err_code store_directory_read(struct db *db, struct directory_snapshot *out,
				   struct err *e) MUST_CHECK;

/* One worker, or its tombstone, as it is committed, with the state it belongs to. */
enum err_code store_directory_entry(struct db *db, const struct worker_id *id,
				    struct directory_entry *entry,
				    struct directory_state *state, struct err *e) MUST_CHECK;

/* Up to `limit` tombstones after that id, in order of id, as entries that are deleted. */
enum err_code store_directory_tombstones(struct db *db, const struct worker_id *after,
					 size_t limit, struct directory_snapshot *out,
					 struct err *e) MUST_CHECK;

/* Takes over what the plugin knows and a restored database does not: `known` holds the entries
 * that are news to it, the plugin's epoch and its newest revision; `epoch` is what the database
 * said it has. Makes a new epoch. Within one transaction. *taken gets the number of workers
 * changed; nothing happens if the database is not behind (any more). */
enum err_code store_directory_recover(struct db *db, const char *epoch,
				      const struct directory_snapshot *known, size_t *taken,
				      struct err *e) MUST_CHECK;

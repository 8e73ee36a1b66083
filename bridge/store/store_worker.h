// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_worker.h - SQL of workers, worker_tags, worker_tombstones and directory_state.
 * Thread: the connection's. */
#pragma once

#include "bridge/db/db.h"
#include "bridge/workers/roster.h"

#define EPOCH_LEN 32

struct removed_worker {
	struct worker_id id;
	int64_t revision;
};

/* What a reader of the tables learns. Owns all of it; fini is always fine. */
struct worker_rows {
	char epoch[EPOCH_LEN + 1];
	int64_t n; /* newest revision */
	struct record **records;
	size_t records_len, records_cap;
	struct removed_worker *removed;
	size_t removed_len, removed_cap;
};

void worker_rows_fini(struct worker_rows *rows);

/* Epoch and n alone. */
enum err_code store_worker_state(struct db *db, struct worker_rows *out,
				 struct err *e) MUST_CHECK;

/* All workers, in order of (created_at, id). Call it and the next one within a transaction, for
 * state and rows to belong together. */
enum err_code store_worker_all(struct db *db, struct worker_rows *out,
			       struct err *e) MUST_CHECK;

/* What changed after revision n, deletions included. */
enum err_code store_worker_since(struct db *db, int64_t n, struct worker_rows *out,
				 struct err *e) MUST_CHECK;

/* ERR_WORKER_NOT_FOUND if there is none. The caller frees *out with record_free(). */
enum err_code store_worker_get(struct db *db, const struct worker_id *id, struct record **out,
			       struct err *e) MUST_CHECK;

/* Locks the counter until the transaction ends, so that revisions are committed in order. */
enum err_code store_revision_next(struct db *db, int64_t *n, struct err *e) MUST_CHECK;

/* The changes. Each is part of a transaction that took revision n first; where there is no such
 * worker: ERR_WORKER_NOT_FOUND. */
enum err_code store_worker_add(struct db *db, const struct worker_id *id, const char *name,
			       int64_t created_ms, int64_t n, struct err *e) MUST_CHECK;
enum err_code store_worker_rename(struct db *db, const struct worker_id *id, const char *name,
				  int64_t n,
				  struct err *e) MUST_CHECK; /* NULL: the name stays */
enum err_code store_worker_set_tags(struct db *db, const struct worker_id *id,
				    char *const tags[], size_t len, struct err *e) MUST_CHECK;
enum err_code store_worker_set_status(struct db *db, const struct worker_id *id,
				      enum worker_status status, int64_t n, struct err *e)
	MUST_CHECK; /* also forgets a failed renewal */
enum err_code store_worker_delete(struct db *db, const struct worker_id *id, int64_t n,
				  struct err *e) MUST_CHECK; /* leaves a tombstone */

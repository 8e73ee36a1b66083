// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_life.h - token lives in the database: one worker's, and lists of those that time has
 * something to do with. Thread: the connection's. */
#pragma once

#include "bridge/db/db.h"
#include "bridge/workers/token_life.h"

#include <stddef.h>

/* Reads the worker's life; under its lock if the transaction took a revision first.
 * ERR_WORKER_NOT_FOUND. */
enum err_code store_life_read(struct db *db, const struct worker_id *id, struct life *out,
			      struct err *e) MUST_CHECK;

/* Writes what changed, with revision n. Within the transaction that read it. */
enum err_code store_life_write(struct db *db, const struct worker_id *id,
			       const struct life *life, int64_t n, struct err *e) MUST_CHECK;

/* A worker whose token may have to be renewed. */
struct life_candidate {
	struct worker_id id;
	bool overdue; /* its renewal is waited for in vain; else its token is in the window */
	int64_t told_ms; /* when its newest pending token was made that was sent and is still
			    awaited; 0: there is none */
};

/* Up to `max` of either kind; a coarse choice, life_due() and life_overdue() decide. */
enum err_code store_life_candidates(struct db *db, const struct life_spans *spans,
				    int64_t now_ms, struct life_candidate *out, size_t max,
				    size_t *len, struct err *e) MUST_CHECK;

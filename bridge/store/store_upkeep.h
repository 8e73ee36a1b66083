// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_upkeep.h - what time alone does to rows: they become overdue, or too old to be kept.
 *
 * Each call is one transaction on up to `batch` rows; *n gets how many it dealt with, fewer
 * than `batch` when no more are due. `limit_ms` (Unix) is the moment that makes them due.
 * Thread: the connection's. */
#pragma once

#include "bridge/db/db.h"

#include <stdint.h>

typedef enum err_code (*upkeep_f)(struct db *db, int64_t limit_ms, int64_t batch, int64_t *n,
				  struct err *e);

/* Current tokens whose time is over: an audit row each, once. */
enum err_code upkeep_note_expired_tokens(struct db *db, int64_t limit_ms, int64_t batch,
					 int64_t *n, struct err *e) MUST_CHECK;

/* Deletions. */
enum err_code upkeep_forget_audit(struct db *db, int64_t limit_ms, int64_t batch, int64_t *n,
				  struct err *e) MUST_CHECK;
enum err_code upkeep_forget_tokens(struct db *db, int64_t limit_ms, int64_t batch, int64_t *n,
				   struct err *e) MUST_CHECK; /* ended ones alone */
enum err_code upkeep_forget_tombstones(struct db *db, int64_t limit_ms, int64_t batch,
				       int64_t *n, struct err *e) MUST_CHECK;
enum err_code upkeep_forget_sessions(struct db *db, int64_t limit_ms, int64_t batch, int64_t *n,
				     struct err *e) MUST_CHECK; /* ended, and expired since */

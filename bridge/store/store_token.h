// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_token.h - SQL of the table tokens. Each call is part of a transaction that took a
 * revision of the worker first. Thread: the connection's. */
#pragma once

#include "bridge/db/db.h"
#include "protocol/ident.h"

/* Adds the worker's current token. */
enum err_code store_token_add(struct db *db, const struct worker_id *id,
			      const struct token_hash *hash, int64_t expires_ms,
			      struct err *e) MUST_CHECK;

/* Ends all tokens of the worker. */
enum err_code store_token_end_all(struct db *db, const struct worker_id *id,
				  struct err *e) MUST_CHECK;

/* Ends those that were replaced. A pending one stays, for the worker may hold that one already.
 */
enum err_code store_token_end_previous(struct db *db, const struct worker_id *id,
				       struct err *e) MUST_CHECK;

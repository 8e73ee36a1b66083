// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_command_expire.h - commands whose time is over. Thread: database. */
#pragma once

#include "bridge/commands/command_result.h"
#include "bridge/db/db.h"

#define COMMANDS_EXPIRED_MAX 500 /* at a time, so that nobody waits long for a lock */

/* One that has just expired. */
struct command_expired {
	struct command_id id;
	struct worker_id worker;
	int64_t created_ms;
};

struct commands_expired {
	size_t len; /* COMMANDS_EXPIRED_MAX: there may be more */
	struct command_expired list[COMMANDS_EXPIRED_MAX];
};

/* Expires what is neither done nor failed nor cancelled and was to end by `now_ms`, with audit
 * rows; *out says which. Its own transaction. */
enum err_code store_command_expire(struct db *db, int64_t now_ms, struct commands_expired *out,
				   struct err *e) MUST_CHECK;

/* When the next one expires, Unix ms; 0: none is open. */
enum err_code store_command_next_expiry(struct db *db, int64_t *at_ms,
					struct err *e) MUST_CHECK;

/* Deletes up to `batch` commands that were made before limit_ms and have ended. */
enum err_code store_command_forget(struct db *db, int64_t limit_ms, int64_t batch, int64_t *n,
				   struct err *e) MUST_CHECK;

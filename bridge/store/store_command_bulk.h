// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_command_bulk.h - many new commands in a few statements. Thread: database. */
#pragma once

#include "bridge/store/store_command.h"

/* As store_command_add() for each, but that none has an idempotency key, is sent already, or is
 * held against the limit of those that wait: a batch is one order, not held up by one of its
 * workers. Within a transaction. */
enum err_code store_command_add_all(struct db *db, const struct command_row *const rows[],
				    size_t len, struct err *e) MUST_CHECK;

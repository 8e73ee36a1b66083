// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_command_kept.h - commands that are kept for workers that are away. None of these needs
 * a transaction. Thread: database. */
#pragma once

#include "bridge/commands/command_outgoing.h"

/* A worker with open kept commands, and the sessions that they have reached: the lowest and the
 * highest generation; -1: none. */
struct kept_summary {
	struct worker_id worker;
	int64_t lowest, highest;
};

/* Reads all; the caller frees *out. */
enum err_code store_kept_workers(struct db *db, struct kept_summary **out, size_t *len,
				 struct err *e) MUST_CHECK;

/* Claims, in a transaction of its own, what this worker's session of that generation has not
 * been sent yet, in order of age: no other bridge will send it for the next seconds. Adds to
 * the list at *end, and moves that.
 */
enum err_code store_kept_claim(struct db *db, const struct worker_id *worker,
			       int64_t generation, struct outgoing ***end,
			       struct err *e) MUST_CHECK;

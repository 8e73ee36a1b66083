// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_command_kept.h - commands that are kept for workers that are away. None of these needs
 * a transaction. Thread: database. */
#pragma once

#include "bridge/store_command.h"

/* A worker with open kept commands, and the sessions that they have reached: the lowest and the
 * highest generation; -1: none. */
struct kept_summary {
	struct worker_id worker;
	int64_t lowest, highest;
};

/* Reads all; the caller frees *out. */
enum err_code store_kept_workers(struct db *db, struct kept_summary **out, size_t *len,
				 struct err *e) MUST_CHECK;

/* A command that this bridge is to send. Owns its texts. */
struct kept_command {
	struct command_row row;
	char *type, *payload, *target;
	int64_t generation; /* the session that it is for, then the one that it reached; 0: none
			     */
	struct command_standing standing;
	struct kept_command *next;
};

void kept_command_free(struct kept_command *k);

/* Claims, in a transaction of its own, what this worker's session of that generation has not
 * been sent yet, in order of age: no other bridge will send it for the next seconds. Adds to
 * the list at *end, and moves that.
 */
enum err_code store_kept_claim(struct db *db, const struct worker_id *worker,
			       int64_t generation, struct kept_command ***end,
			       struct err *e) MUST_CHECK;

/* The plugin reached k->generation. Within a transaction. */
enum err_code store_kept_sent(struct db *db, struct kept_command *k, struct err *e) MUST_CHECK;

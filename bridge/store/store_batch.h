// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_batch.h - one command to many workers: tables command_batches, command_batch_workers.
 *
 * A bridge owns a batch for a few seconds at a time, by the database's clock. Each step is one
 * transaction that holds the batch's row: it makes the next commands and moves next_position,
 * so every worker gets one command, whichever bridges die on the way. Thread: database; each
 * function is a transaction of its own. */
#pragma once

#include "bridge/commands/command_outgoing.h"
#include "bridge/db/db.h"

#define BATCH_STATE_LIST(X)                                                                    \
	X(RUNNING, "running")                                                                  \
	X(DONE, "done")                                                                        \
	X(ABORTED, "aborted")                                                                  \
	X(CANCELLED, "cancelled")

enum batch_state {
#define X(name, text) BATCH_##name,
	BATCH_STATE_LIST(X)
#undef X
};

const char *batch_state_name(enum batch_state state);

/* A batch as it is asked for. Texts are borrowed. */
struct batch_row {
	struct batch_id id;
	const char *type;
	const char *payload; /* JSON text */
	const char *target;
	const char *filter; /* JSON text */
	const char *actor, *address, *request_id;
	int64_t ttl_ms, created_ms;
	int64_t max_per_minute; /* 0: as fast as it goes */
	int64_t abort_percent;  /* 0: never */
	bool queue;
};

/* How many of its commands are in which state. */
struct batch_counts {
	int64_t of[COMMAND_STATES];
	int64_t pending; /* workers that have not got theirs (yet) */
};

/* A batch as it is read: texts are borrowed for the call. */
struct batch_entry {
	struct batch_row row;
	enum batch_state state;
	int64_t total, ended_ms;
	struct batch_counts counts;
};

/* A command that was taken back with its batch, or its worker. */
struct batch_taken {
	struct command_id id;
	struct worker_id worker;
	int64_t created_ms;
};

struct batch_taken_list {
	struct batch_taken *list; /* owned */
	size_t len, cap;
};

enum err_code store_batch_add(struct db *db, const struct batch_row *row,
			      const struct worker_id *workers, size_t len,
			      struct err *e) MUST_CHECK;

/* Calls `take` once, or: ERR_NOT_FOUND. Ends the batch if everything in it has ended. */
enum err_code store_batch_get(struct db *db, const struct batch_id *id,
			      void (*take)(void *arg, const struct batch_entry *entry),
			      void *arg, struct err *e) MUST_CHECK;

/* Ends it: no worker gets a command any more, and those which no session has got are taken
 * back; *taken says which. `row`: id and who asked. ERR_NOT_FOUND, ERR_BATCH_ENDED; one that
 * was cancelled before is fine. */
enum err_code store_batch_cancel(struct db *db, const struct batch_row *row,
				 struct batch_taken_list *taken, struct err *e) MUST_CHECK;

/* What a step came to. */
struct batch_step {
	bool mine;             /* this bridge owns it; false: another does, or it has ended */
	bool aborted;          /* by this step */
	bool issued_all;       /* every worker has got its command */
	int64_t wait_ms;       /* until the next one may be sent; 0: go on */
	struct outgoing *made; /* commands to be sent */
	struct batch_taken_list taken;
};

/* A step by the bridge `owner`. *out is to be zeroed before, and its lists freed after. */
enum err_code store_batch_step(struct db *db, const struct batch_id *id, const char *owner,
			       struct batch_step *out, struct err *e) MUST_CHECK;

/* Batches that nobody works on: up to `max`, *len gets how many. */
enum err_code store_batch_orphans(struct db *db, struct batch_id *out, size_t max, size_t *len,
				  struct err *e) MUST_CHECK;

/* Deletes up to `batch` of them that were made before limit_ms and have ended. */
enum err_code store_batch_forget(struct db *db, int64_t limit_ms, int64_t batch, int64_t *n,
				 struct err *e) MUST_CHECK;

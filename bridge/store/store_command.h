// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_command.h - commands in the database. A state advances by conditional updates only, so
 * that several bridges may hear of the same thing. Thread: database; each within a transaction
 * where nothing else is said.
 */
#pragma once

#include "bridge/commands/command_result.h"
#include "bridge/db/db.h"

#define COMMANDS_KEPT_MAX                                                                      \
	500 /* of one worker: the broker holds twice as many for a session                     \
	     */

/* A command as it is asked for. Texts are borrowed. */
struct command_row {
	struct command_id id;
	struct worker_id worker;
	const char *type;
	const char *payload; /* JSON text */
	const char *target;
	const char *key;     /* idempotency key; NULL: none */
	const char *batch;   /* id of the batch that it belongs to; NULL: none */
	const char *desired; /* the engine status that it is meant to bring about; NULL: none */
	const char *actor, *address, *request_id; /* who asked */
	int64_t created_ms, expires_ms;
	bool queue;                 /* kept for a worker that is away */
	int64_t offered_generation; /* this bridge sends it to that session now; 0: it does not
				     */
};

#define COMMAND_ROW_TEXTS 9

/* Has the row point to copies of its texts, which are put into `texts` (NULLs before) for the
 * caller to free, also when it fails. False: out of memory. */
bool command_row_copy(struct command_row *row, char *texts[COMMAND_ROW_TEXTS]) MUST_CHECK;

/* Where a command stands. */
struct command_standing {
	struct command_id id;
	bool found;    /* false: the worker has no such command */
	bool existing; /* it was there already, by its idempotency key */
	bool changed;  /* by this call */
	enum command_state state;
	int64_t created_ms, expires_ms;
	char *result; /* JSON text, or NULL; owned */
	char *error;  /* or NULL; owned */
};

void command_standing_fini(struct command_standing *s);

/* ERR_CONFLICT: there is one with this id or idempotency key. ERR_COMMAND_QUEUE_FULL. */
enum err_code store_command_add(struct db *db, const struct command_row *row,
				struct err *e) MUST_CHECK;

/* The command that has the row's idempotency key; out->found false: none has.
 * ERR_IDEMPOTENCY_CONFLICT: it is another one. No transaction. */
enum err_code store_command_existing(struct db *db, const struct command_row *row,
				     struct command_standing *out, struct err *e) MUST_CHECK;

/* The plugin reached that session. No transaction. */
enum err_code store_command_sent(struct db *db, const struct command_row *row,
				 int64_t generation, struct command_standing *out,
				 struct err *e) MUST_CHECK;

/* The same where it may have reached others before. */
enum err_code store_command_sent_again(struct db *db, const struct command_row *row,
				       int64_t generation, struct command_standing *out,
				       struct err *e) MUST_CHECK;

/* It could not be delivered to anybody. */
enum err_code store_command_undelivered(struct db *db, const struct command_row *row,
					const char *error, struct command_standing *out,
					struct err *e) MUST_CHECK;

/* The worker reported. */
enum err_code store_command_result(struct db *db, const struct command_result *result,
				   struct command_standing *out, struct err *e) MUST_CHECK;

/* Takes it back; row: id, worker and who asked. ERR_COMMAND_NOT_CANCELLABLE, ERR_NOT_FOUND. */
enum err_code store_command_cancel(struct db *db, const struct command_row *row,
				   struct command_standing *out, struct err *e) MUST_CHECK;

/* Where it stands now. No transaction. */
enum err_code store_command_standing(struct db *db, const struct command_id *id,
				     const struct worker_id *worker,
				     struct command_standing *out, struct err *e) MUST_CHECK;

/* What the audit trail calls a worker's report; of ACCEPTED, DONE and FAILED. */
const char *command_event(enum command_state state);

/* Which commands may come to an end. An outcome proves more than a clock: a command that was
 * accepted in time may still have one after it has expired. */
#define COMMAND_MAY_END                                                                        \
	"(state IN ('queued', 'sent', 'accepted') OR"                                          \
	" (state = 'expired' AND accepted_at IS NOT NULL))"

/* A row of the audit trail; `asked` NULL: nobody did. */
enum err_code store_command_audit(struct db *db, const struct worker_id *worker,
				  const struct command_id *id, const char *event,
				  const char *type, const struct command_row *asked,
				  struct err *e) MUST_CHECK;

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* command_result.h - states of a command, and what a worker says about one on
 * `workers/{id}/results`. Pure. */
#pragma once

#include "protocol/err.h"
#include "protocol/ident.h"

#include <stdbool.h>
#include <stddef.h>

#define RESULT_PAYLOAD_MAX ((size_t)64 * 1024)
#define RESULT_ERROR_MAX 4096 /* characters */

/* In the database's words. */
#define COMMAND_STATE_LIST(X)                                                                  \
	X(QUEUED, "queued")                                                                    \
	X(SENT, "sent")                                                                        \
	X(ACCEPTED, "accepted")                                                                \
	X(DONE, "done")                                                                        \
	X(FAILED, "failed")                                                                    \
	X(EXPIRED, "expired")                                                                  \
	X(CANCELLED, "cancelled")

enum command_state {
#define X(name, text) COMMAND_##name,
	COMMAND_STATE_LIST(X)
#undef X
};
#define COMMAND_STATES (COMMAND_CANCELLED + 1)

const char *command_state_name(enum command_state state);
bool command_state_parse(const char *text, enum command_state *out);

/* True for states that no command ever leaves. */
bool command_state_final(enum command_state state);

/* The engine status that commands of this type bring about; NULL: none. */
const char *command_type_desires(const char *type);

struct command_result {
	struct worker_id worker;
	struct command_id command; /* "" if the message does not even name one */
	enum command_state status; /* ACCEPTED, DONE or FAILED */
	char *result;              /* JSON text; NULL: none; owned */
	char *error;               /* NULL: none; owned */
};

/* On failure out->command is set where the message names one, so that the worker can be told.
 */
enum err_code command_result_parse(const struct worker_id *worker, const char *payload,
				   size_t len, struct command_result *out,
				   struct err *e) MUST_CHECK;

void command_result_fini(struct command_result *r);

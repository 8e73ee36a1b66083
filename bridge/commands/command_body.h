// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* command_body.h - the JSON of a command, in (with its rules) and out. Pure. */
#pragma once

#include "bridge/store/store_command_read.h"
#include "protocol/jread.h"
#include "protocol/jwrite.h"

#define COMMAND_MESSAGE_MAX ((size_t)256 * 1024) /* as much as the plugin delivers at once */
#define COMMAND_PAYLOAD_MAX (COMMAND_MESSAGE_MAX - 1024) /* the rest has room, too */
#define COMMAND_TYPE_MAX 64
#define COMMAND_KEY_MAX 128 /* characters */
#define COMMAND_JSON_TEXT (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

/* What somebody asks for. Texts are borrowed from the body. */
struct command_order {
	const char *type;
	const char *payload; /* JSON text */
	const char *target;  /* not checked yet */
	const char *key;     /* NULL: none */
	int64_t ttl_ms;
	bool queue;
};

/* Reads "type", "payload", "target", "ttl_seconds" and "queue"; errors are r's. */
void command_read_order(struct jread *r, struct command_order *out);

/* Reads "idempotency_key". */
void command_read_key(struct jread *r, struct command_order *out);

/* any, all, or a client id of the worker; ends the reading. */
enum err_code command_read_target(struct jread *r, const struct worker_id *worker,
				  const char *target) MUST_CHECK;

/* [A-Za-z0-9_.:/-]{1,64} */
bool command_type_valid(const char *type);

/* One as an object. */
void command_write(struct jwrite *w, const struct command_entry *entry);

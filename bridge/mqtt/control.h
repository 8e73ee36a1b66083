// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* control.h - control commands to the plugin, and their answers, matched by correlationData.
 * Format: docs/reference/control.md. Thread: loop. */
#pragma once

#include "protocol/buf.h"
#include "protocol/err.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

struct app;
struct control;

/* `data` is the answer's "data" object (borrowed), NULL when e says what went wrong:
 * the plugin's error code where we know it, ERR_BROKER_UNAVAILABLE when no answer came. */
typedef void (*control_done_f)(void *arg, struct json_object *data, struct err *e);

/* The same for an answer that comes in parts; `more` says whether others follow. */
typedef void (*control_part_f)(void *arg, struct json_object *data, struct err *e, bool more);

struct control *control_new(struct app *app, struct err *e) MUST_CHECK;
void control_free(struct control *c); /* NULL is fine; calls under way fail */

/* Sends one command. `fields` holds its members besides command and correlationData as JSON
 * text, e.g. "\"worker_id\":\"w1\"", or is empty. `done` is called exactly once, never before
 * control_call() has returned. */
void control_call(struct control *c, const char *command, const struct buf *fields,
		  int64_t timeout_ms, control_done_f done, void *arg);

/* The same for a command whose answer nobody waits for: it is not answered, which costs the
 * broker as much as the command itself. Whether it was carried out is not known. */
void control_tell(struct control *c, const char *command, const struct buf *fields);

/* As control_call() for a command whose answer comes in parts, each within timeout_ms of the
 * one before; `part` is called until it has been told that no more follow. */
void control_call_parts(struct control *c, const char *command, const struct buf *fields,
			int64_t timeout_ms, control_part_f part, void *arg);

/* Calls by command: how long their answers took, how many failed; for operators. */
struct prom;
void control_expose(const struct control *c, struct prom *p);

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* engine_state.h - engine statuses that workers report on `workers/{id}/state`, and those that
 * the plugin remembered for them, on their way to the roster.
 *
 * A status may be heard before the roster knows its worker: the database may be away while the
 * bridge starts, or another bridge made the worker a moment ago. It is kept until the roster
 * does, for a while. Thread: loop.
 */
#pragma once

#include "protocol/err.h"
#include "protocol/ident.h"

#include <stddef.h>
#include <stdint.h>

struct app;
struct engine_states;

struct engine_states *engine_states_new(struct app *app, struct err *e) MUST_CHECK;
void engine_states_free(struct engine_states *s); /* NULL is fine */

void engine_state_set(struct engine_states *s, const struct worker_id *id, const char *status,
		      int64_t at_ms);

/* A message on `workers/{id}/state`. Rubbish changes nothing and is counted. */
void engine_state_receive(struct app *app, const struct worker_id *id, const char *payload,
			  size_t len);

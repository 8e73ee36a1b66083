// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* engine_reconcile.h - sends the last start or stop again to a worker that comes back doing
 * something else (option ROLLCALL_RECONCILE). docs/commands.md has the rule. Thread: loop. */
#pragma once

#include "bridge/workers/roster.h"
#include "protocol/presence.h"

struct app;
struct engine_reconcile;

struct engine_reconcile *engine_reconcile_new(struct app *app, struct err *e) MUST_CHECK;
void engine_reconcile_free(struct engine_reconcile *r); /* NULL is fine */

/* Has it come back after the order, and said since then that it does the opposite? Pure. */
bool engine_is_wrong(const struct record *record, const struct presence *p);

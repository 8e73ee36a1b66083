// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* presence_log.h - who was connected from when to when, and why it ended, into the audit trail.
 *
 * Every bridge hears every presence event, and each notes it; the rows carry a hash of worker
 * and moment, so that one of them stays. What a bridge lists when it starts, or after it missed
 * something, goes the same way: a row that is there already is not written twice, one that is
 * missing is made up for. (A connection that began and ended unheard by every bridge has none.)
 *
 * A worker that comes and goes gets ROWS_PER_HOUR rows an hour; what is left out is in the
 * `count` of the row that follows. Thread: loop. */
#pragma once

#include "protocol/presence.h"

struct app;
struct presence_log;

struct presence_log *presence_log_new(struct app *app, struct err *e) MUST_CHECK;
void presence_log_free(struct presence_log *l); /* NULL is fine */

/* What the plugin said of a worker at that node, by an event or in a list. */
void presence_log_note(struct presence_log *l, const char *node, const struct presence *p);

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* catchup.h - after this process was held up (stopped, starved of a processor, busy for long),
 * what the broker has told meanwhile still waits: in our socket, and in the broker's own queue
 * for us. Whoever asks now must not be told what was true before. So a question to the plugin
 * is sent, whose answer comes behind all of that; until it is there requests wait. Where it
 * does not come soon, every status is unknown.
 *
 * Thread: loop.
 */
#pragma once

#include "protocol/err.h"

#include <stdbool.h>

struct app;
struct catchup;

struct catchup *catchup_new(struct app *app, struct err *e) MUST_CHECK;
void catchup_free(struct catchup *c); /* NULL is fine; before the loop's end */

/* True while requests had better wait: for milliseconds, and never for longer than
 * CATCHUP_HOLD_MS. To be asked before any request of a turn is looked at. */
bool catchup_holds(struct catchup *c);

/* True when it has taken too long: what is known may be old. */
bool catchup_gave_up(const struct catchup *c);

#define CATCHUP_HOLD_MS 200

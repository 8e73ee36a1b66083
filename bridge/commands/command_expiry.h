// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* command_expiry.h - commands expire when their time is over, not when somebody looks next.
 *
 * Each bridge knows when the next open command expires, its own or another's, and expires what
 * is due then. Several may do so at the same moment: the update that changes the row counts.
 * The scheduled job `command_expiry` finds what the bridge that knew of it did not live to
 * expire. Thread: loop.
 */
#pragma once

#include "bridge/store/store_command_expire.h"

struct app;
struct command_expiry;

struct command_expiry *command_expiry_new(struct app *app, struct err *e) MUST_CHECK;
void command_expiry_free(struct command_expiry *x); /* NULL is fine */

/* A command was made that expires then. */
void command_expiry_note(struct command_expiry *x, int64_t expires_ms);

/* What somebody has expired just now, for those who wait and listen. */
void command_expiry_tell(struct app *app, const struct commands_expired *expired);

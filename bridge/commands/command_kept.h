// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* command_kept.h - commands with `queue` reach workers that were away: they are sent at each
 * new session until they are accepted, or expire, or are taken back.
 *
 * The rows say what is open; here is a set of the workers that have any, so that the arrival of
 * one that has none costs nothing. It is read again every two seconds, and then finds whatever
 * went wrong in between: a presence event that was missed, a plugin that did not answer, a
 * bridge that died with a command in its hands. Thread: loop.
 */
#pragma once

#include "protocol/err.h"
#include "protocol/ident.h"
#include "protocol/presence.h"

struct app;
struct command_kept;

struct command_kept *command_kept_new(struct app *app, struct err *e) MUST_CHECK;
void command_kept_free(struct command_kept *k); /* NULL is fine */

/* A command was kept for this worker. */
void command_kept_note(struct command_kept *k, const struct worker_id *worker);

/* What the mirror has just learnt. */
void command_kept_presence(struct command_kept *k, const struct presence *p);

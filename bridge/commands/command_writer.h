// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* command_writer.h - what happens to commands, on its way into the database: while one group is
 * being committed the next one gathers, so that many commands share a commit. Thread: loop. */
#pragma once

#include "bridge/store/store_command_group.h"

struct app;
struct command_writer;

struct command_writer *command_writer_new(struct app *app, struct err *e) MUST_CHECK;
void command_writer_free(struct command_writer *w); /* NULL is fine; nothing may be under way */

/* Has it written; `write` must stay until its `done` is called, on the loop, with what came of
 * it. `may_wait`: nobody waits for this one, so for a moment it may wait for company. */
void command_writer_put(struct command_writer *w, struct command_write *write, bool may_wait);

/* Lets nothing wait any more: for the way down, before the database's threads are ended. */
void command_writer_flush(struct command_writer *w);

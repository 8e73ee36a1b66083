// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* command_watch.h - who waits for the end of which command. Thread: loop. */
#pragma once

#include "bridge/store/store_command.h"

struct loop;
struct command_watches;
struct command_watch;

struct command_watches *command_watches_new(struct loop *loop, struct err *e) MUST_CHECK;
void command_watches_free(struct command_watches *w); /* tells all of them; NULL is fine */

/* Called once: with the standing of the command as soon as its final state is committed, or
 * with NULL at the deadline. */
typedef void (*command_done_f)(void *arg, const struct command_standing *standing);

/* NULL: out of memory. It is gone once `done` was called. */
struct command_watch *command_watch_add(struct command_watches *w, const struct command_id *id,
					int64_t timeout_ms, command_done_f done, void *arg);

/* Does anybody wait for the command's end? */
bool command_watch_is_on(const struct command_watches *w, const struct command_id *id);

/* Ends it without calling `done`. */
void command_watch_end(struct command_watches *w, struct command_watch *watch);

/* It has come to its end. */
void command_watch_tell(struct command_watches *w, const struct command_id *id,
			const struct command_standing *standing);

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* command.h - commands to workers: issued, followed, and awaited. Thread: loop. */
#pragma once

#include "bridge/command_result.h"
#include "bridge/store_command.h"

#include <stdint.h>

struct app;
struct commands;

struct commands *commands_new(struct app *app, struct err *e) MUST_CHECK;
void commands_free(struct commands *c); /* NULL is fine */

/* Who wants to hear of what commands come to, once that is committed. */
struct command_watcher {
	void (*stands)(void *arg, const struct worker_id *worker, const struct command_id *id,
		       const struct command_standing *standing);
	void *arg;
};
void commands_set_watcher(struct commands *c, const struct command_watcher *w); /* NULL: none */

/* How an attempt to issue a command went: e says what went wrong, if something did;
 * ERR_WORKER_NOT_CONNECTED when no live session was there, so that it has failed. */
typedef void (*command_issued_f)(void *arg, const struct command_standing *standing,
				 struct err *e);

/* Records the command (row->id and the times are set here unless they are), has it delivered to
 * row->target, and records that. Copies what it needs. `issued` is called once, later. */
void command_issue(struct commands *c, const struct command_row *row, command_issued_f issued,
		   void *arg);

/* Has `done` called once: with the standing of the command as soon as its final state is
 * committed, or with NULL at the deadline. One watch per command. */
typedef void (*command_done_f)(void *arg, const struct command_standing *standing);
enum err_code command_watch(struct commands *c, const struct command_id *id, int64_t timeout_ms,
			    command_done_f done, void *arg, struct err *e) MUST_CHECK;

/* Ends the watch without calling `done`. */
void command_unwatch(struct commands *c, const struct command_id *id);

/* A message on `workers/{id}/results`. */
void commands_receive(struct app *app, const struct worker_id *id, const char *payload,
		      size_t len);

/* Called by the results' queue for each command whose standing was read after a commit. */
void command_stands(struct commands *c, const struct worker_id *worker,
		    const struct command_id *id, const struct command_standing *standing);

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* command.h - commands to workers: issued, followed, and awaited. docs/commands.md says what
 * each state proves. Thread: loop. */
#pragma once

#include "bridge/commands/command_result.h"
#include "bridge/commands/command_watch.h"
#include "bridge/store/store_command.h"

#include <stdint.h>

struct app;
struct commands;
struct presence;

struct commands *commands_new(struct app *app, struct err *e) MUST_CHECK;
void commands_free(struct commands *c); /* NULL is fine */

/* Has what waits to be written go to the database, which is about to be closed. */
void commands_close(struct commands *c);

/* Who wants to hear of what commands come to, once that is committed. */
struct command_watcher {
	void (*stands)(void *arg, const struct worker_id *worker, const struct command_id *id,
		       const struct command_standing *standing);
	void (*lost)(void *arg); /* something that another bridge did was not heard */
	void *arg;
};
void commands_set_watcher(struct commands *c, const struct command_watcher *w); /* NULL: none */

#define COMMAND_TTL_S 60
#define COMMAND_TTL_KEPT_S 86400 /* of one that is kept for a worker that is away */
#define COMMAND_TTL_MAX_S (30 * 86400)

/* How an attempt to issue a command went: e says what went wrong, if something did;
 * ERR_WORKER_NOT_CONNECTED when no live session was there, so that it has failed. */
typedef void (*command_issued_f)(void *arg, const struct command_standing *standing,
				 struct err *e);

/* Records the command (the times are set here unless they are), has it delivered to
 * row->target, and records that. With row->queue it may stay recorded; where its idempotency
 * key is known the one that has it is told about, and nothing else is done. `refused`: why it
 * cannot be issued now, so that it is only looked for by its key; NULL: it can. Copies what it
 * needs. `issued` is called once, later. */
void command_issue(struct commands *c, const struct command_row *row, const struct err *refused,
		   command_issued_f issued, void *arg);

/* Takes it back, as store_command_cancel() says. */
void command_cancel(struct commands *c, const struct command_row *row, command_issued_f done,
		    void *arg);

/* Asks the database where it stands. */
void command_look(struct commands *c, const struct worker_id *worker,
		  const struct command_id *id, command_issued_f done, void *arg);

/* See command_watch.h. */
struct command_watches *commands_watches(struct commands *c);

struct command_batches *commands_batches(struct commands *c);

/* A command was recorded as queued, and is on its way. */
void commands_made(struct commands *c, const struct command_row *row);

/* A message on `workers/{id}/results`. */
void commands_receive(struct app *app, const struct worker_id *id, const char *payload,
		      size_t len);

/* What the mirror has just learnt. */
void commands_presence(struct app *app, const struct presence *p);

/* Tells those who wait and listen where a command stands, after a commit. The first is for what
 * every bridge hears of, as results of workers; the second for what happened here alone, and
 * tells the other bridges, too. */
void command_stands(struct commands *c, const struct worker_id *worker,
		    const struct command_id *id, const struct command_standing *standing);
void command_happened(struct commands *c, const struct worker_id *worker,
		      const struct command_standing *standing);

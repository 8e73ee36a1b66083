// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* command_news.h - what becomes of a command at one bridge, told to the others, so that their
 * listeners and those who wait there hear of it, too. What workers report reaches all bridges
 * anyway; this is for the rest: made, sent, undelivered, expired, cancelled.
 *
 * Many in one message (topic rollcall/v1/commands), and none while no other bridge is there:
 * each says every two seconds that it is. What could not be told is made up for by having the
 * others' listeners list again. Thread: loop.
 */
#pragma once

#include "bridge/store/store_command.h"

struct app;
struct command_news;

/* What another bridge has told, or could not. */
struct command_news_reader {
	void (*stands)(void *arg, const struct worker_id *worker, const struct command_id *id,
		       const struct command_standing *standing);
	void (*lost)(void *arg); /* something was not heard */
	void *arg;
};

struct command_news *command_news_new(struct app *app, const struct command_news_reader *reader,
				      struct err *e) MUST_CHECK;
void command_news_free(struct command_news *n); /* NULL is fine */

/* This bridge's listeners were told this: news that are older come too late, and are dropped.
 */
void command_news_note(struct command_news *n, const struct command_id *id,
		       enum command_state state);

/* Tells the others, within some milliseconds. */
void command_news_add(struct command_news *n, const struct worker_id *worker,
		      const struct command_id *id, const struct command_standing *standing);

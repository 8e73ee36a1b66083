// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* command_batch.h - one command to many workers: made, carried on by one bridge at a time
 * (store_batch.h), ended. Thread: loop. */
#pragma once

#include "bridge/store/store_batch.h"

struct app;
struct command_batches;

struct command_batches *command_batches_new(struct app *app, struct err *e) MUST_CHECK;
void command_batches_free(struct command_batches *b); /* NULL is fine */

/* A batch was committed: goes on with it now. */
void command_batch_begin(struct command_batches *b, const struct batch_id *id);

/* Tells those who wait and listen of commands that were taken back, after the commit. */
void command_batch_tell(struct app *app, const struct batch_taken_list *taken);

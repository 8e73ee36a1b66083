// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* command_results.h - what workers report about commands, into the database, many in one
 * transaction, and acknowledged after its commit. Thread: loop. */
#pragma once

#include "protocol/err.h"
#include "protocol/ident.h"

#include <stddef.h>

struct app;
struct command_results;
struct command_writer;

struct command_results *command_results_new(struct app *app, struct command_writer *writer,
					    struct err *e) MUST_CHECK;
void command_results_free(struct command_results *r); /* NULL is fine */

void command_results_receive(struct command_results *r, const struct worker_id *id,
			     const char *payload, size_t len);

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* metric.h - metric reports on their way: from the inbox to the writer, and after the commit to
 * the roster and, as acknowledgements, back to the worker. Thread: loop. */
#pragma once

#include "protocol/err.h"
#include "protocol/ident.h"

#include <stddef.h>

struct app;
struct metrics;

struct metrics *metrics_new(struct app *app, struct err *e) MUST_CHECK;
void metrics_free(struct metrics *m); /* NULL is fine */

/* Writes what has gathered, if the database is there; acknowledgements for it are posted. */
void metrics_stop(struct metrics *m);

/* A message on `workers/{id}/metrics`. */
void metrics_receive(struct app *app, const struct worker_id *id, const char *payload,
		     size_t len);

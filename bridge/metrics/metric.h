// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* metric.h - metric reports, from the broker to the database and back: a connection of their
 * own hears them, a queue holds them, a writer commits and acknowledges them, and their latest
 * values come to the roster. docs/metrics.md has the whole picture. Thread: loop. */
#pragma once

#include "protocol/err.h"

#include <stdbool.h>
#include <stddef.h>

struct app;
struct metrics;

struct metrics *metrics_new(struct app *app, struct err *e) MUST_CHECK;
void metrics_free(struct metrics *m); /* NULL is fine */

/* Takes nothing in any more, writes what has gathered, if the database is there, and
 * acknowledges it. */
void metrics_stop(struct metrics *m);

/* Reports are heard. */
bool metrics_listening(const struct metrics *m);

/* Reports that wait for the database, and how many may. */
size_t metrics_queued(const struct metrics *m);
size_t metrics_queue_max(void);

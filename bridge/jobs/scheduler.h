// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* scheduler.h - runs the jobs of jobs.c, each in one bridge at a time.
 *
 * One thread with a database connection of its own looks at the table scheduled_jobs about once
 * a second. A job that is due is run by whoever gets its lock (GET_LOCK) and finds it still due
 * then. A bridge that dies loses its locks with its connection, and the next one that looks
 * runs what it left. While the database is away nothing is due.
 *
 * Thread: loop, but for the functions in jobs.c.
 */
#pragma once

#include "protocol/err.h"
#include "protocol/jwrite.h"

#include <stdbool.h>

struct app;
struct scheduler;

struct scheduler *scheduler_new(struct app *app, struct err *e) MUST_CHECK;

/* Starts the thread, once the database has its tables. */
enum err_code scheduler_start(struct scheduler *s, struct err *e) MUST_CHECK;

/* Waits for the statement under way, and leaves the rest of the job to the next run. What the
 * thread has posted is run by the loop afterwards. */
void scheduler_stop(struct scheduler *s);
void scheduler_free(struct scheduler *s); /* NULL is fine */

/* Has the job run soon, whatever its period says. An unknown name is a bug. */
void scheduler_trigger(struct scheduler *s, const char *job);

/* Writes the members of an object that the caller has opened: "jobs", as all bridges together
 * have run them. False if one has failed or is far behind its time. */
bool scheduler_health(struct scheduler *s, struct jwrite *w);

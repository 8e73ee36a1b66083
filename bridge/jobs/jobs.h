// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* jobs.h - the table of what the scheduler does by itself. A new job is a row in jobs.c, a row
 * for its period in config.c, and a function.
 *
 * `run` is called on the scheduler's thread, in one bridge at a time. It may be broken off at
 * any statement and is then run again, so it works in small transactions whose effect does not
 * depend on how often they are tried, and looks at job_stopping() between them. */
#pragma once

#include "bridge/db/db.h"

#include <stdatomic.h>
#include <stddef.h>

struct app;
struct config;

struct job_run {
	/* What it may use. */
	const struct config *config;
	struct db *db; /* the scheduler's own connection */
	int64_t now_ms;
	const atomic_bool *stopping;
	/* What it leaves. */
	int64_t handled; /* rows it dealt with */
	void *found;     /* for `after`, which frees it; malloc'ed, NULL: nothing */
};

struct job {
	const char *name; /* also the row of scheduled_jobs */
	size_t period;    /* in struct config, an int64_t: seconds from start to start */
	enum err_code (*run)(struct job_run *run, struct err *e);
	/* On the loop, after a run that left something in `found`; NULL: never. */
	void (*after)(struct app *app, void *found);
};

extern const struct job jobs[];
extern const size_t jobs_len;

/* Seconds. */
int64_t job_period(const struct job *job, const struct config *config);

/* True when the bridge is being stopped: leave the rest to the next run. */
bool job_stopping(const struct job_run *run);

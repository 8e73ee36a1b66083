// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_job.h - SQL of the table scheduled_jobs, and the lock that keeps a job to one bridge.
 * All times are the database's, so that bridges whose clocks differ agree about what is due.
 * Thread: the connection's. */
#pragma once

#include "bridge/db/db.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOB_NAME_MAX 40
#define JOB_BRIDGE_MAX 100
#define JOB_ERROR_MAX 300

enum job_outcome { JOB_NEVER_RAN, JOB_RUNNING, JOB_DONE, JOB_FAILED };

struct job_row {
	char name[JOB_NAME_MAX + 1];
	int64_t period_s;
	int64_t started_ms, finished_ms, succeeded_ms; /* Unix; 0: never */
	int64_t age_ms;                                /* since it was started; -1: never */
	int64_t duration_ms, handled, runs;
	enum job_outcome outcome;
	char error[JOB_ERROR_MAX + 1];
	char bridge[JOB_BRIDGE_MAX + 1];
};

const char *job_outcome_name(enum job_outcome outcome); /* "never ran", "running", … */

/* Makes the row if there is none, and writes the period into it. */
enum err_code store_job_register(struct db *db, const char *name, int64_t period_s,
				 struct err *e) MUST_CHECK;

/* Reads up to `max` rows; *len gets how many. */
enum err_code store_job_read(struct db *db, struct job_row *rows, size_t max, size_t *len,
			     struct err *e) MUST_CHECK;

/* Does not wait. The lock is the connection's and ends with it, so a dead bridge holds none. */
enum err_code store_job_lock(struct db *db, const char *name, bool *locked,
			     struct err *e) MUST_CHECK;
enum err_code store_job_unlock(struct db *db, const char *name, struct err *e) MUST_CHECK;

/* With the lock: notes that `bridge` runs it now. *claimed is false if it is not due (any
 * more); `early` makes it due. One that says "running" is due, too: who ran it is gone. */
enum err_code store_job_claim(struct db *db, const char *name, const char *bridge, bool early,
			      bool *claimed, struct err *e) MUST_CHECK;

/* `error`: why it failed; NULL: it went well. */
enum err_code store_job_finish(struct db *db, const char *name, int64_t duration_ms,
			       int64_t handled, const char *error, struct err *e) MUST_CHECK;

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/store/store_job.h"

#include "bridge/db/stmt.h"
#include "protocol/util.h"

#include <stdio.h>
#include <string.h>

static const char sql_register[] =
	"INSERT INTO scheduled_jobs (name, period_seconds) VALUES (?, ?)"
	" ON DUPLICATE KEY UPDATE period_seconds = VALUES(period_seconds)";
static const char sql_read[] =
	"SELECT name, period_seconds, started_at, finished_at, succeeded_at,"
	" TIMESTAMPDIFF(MICROSECOND, started_at, UTC_TIMESTAMP(3)) DIV 1000, duration_ms,"
	" handled, runs, outcome, error, bridge FROM scheduled_jobs ORDER BY name LIMIT ?";
/* Names of locks are the server's, not the database's. */
#define LOCK_NAME "CONCAT('rollcall.', MD5(DATABASE()), '.', ?)"
static const char sql_lock[] = "SELECT GET_LOCK(" LOCK_NAME ", 0)";
static const char sql_unlock[] = "SELECT RELEASE_LOCK(" LOCK_NAME ")";
static const char sql_claim[] =
	"UPDATE scheduled_jobs SET started_at = UTC_TIMESTAMP(3), finished_at = NULL,"
	" outcome = 'running', error = NULL, bridge = ?, runs = runs + 1 WHERE name = ?"
	" AND (? OR started_at IS NULL OR outcome = 'running'"
	" OR started_at + INTERVAL period_seconds SECOND <= UTC_TIMESTAMP(3))";
static const char sql_finish[] =
	"UPDATE scheduled_jobs SET finished_at = UTC_TIMESTAMP(3), duration_ms = ?,"
	" handled = ?, error = ?, outcome = IF(error IS NULL, 'done', 'failed'),"
	" succeeded_at = IF(error IS NULL, finished_at, succeeded_at) WHERE name = ?";

static const char *const outcomes[] = {"never ran", "running", "done", "failed"};

const char *job_outcome_name(enum job_outcome outcome)
{
	return outcomes[outcome];
}

static enum job_outcome outcome_of(const char *text)
{
	for (size_t i = JOB_RUNNING; text != NULL && i < ARRAY_LEN(outcomes); i++)
		if (strcmp(text, outcomes[i]) == 0)
			return (enum job_outcome)i;
	return JOB_NEVER_RAN;
}

enum err_code store_job_register(struct db *db, const char *name, int64_t period_s,
				 struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_register);

	stmt_str(q, name);
	stmt_i64(q, period_s);
	stmt_exec(q);
	return stmt_end(q, e);
}

static void copy_text(struct stmt *q, unsigned column, char *out, size_t size)
{
	const char *text = stmt_get_str(q, column);

	snprintf(out, size, "%s", text != NULL ? text : "");
}

static void read_row(struct stmt *q, struct job_row *row)
{
	copy_text(q, 0, row->name, sizeof(row->name));
	row->period_s = stmt_get_i64(q, 1);
	row->started_ms = stmt_get_time(q, 2);
	row->finished_ms = stmt_get_time(q, 3);
	row->succeeded_ms = stmt_get_time(q, 4);
	row->age_ms = stmt_is_null(q, 5) ? -1 : stmt_get_i64(q, 5);
	row->duration_ms = stmt_get_i64(q, 6);
	row->handled = stmt_get_i64(q, 7);
	row->runs = stmt_get_i64(q, 8);
	row->outcome = outcome_of(stmt_get_str(q, 9));
	copy_text(q, 10, row->error, sizeof(row->error));
	copy_text(q, 11, row->bridge, sizeof(row->bridge));
}

enum err_code store_job_read(struct db *db, struct job_row *rows, size_t max, size_t *len,
			     struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_read);

	stmt_i64(q, (int64_t)max);
	*len = 0;
	while (*len < max && stmt_row(q))
		read_row(q, &rows[(*len)++]);
	return stmt_end(q, e);
}

static enum err_code call_lock(struct db *db, const char *sql, const char *name, bool *yes,
			       struct err *e)
{
	struct stmt *q = stmt_begin(db, sql);

	stmt_str(q, name);
	*yes = stmt_row(q) && stmt_get_i64(q, 0) == 1;
	return stmt_end(q, e);
}

enum err_code store_job_lock(struct db *db, const char *name, bool *locked, struct err *e)
{
	return call_lock(db, sql_lock, name, locked, e);
}

enum err_code store_job_unlock(struct db *db, const char *name, struct err *e)
{
	bool ignored;

	return call_lock(db, sql_unlock, name, &ignored, e);
}

enum err_code store_job_claim(struct db *db, const char *name, const char *bridge, bool early,
			      bool *claimed, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_claim);

	stmt_str(q, bridge);
	stmt_str(q, name);
	stmt_i64(q, early);
	*claimed = stmt_exec(q) > 0;
	return stmt_end(q, e);
}

enum err_code store_job_finish(struct db *db, const char *name, int64_t duration_ms,
			       int64_t handled, const char *error, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_finish);

	stmt_i64(q, duration_ms);
	stmt_i64(q, handled);
	stmt_str(q, error);
	stmt_str(q, name);
	stmt_exec(q);
	return stmt_end(q, e);
}

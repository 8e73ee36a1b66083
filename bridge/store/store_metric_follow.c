// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/store/store_metric_follow.h"

#include "bridge/db/stmt.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char sql_writers[] = "SELECT writer, batch FROM metric_writers WHERE writer <> ?"
				  " ORDER BY written_at DESC";

/* The whole table is looked through, and only when there is something new: an index on what
 * changes with every report would cost far more. */
static const char sql_newer[] =
	"SELECT worker_id, received_at, memory, cpu, rate, extra, last_engine_status, "
	"last_engine_status_at FROM metrics_latest WHERE writer = ? AND batch > ?";

static const char sql_forget[] = "DELETE FROM metric_writers WHERE written_at < ?";

static int64_t followed_to(const struct metric_followed *f, int64_t writer)
{
	for (size_t i = 0; i < f->len; i++)
		if (f->rows[i].writer == writer)
			return f->rows[i].batch;
	return 0;
}

static enum err_code read_writers(struct db *db, int64_t self, struct metric_followed *out,
				  struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_writers);

	out->len = 0;
	stmt_i64(q, self);
	while (out->len < METRIC_WRITERS_MAX && stmt_row(q)) {
		out->rows[out->len].writer = stmt_get_i64(q, 0);
		out->rows[out->len].batch = stmt_get_i64(q, 1);
		out->len++;
	}
	return stmt_end(q, e);
}

static double number_or_nan(struct stmt *q, unsigned column)
{
	return stmt_is_null(q, column) ? NAN : stmt_get_f64(q, column);
}

/* False: out of memory. */
static bool read_entry(struct stmt *q, struct metric_news *news)
{
	const char *id = stmt_get_str(q, 0), *extra = stmt_get_str(q, 5);
	const char *status = stmt_get_str(q, 6);
	struct metric_entry *m = metric_news_add(news);

	if (m == NULL)
		return false;
	snprintf(m->worker.text, sizeof(m->worker.text), "%s", id != NULL ? id : "");
	m->received_ms = stmt_get_time(q, 1);
	m->memory = number_or_nan(q, 2);
	m->cpu = number_or_nan(q, 3);
	m->rate = number_or_nan(q, 4);
	m->extra = extra != NULL ? strdup(extra) : NULL;
	snprintf(m->engine_status, sizeof(m->engine_status), "%s",
		 status != NULL ? status : "");
	m->engine_status_ms = stmt_get_time(q, 7);
	return extra == NULL || m->extra != NULL;
}

static enum err_code read_newer(struct db *db, int64_t writer, int64_t batch,
				struct metric_news *news, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_newer);
	bool whole = true;

	stmt_i64(q, writer);
	stmt_i64(q, batch);
	while (whole && stmt_row(q))
		whole = read_entry(q, news);
	if (stmt_end(q, e) == ERR_OK && !whole)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	return e->code;
}

/* The writers' rows are read first: what is committed in between is read with the batch before
 * it, and once more the next time. */
enum err_code store_metrics_follow(struct db *db, int64_t self,
				   struct metric_followed *followed, struct metric_news *news,
				   struct err *e)
{
	struct metric_followed now;

	if (read_writers(db, self, &now, e) != ERR_OK)
		return e->code;
	for (size_t i = 0; i < now.len; i++) {
		const int64_t batch = followed_to(followed, now.rows[i].writer);

		if (batch != now.rows[i].batch &&
		    read_newer(db, now.rows[i].writer, batch, news, e) != ERR_OK)
			return e->code;
	}
	*followed = now;
	return ERR_OK;
}

enum err_code store_metric_writers_forget(struct db *db, int64_t limit_ms, int64_t *n,
					  struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_forget);

	stmt_time(q, limit_ms);
	*n = (int64_t)stmt_exec(q);
	return stmt_end(q, e);
}

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/store/store_metric_read.h"

#include "bridge/db/stmt.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS "at, seq, received_at, memory, cpu, rate, engine_status, extra"

static const char sql_latest[] = "SELECT " COLUMNS " FROM metrics_latest WHERE worker_id = ?";

/* A range of the primary key, read backwards, in the partitions of its days alone. */
static const char sql_history[] = "SELECT " COLUMNS " FROM metrics"
				  " WHERE worker_id = ? AND at BETWEEN ? AND ?"
				  " ORDER BY at DESC, ref DESC LIMIT ?";

static double number_or_nan(struct stmt *q, unsigned column)
{
	return stmt_is_null(q, column) ? NAN : stmt_get_f64(q, column);
}

/* False: out of memory. */
static bool read_row(struct stmt *q, struct metric_row *out)
{
	const char *status = stmt_get_str(q, 6), *extra = stmt_get_str(q, 7);

	out->at_ms = stmt_get_time(q, 0);
	out->seq = stmt_is_null(q, 1) ? -1 : stmt_get_i64(q, 1);
	out->received_ms = stmt_get_time(q, 2);
	out->memory = number_or_nan(q, 3);
	out->cpu = number_or_nan(q, 4);
	out->rate = number_or_nan(q, 5);
	snprintf(out->engine_status, sizeof(out->engine_status), "%s",
		 status != NULL ? status : "");
	out->extra = extra != NULL ? strdup(extra) : NULL;
	return extra == NULL || out->extra != NULL;
}

void metric_row_fini(struct metric_row *row)
{
	free(row->extra);
	row->extra = NULL;
}

void metric_rows_fini(struct metric_rows *rows)
{
	for (size_t i = 0; i < rows->len; i++)
		metric_row_fini(&rows->rows[i]);
	free(rows->rows);
	*rows = (struct metric_rows){0};
}

enum err_code store_metrics_latest(struct db *db, const struct worker_id *id,
				   struct metric_row *out, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_latest);
	bool found, whole;

	*out = (struct metric_row){0};
	stmt_str(q, id->text);
	found = stmt_row(q);
	whole = !found || read_row(q, out);
	if (stmt_end(q, e) == ERR_OK && !found)
		err_set(e, ERR_NOT_FOUND, "worker %s has not reported yet", id->text);
	else if (e->code == ERR_OK && !whole)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	return e->code;
}

enum err_code store_metrics_history(struct db *db, const struct metric_span *span,
				    struct metric_rows *out, struct err *e)
{
	struct stmt *q;
	bool whole = true;

	out->len = 0;
	out->rows = calloc(span->limit, sizeof(*out->rows));
	if (out->rows == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	q = stmt_begin(db, sql_history);
	stmt_str(q, span->worker.text);
	stmt_time(q, span->from_ms);
	stmt_time(q, span->to_ms);
	stmt_i64(q, (int64_t)span->limit);
	while (whole && out->len < span->limit && stmt_row(q))
		whole = read_row(q, &out->rows[out->len++]);
	if (stmt_end(q, e) == ERR_OK && !whole)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	return e->code;
}

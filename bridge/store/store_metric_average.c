// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Averages of a worker's history: one statement for what has a column, another for the keys
 * within the JSON, which costs more and is left out where nobody asks for it. */
#include "bridge/db/stmt.h"
#include "bridge/store/store_metric_read.h"
#include "protocol/jwrite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FURTHER_BYTES ((size_t)64 * 1024)

/* Less than what the connection waits for an answer: a worker with too many reports must not
 * look like a database that is away. */
static const char sql_hurry[] = "SET max_statement_time = 3";
static const char sql_take_time[] = "SET max_statement_time = 0";

#define BUCKET "CAST(FLOOR(UNIX_TIMESTAMP(at) / ?) AS SIGNED)"

/* A range of the primary key, in the partitions of its days alone. */
static const char sql_buckets[] =
	"SELECT " BUCKET " AS bucket, COUNT(*), AVG(memory), AVG(cpu), AVG(rate) FROM metrics"
	" WHERE worker_id = ? AND at BETWEEN ? AND ?"
	" GROUP BY bucket ORDER BY bucket DESC LIMIT ?";

#define VALUE "JSON_EXTRACT(m.extra, CONCAT('$.\"', k.name, '\"'))"

static const char sql_further[] =
	"SELECT " BUCKET " AS bucket, k.name, AVG(CAST(" VALUE " AS DOUBLE)) FROM metrics m"
	" JOIN JSON_TABLE(JSON_KEYS(m.extra), '$[*]' COLUMNS (name VARCHAR(200) PATH '$')) k"
	" WHERE m.worker_id = ? AND m.at BETWEEN ? AND ?"
	" AND JSON_TYPE(" VALUE ") IN ('INTEGER', 'DOUBLE')"
	" AND (JSON_LENGTH(?) = 0 OR JSON_CONTAINS(?, JSON_QUOTE(k.name)))"
	" GROUP BY bucket, k.name ORDER BY bucket DESC, k.name";

void metric_buckets_fini(struct metric_buckets *buckets)
{
	for (size_t i = 0; i < buckets->len; i++)
		buf_fini(&buckets->buckets[i].further);
	free(buckets->buckets);
	*buckets = (struct metric_buckets){0};
}

static double number_or_nan(struct stmt *q, unsigned column)
{
	return stmt_is_null(q, column) ? NAN : stmt_get_f64(q, column);
}

static enum err_code read_buckets(struct db *db, const struct metric_span *span,
				  int64_t resolution_s, struct metric_buckets *out,
				  struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_buckets);

	stmt_i64(q, resolution_s);
	stmt_str(q, span->worker.text);
	stmt_time(q, span->from_ms);
	stmt_time(q, span->to_ms);
	stmt_i64(q, (int64_t)span->limit);
	while (out->len < span->limit && stmt_row(q)) {
		struct metric_bucket *b = &out->buckets[out->len++];

		buf_init(&b->further, FURTHER_BYTES);
		b->at_ms = stmt_get_i64(q, 0) * resolution_s * 1000;
		b->reports = stmt_get_i64(q, 1);
		b->memory = number_or_nan(q, 2);
		b->cpu = number_or_nan(q, 3);
		b->rate = number_or_nan(q, 4);
	}
	return stmt_end(q, e);
}

static void add_further(struct metric_bucket *b, const char *name, double value)
{
	struct jwrite w = {.out = &b->further, .comma = b->further.len > 0};

	jwrite_key(&w, name, strlen(name));
	jwrite_f64(&w, NULL, value);
}

/* Both come in the same order. */
static enum err_code read_further(struct db *db, const struct metric_span *span,
				  int64_t resolution_s, const char *further,
				  struct metric_buckets *out, struct err *e)
{
	const int64_t first_ms = out->buckets[out->len - 1].at_ms;
	struct stmt *q = stmt_begin(db, sql_further);
	size_t at = 0;

	stmt_i64(q, resolution_s);
	stmt_str(q, span->worker.text);
	stmt_time(q, first_ms > span->from_ms ? first_ms : span->from_ms);
	stmt_time(q, span->to_ms);
	stmt_str(q, further);
	stmt_str(q, further);
	while (stmt_row(q)) {
		const int64_t at_ms = stmt_get_i64(q, 0) * resolution_s * 1000;

		while (at < out->len && out->buckets[at].at_ms > at_ms)
			at++;
		if (at < out->len && out->buckets[at].at_ms == at_ms)
			add_further(&out->buckets[at], stmt_get_str(q, 1), stmt_get_f64(q, 2));
	}
	return stmt_end(q, e);
}

static enum err_code read_both(struct db *db, const struct metric_span *span,
			       int64_t resolution_s, const char *further,
			       struct metric_buckets *out, struct err *e)
{
	if (read_buckets(db, span, resolution_s, out, e) == ERR_OK && out->len > 0 &&
	    further != NULL)
		read_further(db, span, resolution_s, further, out, e);
	return e->code;
}

enum err_code store_metrics_buckets(struct db *db, const struct metric_span *span,
				    int64_t resolution_s, const char *further,
				    struct metric_buckets *out, struct err *e)
{
	struct err after = {0};

	out->len = 0;
	out->buckets = calloc(span->limit, sizeof(*out->buckets));
	if (out->buckets == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	if (db_run(db, sql_hurry, sizeof(sql_hurry) - 1, e) != ERR_OK)
		return e->code;
	read_both(db, span, resolution_s, further, out, e);
	if (db_run(db, sql_take_time, sizeof(sql_take_time) - 1, &after) != ERR_OK &&
	    e->code == ERR_OK)
		*e = after;
	return e->code;
}

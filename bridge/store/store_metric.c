// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Three statements a batch, however many reports it has: their rows, each worker's latest
 * values, and a sign for the other bridges that there is something to be read.
 *
 * That a worker exists is the foreign key of metrics_latest to say; only when it says no is it
 * asked which ones do not. */
#include "bridge/store/store_metric.h"

#include "bridge/db/stmt.h"
#include "bridge/db/stmt_bulk.h"
#include "protocol/clock.h"
#include "protocol/jwrite.h"

#include <stdlib.h>
#include <string.h>

#define IDS_BYTES ((size_t)1024 * 1024)

/* A repeated report is not an error but nothing to do. Not IGNORE, which would store what does
 * not fit as something else. */
static const char sql_insert[] =
	"INSERT INTO metrics (worker_id, at, ref, received_at, memory, cpu, rate, "
	"engine_status, extra) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
	" ON DUPLICATE KEY UPDATE ref = metrics.ref";
static const enum bulk_type insert_types[] = {BULK_TEXT, BULK_TIME, BULK_I64,
					      BULK_TIME, BULK_F64,  BULK_F64,
					      BULK_F64,  BULK_TEXT, BULK_TEXT};

/* What "newer" is about comes last: assignments are made in order, and each asks for the old
 * one. */
#define NEWER(column)                                                                          \
	column " = IF(VALUES(received_at) >= metrics_latest.received_at, VALUES(" column       \
	       "), metrics_latest." column "), "
/* clang-format off */
static const char sql_latest[] =
	"INSERT INTO metrics_latest (worker_id, at, seq, received_at, memory, cpu, rate, "
	"engine_status, extra, last_engine_status, last_engine_status_at, writer, batch)"
	" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE "
	NEWER("at") NEWER("seq") NEWER("memory") NEWER("cpu") NEWER("rate")
	NEWER("engine_status") NEWER("extra")
	"last_engine_status = IF(VALUES(last_engine_status_at) >= "
	"COALESCE(metrics_latest.last_engine_status_at, '1970-01-01'), "
	"VALUES(last_engine_status), metrics_latest.last_engine_status), "
	"last_engine_status_at = IF(VALUES(last_engine_status_at) >= "
	"COALESCE(metrics_latest.last_engine_status_at, '1970-01-01'), "
	"VALUES(last_engine_status_at), metrics_latest.last_engine_status_at), "
	"writer = VALUES(writer), batch = VALUES(batch), "
	"received_at = GREATEST(VALUES(received_at), metrics_latest.received_at)";
/* clang-format on */
static const enum bulk_type latest_types[] = {
	BULK_TEXT, BULK_TIME, BULK_I64,  BULK_TIME, BULK_F64, BULK_F64, BULK_F64,
	BULK_TEXT, BULK_TEXT, BULK_TEXT, BULK_TIME, BULK_I64, BULK_I64};

static const char sql_batch[] =
	"INSERT INTO metric_writers (writer, batch, written_at) VALUES (?, ?, ?)"
	" ON DUPLICATE KEY UPDATE batch = VALUES(batch), written_at = VALUES(written_at)";

/* Served by the workers' primary key. */
static const char sql_unknown[] =
	"SELECT r.worker_id FROM JSON_TABLE(?, '$[*]' COLUMNS ("
	"worker_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin PATH '$')) r"
	" LEFT JOIN workers w ON w.id = r.worker_id WHERE w.id IS NULL";

struct metric_store {
	int64_t writer;
	int64_t batch; /* grows with each transaction that is tried */
	struct bulk *rows, *latest;
};

/* What one transaction is about. */
struct batch {
	struct metric_store *store;
	struct metric_report *list;
};

struct metric_store *metric_store_new(int64_t writer, struct err *e)
{
	struct metric_store *s = calloc(1, sizeof(*s));

	if (s != NULL) {
		s->writer = writer;
		s->rows = bulk_new(insert_types, ARRAY_LEN(insert_types), STORE_METRICS_MAX);
		s->latest = bulk_new(latest_types, ARRAY_LEN(latest_types), STORE_METRICS_MAX);
	}
	if (s != NULL && s->rows != NULL && s->latest != NULL)
		return s;
	err_set(e, ERR_OUT_OF_MEMORY, NULL);
	metric_store_free(s);
	return NULL;
}

void metric_store_free(struct metric_store *s)
{
	if (s == NULL)
		return;
	bulk_free(s->rows);
	bulk_free(s->latest);
	free(s);
}

/* ---- rows -------------------------------------------------------------------------------- */

static void add_status(struct bulk *b, const struct metric_report *r)
{
	bulk_str(b, r != NULL && r->engine_status[0] != '\0' ? r->engine_status : NULL);
}

static void add_row(struct bulk *b, const struct metric_report *r)
{
	bulk_str(b, r->worker.text);
	bulk_time(b, r->at_ms);
	bulk_i64(b, r->ref);
	bulk_time(b, r->received_ms);
	bulk_f64(b, r->memory);
	bulk_f64(b, r->cpu);
	bulk_f64(b, r->rate);
	add_status(b, r);
	bulk_text(b, r->extra, r->extra_len);
}

/* `status`: the newest report of the worker that says how its engine is, NULL if none does. */
static void add_latest(struct metric_store *s, const struct metric_report *r,
		       const struct metric_report *status)
{
	struct bulk *b = s->latest;

	bulk_str(b, r->worker.text);
	bulk_time(b, r->at_ms);
	if (r->seq >= 0)
		bulk_i64(b, r->seq);
	else
		bulk_null(b);
	bulk_time(b, r->received_ms);
	bulk_f64(b, r->memory);
	bulk_f64(b, r->cpu);
	bulk_f64(b, r->rate);
	add_status(b, r);
	bulk_text(b, r->extra, r->extra_len);
	add_status(b, status);
	if (status != NULL)
		bulk_time(b, status->received_ms);
	else
		bulk_null(b);
	bulk_i64(b, s->writer);
	bulk_i64(b, s->batch);
}

static bool is_last_of_worker(const struct metric_report *r)
{
	return r->next == NULL || !worker_id_equal(&r->next->worker, &r->worker);
}

static void fill(struct metric_store *s, struct metric_report *list)
{
	const struct metric_report *status = NULL;

	bulk_reset(s->rows);
	bulk_reset(s->latest);
	for (struct metric_report *r = list; r != NULL; r = r->next) {
		if (r->outcome == METRIC_UNKNOWN_WORKER)
			continue;
		add_row(s->rows, r);
		if (r->engine_status[0] != '\0')
			status = r;
		if (!is_last_of_worker(r))
			continue;
		add_latest(s, r, status);
		status = NULL;
	}
}

static enum err_code run(struct db *db, const char *sql, struct bulk *rows, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql);

	stmt_bulk(q, rows);
	return stmt_end(q, e);
}

static enum err_code note_batch(struct db *db, const struct metric_store *s, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_batch);

	stmt_i64(q, s->writer);
	stmt_i64(q, s->batch);
	stmt_time(q, clock_unix_ms());
	stmt_exec(q);
	return stmt_end(q, e);
}

static enum err_code write_batch(struct db *db, void *arg, struct err *e)
{
	struct batch *b = arg;
	struct metric_store *s = b->store;

	s->batch++;
	fill(s, b->list);
	if (bulk_rows(s->rows) == 0)
		return ERR_OK;
	/* The latest first: what is wrong with a worker shows before its rows are made. */
	if (run(db, sql_latest, s->latest, e) == ERR_OK &&
	    run(db, sql_insert, s->rows, e) == ERR_OK)
		note_batch(db, s, e);
	return e->code;
}

/* ---- workers that do not exist ----------------------------------------------------------- */

static size_t mark(struct metric_report *list, const char *id)
{
	size_t n = 0;

	for (struct metric_report *r = list; r != NULL; r = r->next)
		if (strcmp(r->worker.text, id) == 0) {
			r->outcome = METRIC_UNKNOWN_WORKER;
			n++;
		}
	return n;
}

static enum err_code ask_unknown(struct db *db, struct metric_report *list,
				 const struct buf *ids, size_t *found, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_unknown);

	*found = 0;
	stmt_bytes(q, ids->data, ids->len);
	while (stmt_row(q))
		*found += mark(list, stmt_get_str(q, 0));
	return stmt_end(q, e);
}

static enum err_code find_unknown(struct db *db, struct metric_report *list, size_t *found,
				  struct err *e)
{
	struct buf ids;
	struct jwrite w;

	buf_init(&ids, IDS_BYTES);
	jwrite_begin(&w, &ids);
	jwrite_array(&w, NULL);
	for (const struct metric_report *r = list; r != NULL; r = r->next)
		if (is_last_of_worker(r) && r->outcome != METRIC_UNKNOWN_WORKER)
			jwrite_str(&w, NULL, r->worker.text);
	jwrite_array_end(&w);
	if (ids.failed)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	else
		ask_unknown(db, list, &ids, found, e);
	buf_fini(&ids);
	return e->code;
}

enum err_code store_metrics_write(struct db *db, struct metric_store *s,
				  struct metric_report *list, struct err *e)
{
	struct batch b = {.store = s, .list = list};
	size_t found = 1;

	for (struct metric_report *r = list; r != NULL; r = r->next)
		r->outcome = METRIC_PENDING;
	e->code = ERR_OK;
	while (db_transaction(db, write_batch, &b, e) == ERR_NOT_FOUND && found > 0) {
		e->code = ERR_OK;
		if (find_unknown(db, list, &found, e) != ERR_OK)
			return e->code;
		if (found == 0) /* made or deleted this very moment */
			return err_set(e, ERR_DATABASE_UNAVAILABLE, "a worker came or went");
	}
	for (struct metric_report *r = list; e->code == ERR_OK && r != NULL; r = r->next)
		if (r->outcome == METRIC_PENDING)
			r->outcome = METRIC_STORED;
	return e->code;
}

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* A batch travels as one JSON text and becomes rows in the server (JSON_TABLE, MariaDB 10.6
 * on): four statements a batch, however many reports it has. */
#include "bridge/store_metric.h"

#include "bridge/stmt.h"
#include "protocol/buf.h"
#include "protocol/clock.h"
#include "protocol/htab.h"
#include "protocol/jwrite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_BYTES ((size_t)16 * 1024 * 1024)

#define ROWS                                                                                   \
	" FROM JSON_TABLE(?, '$[*]' COLUMNS ("                                                 \
	"worker_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin PATH '$[0]', "            \
	"at DATETIME(3) PATH '$[1]', seq BIGINT PATH '$[2]', received_at DATETIME(3) PATH "    \
	"'$[3]', "                                                                             \
	"memory DOUBLE PATH '$[4]', cpu DOUBLE PATH '$[5]', rate DOUBLE PATH '$[6]', "         \
	"engine_status VARCHAR(32) PATH '$[7]', extra LONGTEXT PATH '$[8]')) r"

#define COLUMNS "worker_id, at, seq, received_at, memory, cpu, rate, engine_status, extra"
#define R_COLUMNS                                                                              \
	"r.worker_id, r.at, r.seq, r.received_at, r.memory, r.cpu, r.rate, r.engine_status, "  \
	"r.extra"

/* Served by the workers' primary key. */
static const char sql_unknown[] =
	"SELECT r.worker_id FROM JSON_TABLE(?, '$[*]' COLUMNS ("
	"worker_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin PATH '$')) r"
	" LEFT JOIN workers w ON w.id = r.worker_id WHERE w.id IS NULL";

/* A repeated report is not an error but nothing to do. Not IGNORE, which would store what does
 * not fit as something else. */
static const char sql_insert[] = "INSERT INTO metrics (" COLUMNS ") SELECT " R_COLUMNS ROWS
				 " ON DUPLICATE KEY UPDATE metrics.id = metrics.id";

/* received_at last: assignments are made in order, and each asks for the old one. */
#define NEWER(column)                                                                          \
	column " = IF(VALUES(received_at) >= metrics_latest.received_at, VALUES(" column       \
	       "), metrics_latest." column ")"
/* clang-format off */
static const char sql_latest[] =
	"INSERT INTO metrics_latest (" COLUMNS ") SELECT " R_COLUMNS ROWS
	" ON DUPLICATE KEY UPDATE "
	NEWER("at") ", " NEWER("seq") ", " NEWER("memory") ", " NEWER("cpu") ", "
	NEWER("rate") ", " NEWER("engine_status") ", " NEWER("extra") ", "
	"received_at = GREATEST(VALUES(received_at), metrics_latest.received_at)";
/* clang-format on */

/* The newest report need not be the one that said how the engine is. */
static const char sql_status[] =
	"UPDATE metrics_latest l JOIN (SELECT r.worker_id, r.engine_status, r.received_at" ROWS
	") s ON s.worker_id = l.worker_id"
	" SET l.last_engine_status = s.engine_status, l.last_engine_status_at = s.received_at"
	" WHERE l.last_engine_status_at IS NULL OR l.last_engine_status_at <= s.received_at";

static const char sql_get_latest[] = "SELECT at, seq, received_at, memory, cpu, rate, "
				     "engine_status, extra FROM metrics_latest"
				     " WHERE worker_id = ?";

struct batch {
	struct metric_report *list;
	struct htab workers;  /* the newest report of each worker in it */
	struct htab statuses; /* the newest of each that has an engine status */
};

/* ---- which workers ----------------------------------------------------------------------- */

static uint64_t hash_report(const void *item)
{
	return htab_hash_str(((const struct metric_report *)item)->worker.text);
}

static bool is_worker(const void *item, const void *id)
{
	return strcmp(((const struct metric_report *)item)->worker.text, id) == 0;
}

static struct metric_report *newest_of(const struct htab *workers, const char *id)
{
	return htab_find(workers, htab_hash_str(id), is_worker, id);
}

static bool set_newest(struct htab *workers, struct metric_report *r)
{
	struct metric_report *older = newest_of(workers, r->worker.text);

	if (older != NULL)
		htab_remove(workers, older);
	return htab_add(workers, r);
}

/* The list is in order of receipt, so the last one is the newest. */
static enum err_code find_newest(struct batch *b, struct err *e)
{
	for (struct metric_report *r = b->list; r != NULL; r = r->next)
		if (!set_newest(&b->workers, r) ||
		    (r->engine_status[0] != '\0' && !set_newest(&b->statuses, r)))
			return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	return ERR_OK;
}

static void mark_unknown(struct batch *b, const char *id)
{
	struct metric_report *newest = newest_of(&b->workers, id);
	struct metric_report *status = newest_of(&b->statuses, id);

	if (newest == NULL)
		return;
	htab_remove(&b->workers, newest);
	if (status != NULL)
		htab_remove(&b->statuses, status);
	for (struct metric_report *r = b->list; r != NULL; r = r->next)
		if (strcmp(r->worker.text, newest->worker.text) == 0)
			r->outcome = METRIC_UNKNOWN_WORKER;
}

static enum err_code ask_unknown(struct db *db, struct batch *b, const struct buf *ids,
				 struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_unknown);

	stmt_bytes(q, ids->data, ids->len);
	while (stmt_row(q))
		mark_unknown(b, stmt_get_str(q, 0));
	return stmt_end(q, e);
}

static enum err_code find_unknown(struct db *db, struct batch *b, struct err *e)
{
	const struct metric_report *r;
	struct buf ids;
	struct jwrite w;
	size_t pos = 0;

	buf_init(&ids, ROWS_BYTES);
	jwrite_begin(&w, &ids);
	jwrite_array(&w, NULL);
	while ((r = htab_next(&b->workers, &pos)) != NULL)
		jwrite_str(&w, NULL, r->worker.text);
	jwrite_array_end(&w);
	if (ids.failed)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	else
		ask_unknown(db, b, &ids, e);
	buf_fini(&ids);
	return e->code;
}

/* ---- rows -------------------------------------------------------------------------------- */

/* "2026-11-23 14:05:08.542", in UTC as the session is. */
static void write_time(struct jwrite *w, int64_t unix_ms)
{
	char text[CLOCK_TEXT_SIZE];

	clock_format(unix_ms, text);
	text[10] = ' ';
	jwrite_strn(w, NULL, text, sizeof(text) - 2); /* without the Z */
}

static void write_row(struct jwrite *w, const struct metric_report *r)
{
	jwrite_array(w, NULL);
	jwrite_str(w, NULL, r->worker.text);
	write_time(w, r->at_ms);
	if (r->seq >= 0)
		jwrite_i64(w, NULL, r->seq);
	else
		jwrite_null(w, NULL);
	write_time(w, r->received_ms);
	jwrite_f64(w, NULL, r->memory);
	jwrite_f64(w, NULL, r->cpu);
	jwrite_f64(w, NULL, r->rate);
	jwrite_str(w, NULL, r->engine_status[0] != '\0' ? r->engine_status : NULL);
	jwrite_str(w, NULL, r->extra);
	jwrite_array_end(w);
}

static enum err_code run_rows(struct db *db, const char *sql, const struct buf *rows,
			      struct err *e)
{
	struct stmt *q;

	if (rows->failed)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	q = stmt_begin(db, sql);
	stmt_bytes(q, rows->data, rows->len);
	stmt_exec(q);
	return stmt_end(q, e);
}

static enum err_code insert_all(struct db *db, struct batch *b, struct err *e)
{
	struct buf rows;
	struct jwrite w;

	buf_init(&rows, ROWS_BYTES);
	jwrite_begin(&w, &rows);
	jwrite_array(&w, NULL);
	for (struct metric_report *r = b->list; r != NULL; r = r->next)
		if (r->outcome != METRIC_UNKNOWN_WORKER) {
			write_row(&w, r);
			r->outcome = METRIC_STORED;
		}
	jwrite_array_end(&w);
	run_rows(db, sql_insert, &rows, e);
	buf_fini(&rows);
	return e->code;
}

static enum err_code write_each(struct db *db, const char *sql, const struct htab *reports,
				struct err *e)
{
	const struct metric_report *r;
	struct buf rows;
	struct jwrite w;
	size_t pos = 0;

	buf_init(&rows, ROWS_BYTES);
	jwrite_begin(&w, &rows);
	jwrite_array(&w, NULL);
	while ((r = htab_next(reports, &pos)) != NULL)
		write_row(&w, r);
	jwrite_array_end(&w);
	run_rows(db, sql, &rows, e);
	buf_fini(&rows);
	return e->code;
}

static void batch_fini(struct batch *b)
{
	htab_fini(&b->workers);
	htab_fini(&b->statuses);
}

static void batch_init(struct batch *b)
{
	htab_init(&b->workers, hash_report);
	htab_init(&b->statuses, hash_report);
}

static enum err_code write_batch(struct db *db, void *arg, struct err *e)
{
	struct batch *b = arg;

	batch_fini(b); /* of an earlier try */
	batch_init(b);
	for (struct metric_report *r = b->list; r != NULL; r = r->next)
		r->outcome = METRIC_PENDING;
	if (find_newest(b, e) != ERR_OK || find_unknown(db, b, e) != ERR_OK)
		return e->code;
	if (b->workers.len == 0)
		return ERR_OK;
	if (insert_all(db, b, e) == ERR_OK &&
	    write_each(db, sql_latest, &b->workers, e) == ERR_OK && b->statuses.len > 0)
		write_each(db, sql_status, &b->statuses, e);
	return e->code;
}

enum err_code store_metrics_write(struct db *db, struct metric_report *list, struct err *e)
{
	struct batch b = {.list = list};
	enum err_code code;

	batch_init(&b);
	code = db_transaction(db, write_batch, &b, e);
	batch_fini(&b);
	return code;
}

/* ---- reading ----------------------------------------------------------------------------- */

static double number_or_nan(struct stmt *q, unsigned column)
{
	return stmt_is_null(q, column) ? NAN : stmt_get_f64(q, column);
}

static void read_latest(struct stmt *q, struct metric_report *out)
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
}

enum err_code store_metrics_latest(struct db *db, const struct worker_id *id,
				   struct metric_report *out, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_get_latest);
	bool found;

	*out = (struct metric_report){.worker = *id};
	stmt_str(q, id->text);
	found = stmt_row(q);
	if (found)
		read_latest(q, out);
	if (stmt_end(q, e) == ERR_OK && !found)
		err_set(e, ERR_NOT_FOUND, "worker %s has not reported yet", id->text);
	return e->code;
}

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* GET /workers/{worker}/metrics */
#include "bridge/app.h"
#include "bridge/http/routes.h"
#include "bridge/metrics/metric_keys.h"
#include "bridge/workers/roster.h"
#include "protocol/clock.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX ((size_t)32 * 1024 * 1024)
#define HOUR_MS INT64_C(3600000)
#define LIMIT_DEFAULT 100
#define LIMIT_MAX 1000
#define RESOLUTION_MAX_S (366 * 86400)
#define TIME_BYTES_MAX 40

struct history_get {
	struct request *rq;
	struct metric_span span;
	int64_t resolution_s; /* 0: the reports themselves */
	struct metric_keys keys;
	struct buf body;
};

static void history_free(struct history_get *get)
{
	metric_keys_fini(&get->keys);
	buf_fini(&get->body);
	free(get);
}

/* ---- what is asked ----------------------------------------------------------------------- */

/* A "+" in a query stands for a space, and many a client forgets to escape that of "+01:00". */
static bool parse_time(const char *text, int64_t *ms)
{
	char copy[TIME_BYTES_MAX + 1];
	const size_t len = strlen(text);

	if (len > TIME_BYTES_MAX)
		return false;
	memcpy(copy, text, len + 1);
	if (len > 6 && copy[len - 6] == ' ')
		copy[len - 6] = '+';
	return clock_parse(copy, len, ms) && *ms > 0;
}

static enum err_code read_time(const struct request *rq, const char *name, int64_t otherwise,
			       int64_t *out, struct err *e)
{
	const char *text = request_query(rq, name);

	*out = otherwise;
	if (text != NULL && !parse_time(text, out))
		return err_set(e, ERR_INVALID_REQUEST, "%s: must be a time (RFC 3339)", name);
	return ERR_OK;
}

static enum err_code read_keys(struct history_get *get, struct err *e)
{
	const char *list;

	e->code = ERR_OK;
	for (size_t i = 0; (list = request_query_nth(get->rq, "keys", i)) != NULL; i++)
		if (metric_keys_add(&get->keys, list, e) != ERR_OK)
			return e->code;
	return ERR_OK;
}

/* Without an end, what workers' clocks have ahead of ours belongs to it. */
static enum err_code read_span(struct history_get *get, struct err *e)
{
	const struct request *rq = get->rq;
	const int64_t now_ms = clock_unix_ms();
	const int64_t end_ms = now_ms + rq->app->config.metrics_ahead_seconds * 1000;
	struct metric_span *span = &get->span;
	const bool has_end = request_query(rq, "to") != NULL;
	int64_t limit;

	if (read_time(rq, "to", end_ms, &span->to_ms, e) != ERR_OK ||
	    read_time(rq, "from", (has_end ? span->to_ms : now_ms) - HOUR_MS, &span->from_ms,
		      e) != ERR_OK ||
	    request_query_i64(rq, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX, &limit, e) != ERR_OK)
		return e->code;
	if (span->from_ms > span->to_ms)
		return err_set(e, ERR_INVALID_REQUEST, "from: is later than to");
	span->limit = (size_t)limit;
	span->worker = rq->worker;
	return ERR_OK;
}

static enum err_code read_query(struct history_get *get, struct err *e)
{
	static const char *const names[] = {"from", "to", "limit", "resolution", "keys", NULL};

	if (request_query_only(get->rq, names, e) != ERR_OK || read_span(get, e) != ERR_OK ||
	    request_query_i64(get->rq, "resolution", 0, 1, RESOLUTION_MAX_S, &get->resolution_s,
			      e) != ERR_OK)
		return e->code;
	return read_keys(get, e);
}

/* ---- on a database thread: a thousand rows as text are not the loop's business -------------
 */

static enum err_code finish(struct history_get *get, struct jwrite *w, struct err *e)
{
	jwrite_array_end(w);
	if (get->body.failed)
		return err_set(e, ERR_PAYLOAD_TOO_LARGE,
			       "the answer would be too large: ask for fewer reports or keys");
	return ERR_OK;
}

static enum err_code read_reports(struct db *db, struct history_get *get, struct err *e)
{
	struct metric_rows rows = {0};
	struct jwrite w;

	if (store_metrics_history(db, &get->span, &rows, e) == ERR_OK) {
		jwrite_begin(&w, &get->body);
		jwrite_array(&w, NULL);
		for (size_t i = 0; i < rows.len; i++)
			metric_row_write(&w, &get->span.worker, &rows.rows[i], &get->keys);
		finish(get, &w, e);
	}
	metric_rows_fini(&rows);
	return e->code;
}

static enum err_code write_averages(struct db *db, struct history_get *get, const char *further,
				    struct err *e)
{
	struct metric_buckets buckets = {0};
	struct jwrite w;

	if (store_metrics_buckets(db, &get->span, get->resolution_s, further, &buckets, e) ==
	    ERR_OK) {
		jwrite_begin(&w, &get->body);
		jwrite_array(&w, NULL);
		for (size_t i = 0; i < buckets.len; i++)
			metric_bucket_write(&w, &get->span.worker, &buckets.buckets[i],
					    &get->keys);
		finish(get, &w, e);
	}
	metric_buckets_fini(&buckets);
	return e->code;
}

static enum err_code read_averages(struct db *db, struct history_get *get, struct err *e)
{
	struct jwrite w;
	struct buf names;

	buf_init(&names, (size_t)METRIC_KEYS_ASKED_MAX * 6 * METRIC_KEY_BYTES_MAX);
	jwrite_begin(&w, &names);
	metric_keys_write(&get->keys, &w);
	if (names.failed)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	else
		write_averages(db, get,
			       metric_keys_want_further(&get->keys) ? names.data : NULL, e);
	buf_fini(&names);
	return e->code;
}

static enum err_code read_history(struct db *db, void *arg, struct err *e)
{
	struct history_get *get = arg;

	return get->resolution_s > 0 ? read_averages(db, get, e) : read_reports(db, get, e);
}

/* ---- on the loop ------------------------------------------------------------------------- */

static void on_read(void *arg, struct err *e)
{
	struct history_get *get = arg;

	if (e->code == ERR_OK)
		respond_json(get->rq, 200, &get->body);
	else
		respond_error(get->rq, e);
	history_free(get);
}

enum err_code rest_metrics_history(struct request *rq, struct err *e)
{
	struct history_get *get;

	if (roster_get(rq->app->roster, &rq->worker, e) == NULL)
		return e->code;
	get = calloc(1, sizeof(*get));
	if (get == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	get->rq = rq;
	buf_init(&get->body, ANSWER_MAX);
	if (read_query(get, e) != ERR_OK) {
		history_free(get);
		return e->code;
	}
	db_submit(rq->app->db, read_history, on_read, get);
	return ERR_OK;
}

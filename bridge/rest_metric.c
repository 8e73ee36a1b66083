// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* GET /workers/{worker}/metrics/latest */
#include "bridge/app.h"
#include "bridge/roster.h"
#include "bridge/routes.h"
#include "bridge/store_metric_read.h"
#include "bridge/worker_body.h"
#include "protocol/jwrite.h"

#include <stdlib.h>

#define ANSWER_MAX ((size_t)1024 * 1024)

struct latest_get {
	struct request *rq;
	struct worker_id worker;
	struct metric_row row;
};

static void write_report(struct jwrite *w, const struct worker_id *worker,
			 const struct metric_row *r)
{
	jwrite_object(w, NULL);
	jwrite_str(w, "worker_id", worker->text);
	jwrite_time(w, "received_at", r->received_ms);
	jwrite_time(w, "at", r->at_ms);
	if (r->seq >= 0)
		jwrite_i64(w, "seq", r->seq);
	else
		jwrite_null(w, "seq");
	jwrite_f64(w, "memory", r->memory);
	jwrite_f64(w, "cpu", r->cpu);
	jwrite_f64(w, "rate", r->rate);
	jwrite_str(w, "engine_status", r->engine_status[0] != '\0' ? r->engine_status : NULL);
	worker_write_metrics(w, r->extra);
	jwrite_object_end(w);
}

static enum err_code read_latest(struct db *db, void *arg, struct err *e)
{
	struct latest_get *get = arg;

	return store_metrics_latest(db, &get->worker, &get->row, e);
}

static void on_read(void *arg, struct err *e)
{
	struct latest_get *get = arg;
	struct jwrite w;
	struct buf body;

	if (e->code == ERR_OK) {
		buf_init(&body, ANSWER_MAX);
		jwrite_begin(&w, &body);
		write_report(&w, &get->worker, &get->row);
		respond_json(get->rq, 200, &body);
	} else {
		respond_error(get->rq, e);
	}
	metric_row_fini(&get->row);
	free(get);
}

enum err_code rest_metrics_latest(struct request *rq, struct err *e)
{
	struct latest_get *get;

	if (roster_get(rq->app->roster, &rq->worker, e) == NULL)
		return e->code;
	get = calloc(1, sizeof(*get));
	if (get == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	get->rq = rq;
	get->worker = rq->worker;
	db_submit(rq->app->db, read_latest, on_read, get);
	return ERR_OK;
}

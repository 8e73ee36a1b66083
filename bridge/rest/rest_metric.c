// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* GET /workers/{worker}/metrics/latest */
#include "bridge/app.h"
#include "bridge/http/routes.h"
#include "bridge/metrics/metric_keys.h"
#include "bridge/workers/roster.h"
#include "protocol/jwrite.h"

#include <stdlib.h>

#define ANSWER_MAX ((size_t)1024 * 1024)

struct latest_get {
	struct request *rq;
	struct worker_id worker;
	struct metric_row row;
};

static enum err_code read_latest(struct db *db, void *arg, struct err *e)
{
	struct latest_get *get = arg;

	return store_metrics_latest(db, &get->worker, &get->row, e);
}

static void on_read(void *arg, struct err *e)
{
	static const struct metric_keys all;
	struct latest_get *get = arg;
	struct jwrite w;
	struct buf body;

	if (e->code == ERR_OK) {
		buf_init(&body, ANSWER_MAX);
		jwrite_begin(&w, &body);
		metric_row_write(&w, &get->worker, &get->row, &all);
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

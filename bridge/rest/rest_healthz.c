// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* GET /healthz: each part, asked now. The plugin has a second to answer, then the database. */
#include "bridge/app.h"
#include "bridge/base/loop.h"
#include "bridge/db/db.h"
#include "bridge/health.h"
#include "bridge/http/routes.h"
#include "bridge/presence/plugin_stats.h"

#include <stdlib.h>

#define ANSWER_MAX ((size_t)256 * 1024)
#define LIMIT_MS 1000 /* for the database */

struct question {
	struct request *rq; /* NULL: answered */
	struct json_object *stats;
	struct timer *limit;
};

static void answer(struct question *q, bool database)
{
	const struct health health = {q->rq->app, database, q->stats};
	struct buf body;
	bool ok;

	buf_init(&body, ANSWER_MAX);
	ok = health_write(&health, &body);
	respond_json(q->rq, ok ? 200 : 503, &body);
	q->rq = NULL;
}

static void on_limit(void *arg)
{
	answer(arg, false);
}

static void on_database(void *arg, struct err *e)
{
	struct question *q = arg;

	if (q->rq != NULL)
		answer(q, e->code == ERR_OK);
	timer_free(q->limit);
	json_object_put(q->stats);
	free(q);
}

static void on_stats(void *arg, struct json_object *stats)
{
	struct question *q = arg;

	q->stats = json_object_get(stats);
	timer_once(q->limit, LIMIT_MS);
	db_check(q->rq->app->db, on_database, q);
}

enum err_code rest_healthz(struct request *rq, struct err *e)
{
	struct question *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	q->rq = rq;
	q->limit = timer_new(rq->app->loop, on_limit, q);
	if (q->limit == NULL) {
		free(q);
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	}
	plugin_stats_get(rq->app->plugin_stats, on_stats, q);
	return ERR_OK;
}

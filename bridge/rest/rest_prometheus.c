// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* GET /metrics: the figures of the bridge, and those of the plugin if it answers in time. */
#include "bridge/app.h"
#include "bridge/exposition.h"
#include "bridge/http/routes.h"
#include "bridge/presence/plugin_stats.h"

#define PAGE_MAX ((size_t)4 * 1024 * 1024)

static void answer(void *arg, struct json_object *stats)
{
	struct request *rq = arg;
	struct buf page;

	buf_init(&page, PAGE_MAX);
	exposition_write(rq->app, stats, &page);
	respond_typed(rq, 200, &page, "text/plain; version=0.0.4; charset=utf-8");
}

enum err_code rest_prometheus(struct request *rq, struct err *e)
{
	(void)e;
	plugin_stats_get(rq->app->plugin_stats, answer, rq);
	return ERR_OK;
}

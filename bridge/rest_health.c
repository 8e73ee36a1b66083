// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* GET /livez: the process turns its loop. GET /readyz: it can do all of its work. */
#include "bridge/app.h"
#include "bridge/db.h"
#include "bridge/mirror.h"
#include "bridge/roster.h"
#include "bridge/routes.h"
#include "bridge/user.h"
#include "protocol/jwrite.h"

#define ANSWER_MAX 1024

enum err_code rest_livez(struct request *rq, struct err *e)
{
	(void)e;
	respond_text(rq, 200, "ok\n");
	return ERR_OK;
}

enum err_code rest_readyz(struct request *rq, struct err *e)
{
	const struct app *app = rq->app;
	const bool database = db_pool_healthy(app->db) && users_loaded(app->users) &&
			      roster_loaded(app->roster);
	const bool broker = mirror_hears(app->mirror);
	struct jwrite w;
	struct buf body;

	(void)e;
	buf_init(&body, ANSWER_MAX);
	jwrite_begin(&w, &body);
	jwrite_object(&w, NULL);
	jwrite_bool(&w, "ready", database && broker);
	jwrite_bool(&w, "database", database);
	jwrite_bool(&w, "broker", broker);
	jwrite_object_end(&w);
	respond_json(rq, database && broker ? 200 : 503, &body);
	return ERR_OK;
}

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* GET /livez: the process turns its loop. GET /readyz: it can do all of its work. */
#include "bridge/app.h"
#include "bridge/base/loop.h"
#include "bridge/db/db.h"
#include "bridge/http/routes.h"
#include "bridge/identity/identity.h"
#include "bridge/metrics/metric.h"
#include "bridge/presence/mirror.h"
#include "bridge/workers/roster.h"
#include "protocol/jwrite.h"

#include <stdlib.h>

#define ANSWER_MAX 1024
#define LIMIT_MS 1000 /* for the database to say that it is there */

enum err_code rest_livez(struct request *rq, struct err *e)
{
	(void)e;
	respond_text(rq, 200, "ok\n");
	return ERR_OK;
}

/* ---- readyz ------------------------------------------------------------------------------ */

/* The database is asked, for what it said a second ago is not what a load balancer wants to
 * know; and not for long, since one that hangs is one that is away. */
struct readiness {
	struct request *rq; /* NULL: answered */
	struct timer *limit;
};

static void answer(struct readiness *r, bool database)
{
	const struct app *app = r->rq->app;
	const bool broker = mirror_hears(app->mirror) && metrics_listening(app->metrics);
	struct jwrite w;
	struct buf body;

	database = database && identity_loaded(app->identity) && roster_loaded(app->roster);
	buf_init(&body, ANSWER_MAX);
	jwrite_begin(&w, &body);
	jwrite_object(&w, NULL);
	jwrite_bool(&w, "ready", database && broker);
	jwrite_bool(&w, "database", database);
	jwrite_bool(&w, "broker", broker);
	jwrite_object_end(&w);
	respond_json(r->rq, database && broker ? 200 : 503, &body);
	r->rq = NULL;
}

static void on_limit(void *arg)
{
	answer(arg, false);
}

static void on_checked(void *arg, struct err *e)
{
	struct readiness *r = arg;

	if (r->rq != NULL)
		answer(r, e->code == ERR_OK);
	timer_free(r->limit);
	free(r);
}

enum err_code rest_readyz(struct request *rq, struct err *e)
{
	struct readiness *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	r->rq = rq;
	r->limit = timer_new(rq->app->loop, on_limit, r);
	if (r->limit == NULL) {
		free(r);
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	}
	timer_once(r->limit, LIMIT_MS);
	db_check(rq->app->db, on_checked, r);
	return ERR_OK;
}

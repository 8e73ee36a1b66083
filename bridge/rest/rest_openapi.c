// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* GET /openapi.json */
#include "bridge/app.h"
#include "bridge/http/routes.h"

enum err_code rest_openapi(struct request *rq, struct err *e)
{
	struct buf body;

	(void)e;
	buf_init(&body, HTTP_ANSWER_MAX);
	buf_add_str(&body, rq->app->openapi);
	respond_json(rq, 200, &body);
	return ERR_OK;
}

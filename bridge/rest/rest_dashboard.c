// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* GET /, /assets/{file}: the dashboard, which then uses /api like any other client.
 * GET /dashboard.json: what it has to know of the installation to show how workers connect.
 *
 * index.html names the other files by names that contain a hash of what is in them, so those
 * may be kept for ever, and it alone is asked for again. */
#include "bridge/app.h"
#include "bridge/http/dashboard_assets.h"
#include "bridge/http/gzip.h"
#include "bridge/http/routes.h"
#include "protocol/jwrite.h"

#include <string.h>

#define INDEX "index.html"
#define FACTS_MAX 4096

/* Nothing from elsewhere, no script or style in the page itself, and no frame around it. */
#define POLICY                                                                                 \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "      \
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

static const char without[] =
	"This bridge was built without the dashboard, since there was no Node.js 20.19 or "
	"later.\n"
	"\n"
	"To get it: install Node.js with npm (Debian 13: apt install nodejs npm), build the\n"
	"bridge again with `make`, and start it anew.\n"
	"\n"
	"The REST API is here all the same: GET /openapi.json describes it.\n";

static const struct dashboard_file *find(const char *name)
{
	for (size_t i = 0; i < dashboard_files_len; i++)
		if (strcmp(dashboard_files[i].name, name) == 0)
			return &dashboard_files[i];
	return NULL;
}

static enum err_code serve(struct request *rq, const struct dashboard_file *file)
{
	const bool gzip =
		file->gzip_len > 0 && gzip_accepted(request_header(rq, "Accept-Encoding"));
	struct buf body;

	buf_init(&body, HTTP_ANSWER_MAX);
	buf_add(&body, gzip ? file->gzip : file->plain,
		gzip ? file->gzip_len : file->plain_len);
	if (gzip)
		respond_header(rq, "Content-Encoding", "gzip");
	respond_header(rq, "Vary", "Accept-Encoding");
	respond_typed(rq, 200, &body, file->type);
	return ERR_OK;
}

enum err_code rest_dashboard(struct request *rq, struct err *e)
{
	const struct dashboard_file *file = find(INDEX);

	(void)e;
	if (file == NULL) {
		respond_text(rq, 200, without);
		return ERR_OK;
	}
	respond_header(rq, "Cache-Control", "no-cache");
	respond_header(rq, "Content-Security-Policy", POLICY);
	respond_header(rq, "Cross-Origin-Opener-Policy", "same-origin");
	return serve(rq, file);
}

enum err_code rest_dashboard_asset(struct request *rq, struct err *e)
{
	const struct dashboard_file *file = find(rq->param);

	if (file == NULL || strcmp(file->name, INDEX) == 0)
		return err_set(e, ERR_NOT_FOUND, NULL);
	respond_header(rq, "Cache-Control", "public, max-age=31536000, immutable");
	return serve(rq, file);
}

enum err_code rest_dashboard_facts(struct request *rq, struct err *e)
{
	const struct config *config = &rq->app->config;
	struct jwrite w;
	struct buf body;

	(void)e;
	buf_init(&body, FACTS_MAX);
	jwrite_begin(&w, &body);
	jwrite_object(&w, NULL);
	jwrite_str(&w, "version", ROLLCALL_VERSION);
	jwrite_str(&w, "websocket_url", config->websocket_url);
	jwrite_str(&w, "mqtt_url", *config->mqtt_url != '\0' ? config->mqtt_url : NULL);
	jwrite_object_end(&w);
	respond_json(rq, 200, &body);
	return ERR_OK;
}

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/audit/refusals.h"

#include "bridge/app.h"
#include "bridge/audit/audit.h"
#include "bridge/base/tally.h"
#include "bridge/mqtt/broker.h"
#include "protocol/buf.h"
#include "protocol/ident.h"
#include "protocol/jread.h"
#include "protocol/jwrite.h"
#include "protocol/topics.h"

#include <stdlib.h>
#include <string.h>

#define CODE_MAX 32
#define ADDRESS_MAX 64
#define NODE_MAX 64
#define CLIENT_MAX 128 /* bytes of a stranger's client id that are kept */
#define DETAIL_MAX 4096

struct refusals {
	struct app *app;
	struct broker_listener listener;
};

/* The id was chosen by a stranger: cut, not refused, for the refusal counts whatever it is. */
static void write_detail(struct buf *out, struct json_object *client, const char *node)
{
	const char *id = json_object_get_string(client);
	struct jwrite w;

	jwrite_begin(&w, out);
	jwrite_object(&w, NULL);
	if (id != NULL)
		jwrite_strn(&w, "client_id", id, strnlen(id, CLIENT_MAX));
	else
		jwrite_null(&w, "client_id");
	jwrite_str(&w, "node", node);
	jwrite_object_end(&w);
}

static const char *worker_or_null(struct json_object *value)
{
	const char *text = json_object_get_string(value);
	struct worker_id id;

	return text != NULL && worker_id_parse(text, strlen(text), &id) ? text : NULL;
}

static enum err_code take_refusal(struct audit *audit, struct json_object *doc, struct err *e)
{
	struct audit_row row = {.event = "login_refused"};
	struct json_object *client;
	const char *node;
	struct buf detail;
	struct jread r;

	jread_begin(&r, doc, e);
	row.code = jread_str(&r, "code", 1, CODE_MAX);
	row.worker_id = worker_or_null(jread_any(&r, "worker_id"));
	row.address = jread_str_or(&r, "address", 0, ADDRESS_MAX, NULL);
	client = jread_any(&r, "client_id");
	node = jread_str_or(&r, "node", 0, NODE_MAX, NULL);
	row.at_ms = jread_time_or_0(&r, "at");
	row.count = jread_i64_or(&r, "count", 1, 1, INT32_MAX);
	if (jread_end(&r) != ERR_OK)
		return e->code;
	buf_init(&detail, DETAIL_MAX);
	write_detail(&detail, client, node);
	row.detail = detail.failed ? NULL : detail.data;
	audit_put_refusal(audit, &row);
	buf_fini(&detail);
	return ERR_OK;
}

static void on_message(void *arg, const char *topic, const char *payload, size_t len)
{
	const struct refusals *r = arg;
	struct err e = {0};
	struct json_object *doc = jread_parse(payload, len, &e);

	(void)topic;
	if (doc == NULL || take_refusal(r->app->audit, doc, &e) != ERR_OK)
		tally_add(TALLY_AUDIT_DROPPED);
	json_object_put(doc);
}

static bool wants(void *arg, const char *topic)
{
	(void)arg;
	return strcmp(topic, TOPIC_AUDIT) == 0;
}

struct refusals *refusals_new(struct app *app, struct err *e)
{
	struct refusals *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	r->app = app;
	r->listener = (struct broker_listener){.filter = SHARED_PREFIX TOPIC_AUDIT,
					       .wants = wants,
					       .message = on_message,
					       .arg = r};
	broker_listen(app->broker, &r->listener);
	return r;
}

void refusals_free(struct refusals *r)
{
	free(r);
}

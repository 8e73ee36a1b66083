// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/audit.h"

#include "bridge/app.h"
#include "bridge/broker.h"
#include "bridge/db.h"
#include "bridge/loop.h"
#include "bridge/store_audit.h"
#include "bridge/tally.h"
#include "protocol/buf.h"
#include "protocol/ident.h"
#include "protocol/jread.h"
#include "protocol/jwrite.h"
#include "protocol/log.h"
#include "protocol/topics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_MAX 10000
#define BATCH_MAX 500
#define RETRY_MS 500
#define CODE_MAX 32
#define ADDRESS_MAX 64
#define CLIENT_MAX 128 /* bytes of a stranger's client id that are kept */

struct refusal {
	char worker[WORKER_ID_MAX + 1]; /* "": not even a worker id */
	char code[CODE_MAX + 1];
	char address[ADDRESS_MAX + 1];
	char *detail; /* JSON; owned */
	int64_t at_ms, count;
	struct refusal *next;
};

struct audit {
	struct app *app;
	struct broker_listener listener;
	struct refusal *first, **last; /* waiting */
	size_t len;
	struct refusal *batch; /* with the database thread */
	struct timer *retry;
};

static void submit(struct audit *a);

/* ---- into the database ------------------------------------------------------------------- */

static enum err_code write_batch(struct db *db, void *arg, struct err *e)
{
	const struct audit *a = arg;

	for (const struct refusal *r = a->batch; r != NULL; r = r->next) {
		const struct audit_row row = {
			.worker_id = r->worker[0] != '\0' ? r->worker : NULL,
			.event = "login_refused",
			.code = r->code,
			.address = r->address[0] != '\0' ? r->address : NULL,
			.detail = r->detail,
			.at_ms = r->at_ms,
			.count = r->count,
		};

		if (store_audit_add(db, &row, e) != ERR_OK)
			return e->code;
	}
	return ERR_OK;
}

static enum err_code work(struct db *db, void *arg, struct err *e)
{
	return db_transaction(db, write_batch, arg, e);
}

static void free_list(struct refusal *r)
{
	struct refusal *next;

	for (; r != NULL; r = next) {
		next = r->next;
		free(r->detail);
		free(r);
	}
}

static size_t length(const struct refusal *r)
{
	size_t n = 0;

	for (; r != NULL; r = r->next)
		n++;
	return n;
}

/* Back to the front of the queue. */
static void put_back(struct audit *a)
{
	struct refusal **end = &a->batch;

	a->len += length(a->batch);
	while (*end != NULL)
		end = &(*end)->next;
	*end = a->first;
	if (a->first == NULL)
		a->last = end;
	a->first = a->batch;
	a->batch = NULL;
}

static void on_written(void *arg, struct err *e)
{
	struct audit *a = arg;

	if (e->code == ERR_DATABASE_UNAVAILABLE) {
		put_back(a);
		timer_once(a->retry, RETRY_MS);
		return;
	}
	if (e->code != ERR_OK) {
		/* It would be no better the next time. */
		log_error("audit", "rows=%zu not recorded: %s", length(a->batch), e->msg);
		tally_add_n(TALLY_AUDIT_DROPPED, length(a->batch));
	}
	free_list(a->batch);
	a->batch = NULL;
	submit(a);
}

static void submit(struct audit *a)
{
	struct refusal **end = &a->first;
	size_t n = 0;

	if (a->batch != NULL || a->first == NULL)
		return;
	while (n < BATCH_MAX && *end != NULL) {
		end = &(*end)->next;
		n++;
	}
	a->batch = a->first;
	a->first = *end;
	*end = NULL;
	if (a->first == NULL)
		a->last = &a->first;
	a->len -= n;
	db_submit(a->app->db, work, on_written, a);
}

static void on_retry(void *arg)
{
	submit(arg);
}

/* ---- from the broker --------------------------------------------------------------------- */

/* The id was chosen by a stranger: cut, not refused, for the refusal counts whatever it is. */
static char *make_detail(struct json_object *client, const char *node)
{
	const char *id = json_object_get_string(client);
	struct buf out;
	struct jwrite w;

	buf_init(&out, 4096);
	jwrite_begin(&w, &out);
	jwrite_object(&w, NULL);
	if (id != NULL)
		jwrite_strn(&w, "client_id", id, strnlen(id, CLIENT_MAX));
	else
		jwrite_null(&w, "client_id");
	jwrite_str(&w, "node", node);
	jwrite_object_end(&w);
	return buf_take(&out, NULL);
}

static struct refusal *read_refusal(struct json_object *doc, struct err *e)
{
	struct refusal *out = calloc(1, sizeof(*out));
	const char *code, *worker, *address, *node;
	struct json_object *client;
	struct jread r;

	if (out == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	jread_begin(&r, doc, e);
	code = jread_str(&r, "code", 1, CODE_MAX);
	worker = json_object_get_string(jread_any(&r, "worker_id"));
	address = jread_str_or(&r, "address", 0, ADDRESS_MAX, "");
	client = jread_any(&r, "client_id");
	node = jread_str_or(&r, "node", 0, 64, NULL);
	out->at_ms = jread_time_or_0(&r, "at");
	out->count = jread_i64_or(&r, "count", 1, 1, INT32_MAX);
	if (jread_end(&r) != ERR_OK) {
		free(out);
		return NULL;
	}
	snprintf(out->code, sizeof(out->code), "%s", code);
	snprintf(out->address, sizeof(out->address), "%s", address);
	if (worker != NULL && worker_id_parse(worker, strlen(worker), &(struct worker_id){0}))
		snprintf(out->worker, sizeof(out->worker), "%s", worker);
	out->detail = make_detail(client, node);
	return out;
}

static void on_message(void *arg, const char *topic, const char *payload, size_t len)
{
	struct audit *a = arg;
	struct err e = {0};
	struct json_object *doc = a->len < QUEUE_MAX ? jread_parse(payload, len, &e) : NULL;
	struct refusal *refusal = doc != NULL ? read_refusal(doc, &e) : NULL;

	(void)topic;
	json_object_put(doc);
	if (refusal == NULL) {
		tally_add(TALLY_AUDIT_DROPPED);
		return;
	}
	*a->last = refusal;
	a->last = &refusal->next;
	a->len++;
	submit(a);
}

static bool wants(void *arg, const char *topic)
{
	(void)arg;
	return strcmp(topic, TOPIC_AUDIT) == 0;
}

struct audit *audit_new(struct app *app, struct err *e)
{
	struct audit *a = calloc(1, sizeof(*a));

	if (a != NULL) {
		a->app = app;
		a->last = &a->first;
		a->retry = timer_new(app->loop, on_retry, a);
	}
	if (a == NULL || a->retry == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		audit_free(a);
		return NULL;
	}
	a->listener = (struct broker_listener){.filter = SHARED_PREFIX TOPIC_AUDIT,
					       .wants = wants,
					       .message = on_message,
					       .arg = a};
	broker_listen(app->broker, &a->listener);
	return a;
}

void audit_free(struct audit *a)
{
	if (a == NULL)
		return;
	free_list(a->first);
	free_list(a->batch);
	timer_free(a->retry);
	free(a);
}

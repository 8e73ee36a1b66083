// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* POST /commands, GET and DELETE /commands/{batch} */
#include "bridge/app.h"
#include "bridge/commands/command.h"
#include "bridge/commands/command_batch.h"
#include "bridge/commands/command_body.h"
#include "bridge/db/db.h"
#include "bridge/http/routes.h"
#include "bridge/workers/worker_list.h"
#include "protocol/clock.h"

#include <stdlib.h>
#include <string.h>

#define PER_MINUTE_MAX 1000000
#define ANSWER_MAX ((size_t)2 * 1024 * 1024)

/* A request on its way. */
struct asking {
	struct request *rq;
	struct batch_row row;
	struct worker_id *workers; /* owned */
	size_t len, cap;
	int64_t connected, disconnected, unknown; /* of them */
	struct batch_taken_list taken;
	struct buf body;
};

static void asking_free(struct asking *a)
{
	free(a->workers);
	free(a->taken.list);
	buf_fini(&a->body);
	free(a);
}

static struct asking *asking_new(struct request *rq, struct err *e)
{
	struct asking *a = calloc(1, sizeof(*a));

	if (a == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	a->rq = rq;
	a->row.actor = rq->who.name;
	a->row.address = rq->address;
	a->row.request_id = rq->id;
	return a;
}

/* ---- to whom ----------------------------------------------------------------------------- */

static enum err_code add_worker(struct asking *a, const struct worker_id *id, struct err *e)
{
	const size_t cap = a->cap == 0 ? 256 : a->cap * 2;
	struct worker_id *more;

	if (a->len == a->cap) {
		more = realloc(a->workers, cap * sizeof(*more));
		if (more == NULL)
			return err_set(e, ERR_OUT_OF_MEMORY, NULL);
		a->workers = more;
		a->cap = cap;
	}
	a->workers[a->len++] = *id;
	return ERR_OK;
}

static enum err_code find_workers(struct asking *a, struct json_object *filter, struct err *e)
{
	const struct record *record;
	struct worker_list list;

	(void)(worker_list_begin_filter(&list, a->rq, filter, e) == ERR_OK);
	while (e->code == ERR_OK && (record = worker_list_next(&list)) != NULL) {
		add_worker(a, &record->id, e);
		a->unknown += !list.hears;
		a->connected += worker_list_presence(&list, record)->state == PRESENCE_ONLINE;
	}
	a->disconnected = (int64_t)a->len - a->connected - a->unknown;
	worker_list_fini(&list);
	return e->code;
}

/* ---- asking for one ---------------------------------------------------------------------- */

static void begin_answer(struct jwrite *w, struct buf *body)
{
	buf_init(body, ANSWER_MAX);
	jwrite_begin(w, body);
	jwrite_object(w, NULL);
	jwrite_bool(w, "success", true);
}

static void respond_dry(struct asking *a)
{
	struct jwrite w;
	struct buf body;

	begin_answer(&w, &body);
	jwrite_bool(&w, "dry_run", true);
	jwrite_i64(&w, "total", (int64_t)a->len);
	jwrite_i64(&w, "connected", a->connected);
	jwrite_i64(&w, "disconnected", a->disconnected);
	jwrite_i64(&w, "unknown", a->unknown);
	jwrite_object_end(&w);
	respond_json(a->rq, 200, &body);
	asking_free(a);
}

static enum err_code add(struct db *db, void *arg, struct err *e)
{
	struct asking *a = arg;

	return store_batch_add(db, &a->row, a->workers, a->len, e);
}

static void on_added(void *arg, struct err *e)
{
	struct asking *a = arg;
	struct jwrite w;
	struct buf body;

	if (e->code != ERR_OK) {
		respond_error(a->rq, e);
		asking_free(a);
		return;
	}
	begin_answer(&w, &body);
	jwrite_str(&w, "batch_id", a->row.id.text);
	jwrite_str(&w, "state", batch_state_name(BATCH_RUNNING));
	jwrite_i64(&w, "total", (int64_t)a->len);
	jwrite_object_end(&w);
	command_batch_begin(commands_batches(a->rq->app->commands), &a->row.id);
	respond_json(a->rq, 202, &body);
	asking_free(a);
}

static void check_target(struct jread *r, const char *target)
{
	if (!jread_failed(r) && strcmp(target, "any") != 0 && strcmp(target, "all") != 0)
		jread_fail(r, "target", "must be any or all");
}

static enum err_code read_batch(struct asking *a, struct json_object **filter, bool *dry,
				struct err *e)
{
	static const char *const keys[] = {
		"filter",  "type",           "payload",
		"target",  "queue",          "ttl_seconds",
		"dry_run", "max_per_minute", "abort_if_failed_percent",
		NULL};
	struct command_order order;
	struct jread r;

	request_read(a->rq, &r, e);
	jread_only(&r, keys);
	*filter = jread_object_or_null(&r, "filter");
	if (*filter == NULL)
		jread_fail(&r, "filter", "is required; {} is every worker");
	command_read_order(&r, &order);
	check_target(&r, order.target);
	*dry = jread_bool_or(&r, "dry_run", false);
	a->row.max_per_minute = jread_i64_or(&r, "max_per_minute", 0, 1, PER_MINUTE_MAX);
	a->row.abort_percent = jread_i64_or(&r, "abort_if_failed_percent", 0, 1, 100);
	a->row.type = order.type;
	a->row.payload = order.payload;
	a->row.target = order.target;
	a->row.ttl_ms = order.ttl_ms;
	a->row.queue = order.queue;
	return jread_end(&r);
}

/* Texts are those of the request's body, which lives until it is answered. */
static enum err_code begin(struct asking *a, bool *dry, struct err *e)
{
	static const char *const none[] = {NULL};
	struct json_object *filter;

	if (request_query_only(a->rq, none, e) != ERR_OK ||
	    read_batch(a, &filter, dry, e) != ERR_OK || find_workers(a, filter, e) != ERR_OK)
		return e->code;
	a->row.filter = json_object_to_json_string_ext(filter, COMMAND_JSON_TEXT);
	a->row.created_ms = clock_unix_ms();
	batch_id_generate(a->row.created_ms, &a->row.id);
	return ERR_OK;
}

enum err_code rest_batch_create(struct request *rq, struct err *e)
{
	struct asking *a = asking_new(rq, e);
	bool dry = false;

	if (a == NULL)
		return e->code;
	if (begin(a, &dry, e) != ERR_OK)
		asking_free(a);
	else if (dry)
		respond_dry(a);
	else
		db_submit(rq->app->db, add, on_added, a);
	return e->code;
}

/* ---- looking at one ---------------------------------------------------------------------- */

static void write_counts(struct jwrite *w, const struct batch_counts *c)
{
	jwrite_object(w, "counts");
	jwrite_i64(w, "pending", c->pending);
	for (int i = 0; i < COMMAND_STATES; i++)
		jwrite_i64(w, command_state_name((enum command_state)i), c->of[i]);
	jwrite_object_end(w);
}

static void write_number(struct jwrite *w, const char *key, int64_t value)
{
	if (value != 0)
		jwrite_i64(w, key, value);
	else
		jwrite_null(w, key);
}

static void take(void *arg, const struct batch_entry *entry)
{
	const struct batch_row *row = &entry->row;
	struct asking *a = arg;
	struct jwrite w;

	buf_init(&a->body, ANSWER_MAX);
	jwrite_begin(&w, &a->body);
	jwrite_object(&w, NULL);
	jwrite_str(&w, "batch_id", row->id.text);
	jwrite_str(&w, "state", batch_state_name(entry->state));
	jwrite_i64(&w, "total", entry->total);
	write_counts(&w, &entry->counts);
	jwrite_str(&w, "type", row->type);
	jwrite_raw(&w, "payload", row->payload, strlen(row->payload));
	jwrite_str(&w, "target", row->target);
	jwrite_raw(&w, "filter", row->filter, strlen(row->filter));
	jwrite_i64(&w, "ttl_seconds", row->ttl_ms / 1000);
	jwrite_bool(&w, "queue", row->queue);
	write_number(&w, "max_per_minute", row->max_per_minute);
	write_number(&w, "abort_if_failed_percent", row->abort_percent);
	jwrite_str(&w, "created_by", row->actor);
	jwrite_time(&w, "created_at", row->created_ms);
	jwrite_time(&w, "ended_at", entry->ended_ms);
	jwrite_object_end(&w);
}

static enum err_code get(struct db *db, void *arg, struct err *e)
{
	struct asking *a = arg;

	return store_batch_get(db, &a->row.id, take, a, e);
}

static void on_got(void *arg, struct err *e)
{
	struct asking *a = arg;

	if (e->code != ERR_OK)
		respond_error(a->rq, e);
	else
		respond_json(a->rq, 200, &a->body);
	asking_free(a);
}

/* NULL: an error. */
static struct asking *asking_for_one(struct request *rq, struct err *e)
{
	static const char *const none[] = {NULL};
	struct batch_id id;
	struct asking *a;

	if (request_query_only(rq, none, e) != ERR_OK)
		return NULL;
	if (!batch_id_parse(rq->param, strlen(rq->param), &id)) {
		err_set(e, ERR_NOT_FOUND, "there is no such batch");
		return NULL;
	}
	a = asking_new(rq, e);
	if (a != NULL)
		a->row.id = id;
	return a;
}

enum err_code rest_batch_get(struct request *rq, struct err *e)
{
	struct asking *a = asking_for_one(rq, e);

	if (a != NULL)
		db_submit(rq->app->db, get, on_got, a);
	return e->code;
}

/* ---- ending one -------------------------------------------------------------------------- */

static enum err_code cancel(struct db *db, void *arg, struct err *e)
{
	struct asking *a = arg;

	if (store_batch_cancel(db, &a->row, &a->taken, e) != ERR_OK)
		return e->code;
	return store_batch_get(db, &a->row.id, take, a, e);
}

static void on_cancelled(void *arg, struct err *e)
{
	struct asking *a = arg;

	if (e->code == ERR_OK)
		command_batch_tell(a->rq->app, &a->taken);
	on_got(a, e);
}

enum err_code rest_batch_cancel(struct request *rq, struct err *e)
{
	struct asking *a = asking_for_one(rq, e);

	if (a != NULL)
		db_submit(rq->app->db, cancel, on_cancelled, a);
	return e->code;
}

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* One worker: POST /workers, GET, PATCH and DELETE /workers/{id}. */
#include "bridge/rest/rest_worker.h"

#include "bridge/app.h"
#include "bridge/http/routes.h"
#include "bridge/presence/mirror.h"
#include "bridge/workers/directory.h"
#include "bridge/workers/worker_body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX 65536
#define URL_SIZE 400

/* A change on its way, and the request that waits for it. */
struct waiting {
	struct request *rq;
	void (*answer)(struct request *rq, const struct worker_change *c);
};

struct worker_change *change_of_request(struct request *rq)
{
	struct worker_change *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->id = rq->worker;
	snprintf(c->actor, sizeof(c->actor), "%s", rq->who.name);
	snprintf(c->address, sizeof(c->address), "%s", rq->address);
	snprintf(c->request_id, sizeof(c->request_id), "%s", rq->id);
	return c;
}

static void applied(void *arg, struct worker_change *c, struct err *e)
{
	struct waiting *waiting = arg;

	if (e->code == ERR_OK)
		waiting->answer(waiting->rq, c);
	else
		respond_error(waiting->rq, e);
	free(waiting);
	worker_change_free(c);
}

void change_apply(struct request *rq, enum worker_verb verb, struct worker_change *c,
		  void (*answer)(struct request *rq, const struct worker_change *c))
{
	struct waiting *waiting = malloc(sizeof(*waiting));
	struct err e;

	if (waiting == NULL) {
		worker_change_free(c);
		err_set(&e, ERR_OUT_OF_MEMORY, NULL);
		respond_error(rq, &e);
		return;
	}
	*waiting = (struct waiting){rq, answer};
	worker_apply(rq->app, verb, c, applied, waiting);
}

void change_respond(struct request *rq, unsigned status, const struct worker_change *c,
		    void (*more)(struct jwrite *w, const struct request *rq,
				 const struct worker_change *c))
{
	struct jwrite w;
	struct buf body;

	buf_init(&body, ANSWER_MAX);
	jwrite_begin(&w, &body);
	jwrite_object(&w, NULL);
	jwrite_str(&w, "worker_id", c->id.text);
	more(&w, rq, c);
	jwrite_bool(&w, "enforced", c->enforced);
	jwrite_object_end(&w);
	respond_json(rq, status, &body);
}

static void write_websocket_url(struct jwrite *w, const struct request *rq,
				const struct worker_change *c)
{
	char url[URL_SIZE];

	snprintf(url, sizeof(url), "%s/ws/%s", rq->app->config.websocket_url, c->id.text);
	jwrite_str(w, "websocket_url", url);
}

void change_write_token(struct jwrite *w, const struct request *rq,
			const struct worker_change *c)
{
	jwrite_str(w, "token", c->token.text);
	jwrite_time(w, "expires_at", c->token_expires_ms);
	write_websocket_url(w, rq, c);
}

/* ---- POST /workers ------------------------------------------------------------------------
 */

static void write_created(struct jwrite *w, const struct request *rq,
			  const struct worker_change *c)
{
	jwrite_str(w, "name", c->name);
	jwrite_str(w, "token", c->token.text);
	jwrite_time(w, "expires_at", c->token_expires_ms);
	jwrite_time(w, "created_at", c->now_ms);
	write_websocket_url(w, rq, c);
}

static void answer_create(struct request *rq, const struct worker_change *c)
{
	char path[WORKER_ID_MAX + 16];

	snprintf(path, sizeof(path), "/workers/%s", c->id.text);
	respond_header(rq, "Location", path);
	change_respond(rq, 201, c, write_created);
}

static enum err_code read_change(struct request *rq, struct worker_change *c, bool name_needed,
				 struct err *e)
{
	static const char *const keys[] = {"name", "tags", NULL};
	struct jread r;

	request_read(rq, &r, e);
	jread_only(&r, keys);
	worker_read_name(&r, c);
	worker_read_tags(&r, c);
	if (name_needed && c->name == NULL)
		jread_fail(&r, "name", "is missing");
	if (!name_needed && c->name == NULL && c->tags == NULL)
		jread_fail(&r, "name", "or tags must be there: nothing to change");
	return jread_end(&r);
}

static enum err_code
change_by_body(struct request *rq, enum worker_verb verb,
	       void (*answer)(struct request *rq, const struct worker_change *c), struct err *e)
{
	struct worker_change *c = change_of_request(rq);

	if (c == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	if (read_change(rq, c, verb == WORKER_CREATE, e) != ERR_OK) {
		worker_change_free(c);
		return e->code;
	}
	change_apply(rq, verb, c, answer);
	return ERR_OK;
}

enum err_code rest_worker_create(struct request *rq, struct err *e)
{
	return change_by_body(rq, WORKER_CREATE, answer_create, e);
}

/* ---- GET /workers/{id} --------------------------------------------------------------------
 */

/* null while the broker cannot be heard */
static void write_connection(struct jwrite *w, const struct presence *p, const char *node)
{
	if (p->state == PRESENCE_UNKNOWN) {
		jwrite_null(w, "connection");
		return;
	}
	jwrite_object(w, "connection");
	jwrite_i64(w, "sessions", p->sessions);
	jwrite_str(w, "node", p->generation > 0 ? node : NULL);
	jwrite_i64(w, "generation", p->generation);
	presence_write_change(w, p);
	jwrite_object_end(w);
}

static void respond_worker(struct request *rq, const struct record *record)
{
	const struct app *app = rq->app;
	struct presence p;
	struct jwrite w;
	struct buf body;

	mirror_get(app->mirror, &record->id, &p);
	buf_init(&body, ANSWER_MAX);
	jwrite_begin(&w, &body);
	jwrite_object(&w, NULL);
	worker_write_fields(&w, record, &p);
	write_connection(&w, &p, mirror_node(app->mirror));
	jwrite_bool(&w, "enforced", directory_enforced(app->directory, &record->id));
	jwrite_object_end(&w);
	respond_json(rq, 200, &body);
}

enum err_code rest_worker_get(struct request *rq, struct err *e)
{
	const struct record *record = roster_get(rq->app->roster, &rq->worker, e);

	if (record == NULL)
		return e->code;
	respond_worker(rq, record);
	return ERR_OK;
}

/* ---- PATCH and DELETE ---------------------------------------------------------------------
 */

static void answer_change(struct request *rq, const struct worker_change *c)
{
	const struct record *record = roster_find(rq->app->roster, &c->id);
	struct err e;

	if (record != NULL) {
		respond_worker(rq, record);
		return;
	}
	err_set(&e, ERR_WORKER_NOT_FOUND, NULL); /* deleted meanwhile */
	respond_error(rq, &e);
}

enum err_code rest_worker_change(struct request *rq, struct err *e)
{
	return change_by_body(rq, WORKER_CHANGE, answer_change, e);
}

static void answer_delete(struct request *rq, const struct worker_change *c)
{
	struct jwrite w;
	struct buf body;

	buf_init(&body, ANSWER_MAX);
	jwrite_begin(&w, &body);
	jwrite_object(&w, NULL);
	jwrite_bool(&w, "success", true);
	jwrite_str(&w, "worker_id", c->id.text);
	jwrite_bool(&w, "enforced", c->enforced);
	jwrite_object_end(&w);
	respond_json(rq, 200, &body);
}

enum err_code rest_worker_delete(struct request *rq, struct err *e)
{
	struct worker_change *c = change_of_request(rq);

	if (c == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	change_apply(rq, WORKER_DELETE, c, answer_delete);
	return ERR_OK;
}

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* GET /workers/{worker}/commands, GET and DELETE …/commands/{command} */
#include "bridge/app.h"
#include "bridge/commands/command.h"
#include "bridge/commands/command_body.h"
#include "bridge/db/db.h"
#include "bridge/events/cursor.h"
#include "bridge/events/event.h"
#include "bridge/http/routes.h"
#include "bridge/rest/rest_order.h"
#include "bridge/workers/roster.h"
#include "protocol/jwrite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 1000
#define STATES_SIZE 80
#define ANSWER_MAX ((size_t)1024 * 1024)

/* A request on its way, and what was read for it. */
struct reading {
	struct request *rq;
	struct command_id id; /* of one */
	char states[STATES_SIZE];
	char type[COMMAND_TYPE_MAX + 1];
	struct command_query query;
	int64_t limit, rows;
	struct command_cursor last; /* of those that are shown */
	struct buf body;
	struct jwrite w;
};

static void reading_free(struct reading *r)
{
	buf_fini(&r->body);
	free(r);
}

/* NULL: out of memory. */
static struct reading *reading_new(struct request *rq, struct err *e)
{
	struct reading *r = calloc(1, sizeof(*r));

	if (r == NULL)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	else
		r->rq = rq;
	return r;
}

static void begin_body(struct reading *r)
{
	buf_init(&r->body, HTTP_ANSWER_MAX);
	jwrite_begin(&r->w, &r->body);
}

static void take(void *arg, const struct command_entry *entry)
{
	struct reading *r = arg;

	if (r->rows++ >= r->limit)
		return; /* it only shows that there is another page */
	command_write(&r->w, entry);
	r->last.created_ms = entry->created_ms;
	snprintf(r->last.id.text, sizeof(r->last.id.text), "%s", entry->id);
}

/* ---- all of a worker --------------------------------------------------------------------- */

static enum err_code read_list(struct db *db, void *arg, struct err *e)
{
	struct reading *r = arg;

	begin_body(r);
	jwrite_array(&r->w, NULL);
	if (store_command_list(db, &r->query, take, r, e) != ERR_OK)
		return e->code;
	jwrite_array_end(&r->w);
	return ERR_OK;
}

static void on_list(void *arg, struct err *e)
{
	struct reading *r = arg;
	char cursor[CURSOR_TEXT_SIZE];

	if (e->code != ERR_OK) {
		respond_error(r->rq, e);
	} else {
		if (r->rows > r->limit) {
			command_cursor_print(&r->last, cursor);
			respond_next_link(r->rq, cursor);
		}
		respond_json(r->rq, 200, &r->body);
	}
	reading_free(r);
}

/* Several fit any of them. */
static enum err_code read_states(struct reading *r, struct err *e)
{
	enum command_state state;
	const char *text;
	size_t len = 0;

	for (size_t i = 0; (text = request_query_nth(r->rq, "state", i)) != NULL; i++) {
		if (!command_state_parse(text, &state))
			return err_set(e, ERR_INVALID_REQUEST,
				       "state: must be queued, sent, accepted, done, failed, "
				       "expired or cancelled");
		if (i >= COMMAND_STATES)
			return err_set(e, ERR_INVALID_REQUEST, "state: is there too often");
		len += (size_t)snprintf(r->states + len, STATES_SIZE - len, "%s%s",
					len > 0 ? "," : "", text);
	}
	r->query.states = len > 0 ? r->states : NULL;
	return ERR_OK;
}

static enum err_code read_query(struct reading *r, struct err *e)
{
	static const char *const names[] = {"state", "type", "limit", "cursor", NULL};
	const char *type = request_query(r->rq, "type");
	const char *cursor = request_query(r->rq, "cursor");

	r->query.worker = r->rq->worker.text;
	r->query.cursor.created_ms = INT64_MAX;
	if (request_query_only(r->rq, names, e) != ERR_OK || read_states(r, e) != ERR_OK ||
	    request_query_i64(r->rq, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX, &r->limit, e) !=
		    ERR_OK)
		return e->code;
	if (type != NULL && !command_type_valid(type))
		return err_set(e, ERR_INVALID_REQUEST, "type: is no command's");
	if (cursor != NULL && !command_cursor_parse(cursor, &r->query.cursor))
		return err_set(e, ERR_INVALID_REQUEST,
			       "cursor: is none that a list has given out");
	snprintf(r->type, sizeof(r->type), "%s", type != NULL ? type : "");
	r->query.type = type != NULL ? r->type : NULL;
	r->query.limit = r->limit + 1;
	return ERR_OK;
}

enum err_code rest_command_list(struct request *rq, struct err *e)
{
	char cursor[CURSOR_TEXT_SIZE];
	struct reading *r;

	if (roster_get(rq->app->roster, &rq->worker, e) == NULL ||
	    (r = reading_new(rq, e)) == NULL)
		return e->code;
	if (read_query(r, e) == ERR_OK) {
		/* Before the reading: what changes during it is heard, perhaps twice. */
		events_cursor(rq->app->events, cursor);
		respond_header(rq, "X-Rollcall-Cursor", cursor);
		db_submit(rq->app->db, read_list, on_list, r);
	} else {
		reading_free(r);
	}
	return e->code;
}

/* ---- one --------------------------------------------------------------------------------- */

static enum err_code read_id(const struct request *rq, struct command_id *out, struct err *e)
{
	static const char *const none[] = {NULL};

	if (request_query_only(rq, none, e) != ERR_OK ||
	    roster_get(rq->app->roster, &rq->worker, e) == NULL)
		return e->code;
	if (!command_id_parse(rq->param, strlen(rq->param), out))
		return err_set(e, ERR_NOT_FOUND, "this worker has no such command");
	return ERR_OK;
}

static enum err_code read_one(struct db *db, void *arg, struct err *e)
{
	struct reading *r = arg;

	begin_body(r);
	return store_command_get(db, &r->rq->worker, &r->id, take, r, e);
}

static void on_one(void *arg, struct err *e)
{
	struct reading *r = arg;

	if (e->code != ERR_OK)
		respond_error(r->rq, e);
	else
		respond_json(r->rq, 200, &r->body);
	reading_free(r);
}

enum err_code rest_command_get(struct request *rq, struct err *e)
{
	struct command_id id;
	struct reading *r;

	if (read_id(rq, &id, e) != ERR_OK || (r = reading_new(rq, e)) == NULL)
		return e->code;
	r->id = id;
	r->limit = 1;
	db_submit(rq->app->db, read_one, on_one, r);
	return ERR_OK;
}

/* ---- taking one back --------------------------------------------------------------------- */

static void on_cancelled(void *arg, const struct command_standing *standing, struct err *e)
{
	struct request *rq = arg;
	struct jwrite w;
	struct buf body;

	if (e->code != ERR_OK) {
		respond_error(rq, e);
		return;
	}
	buf_init(&body, ANSWER_MAX);
	jwrite_begin(&w, &body);
	jwrite_object(&w, NULL);
	jwrite_bool(&w, "success", true);
	jwrite_str(&w, "message", order_message(standing, false));
	jwrite_str(&w, "command_id", standing->id.text);
	jwrite_str(&w, "state", command_state_name(standing->state));
	jwrite_object_end(&w);
	respond_json(rq, 200, &body);
}

enum err_code rest_command_cancel(struct request *rq, struct err *e)
{
	struct command_row row = {.worker = rq->worker,
				  .actor = rq->who.name,
				  .address = rq->address,
				  .request_id = rq->id};

	if (read_id(rq, &row.id, e) == ERR_OK)
		command_cancel(rq->app->commands, &row, on_cancelled, rq);
	return e->code;
}

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* GET /workers/{worker}/events, GET /audit: pages of JSON, or everything as JSON lines, read
 * page by page as the client takes it. */
#include "bridge/app.h"
#include "bridge/db/db.h"
#include "bridge/events/cursor.h"
#include "bridge/http/http_stream.h"
#include "bridge/http/routes.h"
#include "bridge/store/store_audit.h"
#include "bridge/workers/roster.h"
#include "protocol/clock.h"
#include "protocol/jwrite.h"
#include "protocol/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 1000
#define TYPES_MAX 1024
#define PAGE_BYTES ((size_t)64 * 1024 * 1024)
#define LINES_TYPE "application/x-ndjson"

/* A request on its way, and what was read for it. */
struct reading {
	struct app *app;
	struct request *rq; /* until it is answered */
	bool lines;         /* JSON lines instead of an array */
	bool known;         /* the worker is; if not, there may be rows all the same */
	char *actor, *types;
	struct worker_id worker;
	struct audit_query query;
	int64_t left; /* rows still to come, at most */

	/* Of the page under way: its thread's until it is done. */
	struct buf page;
	struct jwrite w;
	int64_t rows;             /* read */
	int64_t wanted;           /* to be written */
	struct audit_cursor last; /* of those */
	struct stream *stream;    /* NULL: not begun, or gone */
	bool busy, gone;
};

static void reading_free(struct reading *r)
{
	buf_fini(&r->page);
	free(r->actor);
	free(r->types);
	free(r);
}

/* ---- a page, on the database's thread ---------------------------------------------------- */

static void write_entry(struct jwrite *w, const struct audit_entry *entry)
{
	const struct audit_row *row = &entry->row;

	jwrite_object(w, NULL);
	jwrite_i64(w, "id", entry->id);
	jwrite_time(w, "at", row->at_ms);
	jwrite_str(w, "type", row->event);
	jwrite_str(w, "worker_id", row->worker_id);
	jwrite_str(w, "code", row->code);
	jwrite_str(w, "reason", entry->reason);
	jwrite_str(w, "actor", row->actor);
	jwrite_str(w, "address", row->address);
	jwrite_str(w, "request_id", row->request_id);
	jwrite_i64(w, "count", row->count);
	jwrite_raw(w, "detail", row->detail, row->detail != NULL ? strlen(row->detail) : 0);
	jwrite_object_end(w);
}

static void take_entry(void *arg, const struct audit_entry *entry)
{
	struct reading *r = arg;

	if (r->rows++ >= r->wanted)
		return; /* it only shows that there is another page */
	write_entry(&r->w, entry);
	if (r->lines) {
		buf_add_char(&r->page, '\n');
		r->w.comma = false;
	}
	r->last = (struct audit_cursor){entry->row.at_ms, entry->id};
}

static enum err_code read_page(struct db *db, void *arg, struct err *e)
{
	struct reading *r = arg;

	buf_init(&r->page, PAGE_BYTES);
	jwrite_begin(&r->w, &r->page);
	r->rows = 0;
	r->wanted = r->left < LIMIT_MAX ? r->left : LIMIT_MAX;
	r->query.limit = r->wanted + 1;
	if (!r->lines)
		jwrite_array(&r->w, NULL);
	if (store_audit_read(db, &r->query, take_entry, r, e) != ERR_OK)
		return e->code;
	if (!r->lines)
		jwrite_array_end(&r->w);
	return ERR_OK;
}

/* True if there is another page, from which to go on. */
static bool advance(struct reading *r)
{
	if (r->rows <= r->wanted || r->left == r->wanted) {
		r->left = 0;
		return r->rows > r->wanted;
	}
	r->left -= r->wanted;
	r->query.cursor = r->last;
	return true;
}

/* ---- JSON lines -------------------------------------------------------------------------- */

static void page_for_stream(void *arg, struct err *e)
{
	struct reading *r = arg;

	r->busy = false;
	if (r->gone) {
		reading_free(r);
	} else if (e->code != ERR_OK) {
		log_warn("audit", "an export broke off: %s", e->msg);
		stream_fail(r->stream);
	} else {
		advance(r);
		if (r->page.len > 0)
			stream_write(r->stream, &r->page);
		else
			stream_end(r->stream);
	}
}

static void more(void *arg)
{
	struct reading *r = arg;

	if (r->left == 0) {
		stream_end(r->stream);
		return;
	}
	r->busy = true;
	db_submit(r->app->db, read_page, page_for_stream, r);
}

static void closed(void *arg)
{
	struct reading *r = arg;

	r->gone = true;
	if (!r->busy)
		reading_free(r);
}

static void begin_stream(struct reading *r)
{
	const struct stream_source source = {more, closed, r};

	advance(r);
	r->stream = respond_stream(r->rq, 200, LINES_TYPE, &source, &r->page);
	if (r->stream == NULL)
		reading_free(r);
}

/* ---- the answer -------------------------------------------------------------------------- */

static void respond_page(struct reading *r)
{
	char cursor[CURSOR_TEXT_SIZE];

	if (advance(r)) {
		audit_cursor_print(&r->last, cursor);
		respond_next_link(r->rq, cursor);
	}
	respond_json(r->rq, 200, &r->page);
	reading_free(r);
}

static void first_page(void *arg, struct err *e)
{
	struct reading *r = arg;

	/* The trail outlives the worker. */
	if (e->code == ERR_OK && r->query.worker_id != NULL && !r->known && r->rows == 0)
		err_set(e, ERR_WORKER_NOT_FOUND, NULL);
	if (e->code != ERR_OK) {
		respond_error(r->rq, e);
		reading_free(r);
	} else if (r->lines) {
		begin_stream(r);
	} else {
		respond_page(r);
	}
}

/* ---- the request ------------------------------------------------------------------------- */

static enum err_code read_time(const struct request *rq, const char *name, int64_t otherwise,
			       int64_t *out, struct err *e)
{
	const char *text = request_query(rq, name);

	*out = otherwise;
	if (text != NULL && !clock_parse(text, strlen(text), out))
		return err_set(e, ERR_INVALID_REQUEST,
			       "%s: '%.40s' is not a time (2026-11-23T14:05:08Z)", name, text);
	return ERR_OK;
}

static enum err_code read_format(struct reading *r, struct err *e)
{
	const char *format = request_query(r->rq, "format");
	const char *accept = request_header(r->rq, "Accept");

	if (format == NULL)
		r->lines = accept != NULL && strstr(accept, LINES_TYPE) != NULL;
	else if (strcmp(format, "jsonl") == 0)
		r->lines = true;
	else if (strcmp(format, "json") != 0)
		return err_set(e, ERR_INVALID_REQUEST, "format: must be json or jsonl");
	return ERR_OK;
}

static enum err_code read_types(struct reading *r, struct err *e)
{
	const char *text = request_query(r->rq, "types");

	if (text == NULL)
		return ERR_OK;
	if (strlen(text) > TYPES_MAX || *text == '\0' ||
	    strspn(text, "abcdefghijklmnopqrstuvwxyz_,") != strlen(text))
		return err_set(e, ERR_INVALID_REQUEST,
			       "types: must be names like connected,disconnected");
	r->types = strdup(text);
	r->query.types = r->types;
	return r->types != NULL ? ERR_OK : err_set(e, ERR_OUT_OF_MEMORY, NULL);
}

static enum err_code read_actor(struct reading *r, struct err *e)
{
	const char *text = request_query(r->rq, "actor");

	if (text == NULL)
		return ERR_OK;
	r->actor = strdup(text);
	r->query.actor = r->actor;
	return r->actor != NULL ? ERR_OK : err_set(e, ERR_OUT_OF_MEMORY, NULL);
}

static enum err_code read_cursor(struct reading *r, struct err *e)
{
	const char *text = request_query(r->rq, "cursor");

	r->query.cursor = (struct audit_cursor){.at_ms = INT64_MAX};
	if (text != NULL && !audit_cursor_parse(text, &r->query.cursor))
		return err_set(e, ERR_INVALID_REQUEST,
			       "cursor: is none that a list has given out");
	return ERR_OK;
}

static enum err_code read_query(struct reading *r, struct err *e)
{
	struct audit_query *q = &r->query;

	if (read_format(r, e) != ERR_OK ||
	    request_query_i64(r->rq, "limit", r->lines ? INT64_MAX : LIMIT_DEFAULT, 1,
			      r->lines ? INT64_MAX : LIMIT_MAX, &r->left, e) != ERR_OK ||
	    read_time(r->rq, "from", 0, &q->from_ms, e) != ERR_OK ||
	    read_time(r->rq, "to", INT64_MAX, &q->to_ms, e) != ERR_OK ||
	    read_types(r, e) != ERR_OK || read_actor(r, e) != ERR_OK)
		return e->code;
	return read_cursor(r, e);
}

static enum err_code start(struct request *rq, const struct worker_id *worker,
			   const char *const names[], struct err *e)
{
	struct reading *r;

	if (request_query_only(rq, names, e) != ERR_OK)
		return e->code;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	r->app = rq->app;
	r->rq = rq;
	if (worker != NULL) {
		r->worker = *worker;
		r->query.worker_id = r->worker.text;
		r->known = roster_find(rq->app->roster, worker) != NULL;
	}
	if (read_query(r, e) != ERR_OK) {
		reading_free(r);
		return e->code;
	}
	db_submit(rq->app->db, read_page, first_page, r);
	return ERR_OK;
}

enum err_code rest_worker_events(struct request *rq, struct err *e)
{
	static const char *const names[] = {"from",  "to",     "types",  "actor",
					    "limit", "cursor", "format", NULL};

	return start(rq, &rq->worker, names, e);
}

enum err_code rest_audit(struct request *rq, struct err *e)
{
	static const char *const names[] = {"worker", "from",   "to",     "types", "actor",
					    "limit",  "cursor", "format", NULL};
	const char *text = request_query(rq, "worker");
	struct worker_id worker;

	if (text == NULL)
		return start(rq, NULL, names, e);
	if (!worker_id_parse(text, strlen(text), &worker))
		return err_set(e, ERR_INVALID_REQUEST, "worker: '%.64s' is not a worker id",
			       text);
	return start(rq, &worker, names, e);
}

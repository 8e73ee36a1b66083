// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* The whole fleet: GET /workers and GET /workers/status. Memory alone: no SQL, no MQTT, and no
 * allocation per row. */
#include "bridge/app.h"
#include "bridge/events/cursor.h"
#include "bridge/events/event.h"
#include "bridge/http/routes.h"
#include "bridge/presence/mirror.h"
#include "bridge/workers/worker_body.h"
#include "bridge/workers/worker_list.h"
#include "protocol/clock.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define ETAG_SIZE 80
#define STATUS_ROW_BYTES 500
#define CACHE_LINE 64
#define FETCH_BYTES 1024 /* of a row; whoever reports much waits for the rest */

static void write_records(struct jwrite *w, struct worker_list *list)
{
	struct record *k;

	jwrite_array(w, NULL);
	while ((k = worker_list_next(list)) != NULL) {
		jwrite_object(w, NULL);
		worker_write_fields(w, k, worker_list_presence(list, k));
		jwrite_object_end(w);
	}
	jwrite_array_end(w);
}

/* Ten thousand rows lie all over the memory. To ask the processor for those that come next
 * makes the copying of them some five times faster than to wait for each. */
static void fetch_ahead(const struct worker_list *list)
{
	const struct record *far = worker_list_ahead(list, 16);
	const struct record *near = worker_list_ahead(list, 8);

	if (far != NULL) {
		__builtin_prefetch(&far->status);
		__builtin_prefetch(&far->status_row);
	}
	if (near == NULL || near->status_row.text == NULL)
		return;
	for (uint32_t at = 0; at < near->status_row.len && at < FETCH_BYTES; at += CACHE_LINE)
		__builtin_prefetch(near->status_row.text + at);
}

/* A row that nothing has changed since it was written costs a copy: not even a look at the
 * mirror. */
static void write_rows(struct jwrite *w, struct worker_list *list)
{
	const uint64_t epoch = mirror_epoch(list->rq->app->mirror, list->hears);
	const int64_t now_ms = clock_unix_ms();
	struct record *k;

	jwrite_array(w, "workers");
	while ((k = worker_list_next(list)) != NULL) {
		fetch_ahead(list);
		if (k->status_row.epoch != epoch)
			worker_status_make(k, worker_list_presence(list, k), epoch);
		worker_status_add(w, k, now_ms);
	}
	jwrite_array_end(w);
}

/* ---- headers ------------------------------------------------------------------------------
 */

static void add_next_link(struct request *rq, const struct worker_list *list)
{
	char cursor[CURSOR_TEXT_SIZE];

	page_cursor_print(&list->last, cursor);
	respond_next_link(rq, cursor);
}

/* Equal while nothing but ages can differ. The process's own random part keeps counters of an
 * earlier life apart from ours. */
static void make_etag(const struct request *rq, char out[ETAG_SIZE])
{
	static uint32_t life;

	if (life == 0)
		life = randombytes_random() | 1;
	snprintf(out, ETAG_SIZE, "W/\"%08" PRIx32 "-%" PRIx64 "-%" PRIx64 "-%" PRIx64 "\"",
		 life, roster_version(rq->app->roster), mirror_version(rq->app->mirror),
		 request_query_hash(rq));
}

/* True if one of If-None-Match's tags is this one; the comparison is the weak one. */
static bool matches(const struct request *rq, const char *etag)
{
	const char *theirs = request_header(rq, "If-None-Match");

	return theirs != NULL && (strcmp(theirs, "*") == 0 || strstr(theirs, etag + 2) != NULL);
}

/* ---- handlers -----------------------------------------------------------------------------
 */

enum err_code rest_worker_list(struct request *rq, struct err *e)
{
	char cursor[CURSOR_TEXT_SIZE];
	struct worker_list list;
	struct jwrite w;
	struct buf body;

	if (worker_list_begin(&list, rq, e) == ERR_OK) {
		events_cursor(rq->app->events, cursor);
		buf_init(&body, HTTP_ANSWER_MAX);
		jwrite_begin(&w, &body);
		write_records(&w, &list);
		if (worker_list_has_more(&list))
			add_next_link(rq, &list);
		respond_header(rq, "X-Rollcall-Cursor", cursor);
		respond_json(rq, 200, &body);
	}
	worker_list_fini(&list);
	return e->code;
}

static void respond_status(struct request *rq, struct worker_list *list)
{
	char cursor[CURSOR_TEXT_SIZE];
	struct jwrite w;
	struct buf body;

	events_cursor(rq->app->events, cursor);
	buf_init(&body, HTTP_ANSWER_MAX);
	if (list->limit == 0) /* otherwise it would grow, and be copied, a dozen times */
		buf_reserve(&body, roster_len(rq->app->roster) * STATUS_ROW_BYTES);
	jwrite_begin(&w, &body);
	jwrite_object(&w, NULL);
	write_rows(&w, list);
	jwrite_str(&w, "cursor", cursor);
	jwrite_object_end(&w);
	if (worker_list_has_more(list))
		add_next_link(rq, list);
	respond_header(rq, "X-Rollcall-Cursor", cursor);
	respond_json(rq, 200, &body);
}

enum err_code rest_worker_status(struct request *rq, struct err *e)
{
	char etag[ETAG_SIZE];
	struct worker_list list;

	if (worker_list_begin(&list, rq, e) == ERR_OK) {
		make_etag(rq, etag);
		respond_header(rq, "ETag", etag);
		if (matches(rq, etag))
			respond_empty(rq, 304);
		else
			respond_status(rq, &list);
	}
	worker_list_fini(&list);
	return e->code;
}

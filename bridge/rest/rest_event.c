// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* GET /events: what changes, as server-sent events (WHATWG HTML, section 9.2). */
#include "bridge/app.h"
#include "bridge/events/event.h"
#include "bridge/http/http_stream.h"
#include "bridge/http/routes.h"
#include "bridge/identity/auth.h"
#include "protocol/log.h"

#include <stdlib.h>
#include <string.h>

/* What a listener hears who does not say. */
#define TYPES_UNASKED                                                                          \
	(1u << EVENT_PRESENCE | 1u << EVENT_METRICS | 1u << EVENT_WORKER | 1u << EVENT_COMMAND)

#define ANSWER_BYTES ((size_t)1024 * 1024) /* of one piece */

struct watching {
	struct app *app;
	struct principal who;
	struct stream *stream;
	struct event_listener *listener;
	bool ready; /* the connection has taken all that it was given */
};

/* ---- what is asked for ------------------------------------------------------------------- */

static enum err_code add_types(const char *text, unsigned *types, struct err *e)
{
	enum event_type type;
	size_t len;

	for (;; text += len + 1) {
		len = strcspn(text, ",");
		if (!event_type_parse(text, len, &type))
			return err_set(e, ERR_INVALID_REQUEST,
				       "types: '%.*s' is not one of presence, metrics, worker, "
				       "command, health",
				       (int)(len < 30 ? len : 30), text);
		*types |= 1u << type;
		if (text[len] == '\0')
			return ERR_OK;
	}
}

static enum err_code read_types(const struct request *rq, unsigned *types, struct err *e)
{
	const char *text;

	*types = 0;
	for (size_t i = 0; (text = request_query_nth(rq, "types", i)) != NULL; i++)
		if (add_types(text, types, e) != ERR_OK)
			return e->code;
	if (*types == 0)
		*types = TYPES_UNASKED;
	return ERR_OK;
}

/* A worker that does not exist (yet) may be asked for: it simply has no events. */
static enum err_code read_workers(const struct request *rq, struct event_filter *filter,
				  struct err *e)
{
	const char *text;
	size_t len = 0;

	while (request_query_nth(rq, "worker", len) != NULL)
		len++;
	if (len == 0)
		return ERR_OK;
	if (len > EVENT_FILTER_WORKERS_MAX)
		return err_set(e, ERR_INVALID_REQUEST, "worker: at most %d of them",
			       EVENT_FILTER_WORKERS_MAX);
	filter->workers = calloc(len, sizeof(*filter->workers));
	if (filter->workers == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	for (; filter->workers_len < len; filter->workers_len++) {
		text = request_query_nth(rq, "worker", filter->workers_len);
		if (!worker_id_parse(text, strlen(text), &filter->workers[filter->workers_len]))
			return err_set(e, ERR_INVALID_REQUEST,
				       "worker: '%.64s' is not a worker id", text);
	}
	return ERR_OK;
}

static enum err_code read_filter(const struct request *rq, struct event_filter *filter,
				 struct err *e)
{
	static const char *const names[] = {"cursor", "types", "worker", NULL};

	if (request_query_only(rq, names, e) != ERR_OK ||
	    read_types(rq, &filter->types, e) != ERR_OK)
		return e->code;
	return read_workers(rq, filter, e);
}

/* A browser that comes back asks for the same address, so its header is the newer one. One that
 * is no cursor of ours any more leads to a reset; what was never one is the caller's mistake.
 */
static enum err_code read_cursor(const struct request *rq, const char **cursor, struct err *e)
{
	struct watch_cursor ignored;

	*cursor = request_header(rq, "Last-Event-ID");
	if (*cursor != NULL && **cursor != '\0')
		return ERR_OK;
	*cursor = request_query(rq, "cursor");
	if (*cursor != NULL && !watch_cursor_parse(*cursor, &ignored))
		return err_set(e, ERR_INVALID_REQUEST, "cursor: is not one of ours");
	return ERR_OK;
}

/* ---- the stream -------------------------------------------------------------------------- */

static void write_on(struct watching *w)
{
	struct buf out;

	buf_init(&out, ANSWER_BYTES);
	event_listener_read(w->listener, &out);
	if (out.len == 0 && !out.failed)
		return;
	w->ready = false;
	stream_write(w->stream, &out);
}

static void on_more(void *arg)
{
	struct watching *w = arg;

	w->ready = true;
	write_on(w);
}

static void on_wake(void *arg)
{
	struct watching *w = arg;

	if (w->ready)
		write_on(w);
}

static void on_closed(void *arg)
{
	struct watching *w = arg;

	event_unlisten(w->listener);
	free(w);
}

static void on_leave(void *arg, const char *why)
{
	struct watching *w = arg;

	log_info("event", "user=%s listener ended: %s", w->who.name, why);
	stream_drop(w->stream);
}

static bool may_stay(void *arg)
{
	const struct watching *w = arg;

	return auth_still_valid(w->app, &w->who);
}

static enum err_code begin(struct request *rq, struct event_filter *filter, const char *cursor,
			   struct err *e)
{
	struct watching *w = calloc(1, sizeof(*w));
	const struct event_client client = {on_wake, on_leave, may_stay, w};
	const struct stream_source source = {on_more, on_closed, w};
	struct buf first;

	if (w == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	w->app = rq->app;
	w->who = rq->who;
	w->listener = event_listen(rq->app->events, filter, cursor, &client, e);
	if (w->listener == NULL) {
		free(w);
		return e->code;
	}
	/* Some proxies gather an answer before they pass it on. */
	respond_header(rq, "X-Accel-Buffering", "no");
	buf_init(&first, ANSWER_BYTES);
	event_listener_read(w->listener, &first);
	w->stream =
		respond_stream(rq, 200, "text/event-stream; charset=utf-8", &source, &first);
	if (w->stream == NULL)
		on_closed(w);
	return ERR_OK;
}

enum err_code rest_events(struct request *rq, struct err *e)
{
	struct event_filter filter = {0};
	const char *cursor;

	if (read_cursor(rq, &cursor, e) == ERR_OK && read_filter(rq, &filter, e) == ERR_OK)
		begin(rq, &filter, cursor, e);
	free(filter.workers);
	return e->code;
}

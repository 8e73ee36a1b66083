// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/presence/mirror_list.h"

#include "bridge/app.h"
#include "bridge/base/loop.h"
#include "bridge/commands/engine_state.h"
#include "bridge/mqtt/broker.h"
#include "bridge/mqtt/control.h"
#include "protocol/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Objects to a page: some milliseconds of this loop. */
#define PAGE_LIMIT 250
/* Pages that come unasked after the first: so many wait in the broker at most if we are slow,
 * some 10 MB. A fleet of 10,000 is there in one go, and takes no turn of a busy broker's loop
 * for every page that is asked for. */
#define PAGES 100
#define PAGE_TIMEOUT_MS 2000
#define RETRY_MS 250

struct mirror_list {
	struct app *app;
	struct mirror_sink sink;
	bool running;
	uint32_t number; /* answers to others are late */
	struct timer *retry;
	char complaint[200]; /* the last failure that was logged */
};

/* What was asked for: some pages. */
struct asked {
	struct mirror_list *list;
	uint32_t number;
};

static void ask_pages(struct mirror_list *l, const char *after);

/* ---- what a page says -------------------------------------------------------------------- */

static void read_reported(struct mirror_list *l, struct json_object *item,
			  const struct worker_id *id)
{
	struct json_object *reported = json_object_object_get(item, "reported");
	const char *status;
	int64_t at_ms;
	struct jread r;
	struct err e = {0};

	if (reported == NULL)
		return;
	jread_begin(&r, reported, &e);
	status = jread_str_or(&r, "engine_status", 1, 32, NULL);
	at_ms = jread_time_or_0(&r, "at");
	if (status != NULL && jread_end(&r) == ERR_OK)
		engine_state_set(l->app->engine_states, id, status, at_ms);
}

static void read_item(struct mirror_list *l, struct json_object *list, size_t i, struct err *e)
{
	struct json_object *item = json_object_array_get_idx(list, i);
	struct presence p;
	struct jread r;

	jread_begin_at(&r, item, e, "connections", i);
	presence_read(&r, &p);
	if (jread_end(&r) != ERR_OK)
		return;
	if (!l->sink.object(l->sink.arg, &p))
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	else
		read_reported(l, item, &p.worker);
}

static void read_page(struct mirror_list *l, struct json_object *data, const char **next,
		      struct err *e)
{
	struct jread r;
	struct json_object *list;
	struct presence_pos pos;
	const char *node;

	jread_begin(&r, data, e);
	node = jread_str(&r, "node", 1, NODE_ID_MAX);
	pos.boot = jread_i64(&r, "boot", 0, INT64_MAX);
	pos.seq = jread_i64(&r, "seq", 0, INT64_MAX);
	list = jread_array(&r, "connections", 0, PAGE_LIMIT);
	*next = jread_str_or(&r, "next", 1, WORKER_ID_MAX, NULL);
	if (jread_end(&r) != ERR_OK)
		return;
	l->sink.page(l->sink.arg, node, pos);
	for (size_t i = 0; i < json_object_array_length(list) && e->code == ERR_OK; i++)
		read_item(l, list, i, e);
}

/* ---- page by page ------------------------------------------------------------------------ */

/* A broker without the plugin never answers: that is said once, not every two seconds. */
static void complain(struct mirror_list *l, const char *what)
{
	if (strcmp(l->complaint, what) == 0)
		return;
	snprintf(l->complaint, sizeof(l->complaint), "%s", what);
	log_warn("mirror", "list failed, trying on: %s", what);
}

static void fail(struct mirror_list *l, const char *why)
{
	l->running = false;
	if (!broker_connected(l->app->broker))
		return; /* the next connection starts one */
	complain(l, why);
	timer_once(l->retry, RETRY_MS);
}

static void finish(struct mirror_list *l)
{
	l->complaint[0] = '\0';
	l->running = false;
	l->sink.whole(l->sink.arg);
}

static void on_page(void *arg, struct json_object *data, struct err *e, bool more)
{
	struct asked *asked = arg;
	struct mirror_list *l = asked->list;
	const bool late = asked->number != l->number || !l->running;
	const char *next = NULL;

	if (!more)
		free(asked);
	if (late)
		return;
	if (data != NULL)
		read_page(l, data, &next, e);
	if (e->code != ERR_OK)
		fail(l, e->msg);
	else if (next == NULL)
		finish(l);
	else if (!more)
		ask_pages(l, next);
}

static void ask_pages(struct mirror_list *l, const char *after)
{
	struct asked *asked = malloc(sizeof(*asked));
	struct buf fields;
	struct jwrite w;

	if (asked == NULL) {
		fail(l, "out of memory");
		return;
	}
	*asked = (struct asked){.list = l, .number = l->number};
	buf_init(&fields, 256);
	jwrite_begin(&w, &fields);
	jwrite_i64(&w, "limit", PAGE_LIMIT);
	jwrite_i64(&w, "pages", PAGES);
	if (after != NULL)
		jwrite_str(&w, "after", after);
	control_call_parts(l->app->control, "listConnections", &fields, PAGE_TIMEOUT_MS,
			   on_page, asked);
	buf_fini(&fields);
}

static void on_retry(void *arg)
{
	struct mirror_list *l = arg;

	if (broker_connected(l->app->broker) && !l->running)
		mirror_list_start(l);
}

/* ---- for the mirror ---------------------------------------------------------------------- */

void mirror_list_start(struct mirror_list *l)
{
	l->number++;
	l->running = true;
	timer_cancel(l->retry);
	l->sink.begin(l->sink.arg);
	ask_pages(l, NULL);
}

void mirror_list_stop(struct mirror_list *l)
{
	l->running = false;
	timer_cancel(l->retry);
}

bool mirror_list_running(const struct mirror_list *l)
{
	return l->running;
}

struct mirror_list *mirror_list_new(struct app *app, const struct mirror_sink *sink,
				    struct err *e)
{
	struct mirror_list *l = calloc(1, sizeof(*l));

	if (l != NULL) {
		l->app = app;
		l->sink = *sink;
		l->retry = timer_new(app->loop, on_retry, l);
	}
	if (l == NULL || l->retry == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		mirror_list_free(l);
		return NULL;
	}
	return l;
}

void mirror_list_free(struct mirror_list *l)
{
	if (l == NULL)
		return;
	timer_free(l->retry);
	free(l);
}

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* control_list.c - the command listConnections.
 *
 * A page is a list of worker ids, then the object of each. Whoever asked for one page that is
 * done in time is answered at once; what takes longer, and pages after the first, are made at
 * the turns' ends. */
#include "plugin/control_list.h"

#include "plugin/stats.h"
#include "protocol/clock.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT_MAX 1000
#define LIMIT_DEFAULT 250
#define PAGES_MAX 1000
#define LISTS_MAX 1000 /* under way at once */
#define HOLD_US 1000   /* what a callback, and likewise a turn's end, spends on lists */
#define LARGE_BYTES (64u * 1024)
#define OBJECTS_AT_ONCE 8 /* between two looks at the clock: some 20 us */

struct list {
	struct list *next;
	const void *client;
	struct control_route route;
	char *correlation; /* owned, may be NULL */
	bool only_connected;
	size_t limit;
	int64_t pages_left;   /* this one included */
	bool begun, complete; /* the page that is being made */
	struct worker_id *ids;
	size_t ids_len, done;
	bool more; /* there is a page behind it, which begins after `after` */
	char after[STORE_KEY_MAX + 1];
	struct buf message; /* the whole answer: each copy of it would cost the loop time */
	size_t data_at, data_len; /* the members of its "data" */
	struct jwrite w;
};

struct control_lists {
	struct list *first, **end; /* the one whose turn it is in front */
	size_t len;
	int64_t left_us; /* that callbacks of this turn may still spend */
};

/* ---- one page ---- */

static void collect_id(void *arg, const char *key, size_t key_len, struct slice value)
{
	struct list *l = arg;

	(void)value;
	if (l->ids_len < l->limit && worker_id_parse(key, key_len, &l->ids[l->ids_len]))
		l->ids_len++;
}

static void begin_page(struct list *l, const struct publish *p)
{
	l->begun = true;
	l->done = 0;
	buf_reset(&l->message);
	jwrite_begin(&l->w, &l->message);
	jwrite_object(&l->w, NULL);
	jwrite_array(&l->w, "responses");
	jwrite_object(&l->w, NULL);
	jwrite_str(&l->w, "command", "listConnections");
	if (l->correlation != NULL)
		jwrite_str(&l->w, "correlationData", l->correlation);
	jwrite_object(&l->w, "data");
	l->data_at = l->message.len;
	jwrite_str(&l->w, "node", p->node);
	jwrite_i64(&l->w, "boot", p->boot);
	jwrite_i64(&l->w, "seq", p->seq);
	jwrite_array(&l->w, "connections");
}

static void end_page(struct list *l)
{
	const bool goes_on = l->more && --l->pages_left > 0;

	l->begun = false;
	jwrite_array_end(&l->w);
	jwrite_str(&l->w, "next", l->more ? l->after : NULL);
	l->data_len = l->message.len - l->data_at;
	jwrite_object_end(&l->w);
	if (goes_on)
		jwrite_bool(&l->w, "more", true);
	jwrite_object_end(&l->w);
	jwrite_array_end(&l->w);
	jwrite_object_end(&l->w);
	if (!goes_on)
		l->pages_left = 0;
	stats_add(STAT_LIST_PAGES, 1);
}

/* The ids of the next page. The directory's, not the objects': it is durable before a worker
 * can connect, so its order of keys is stable while pages are read. */
static void next_ids(struct list *l, struct control *c)
{
	char next[STORE_KEY_MAX + 1];

	l->ids_len = 0;
	l->more = store_page(c->store, STORE_DIRECTORY, l->after[0] != '\0' ? l->after : NULL,
			     l->limit, collect_id, l, next);
	memcpy(l->after, next, sizeof(next));
	begin_page(l, c->publish);
}

static void write_reported(struct jwrite *w, struct store *store, const struct worker_id *id)
{
	struct reported_state state;

	if (!reported_load(store, id, &state)) {
		jwrite_null(w, "reported");
		return;
	}
	jwrite_object(w, "reported");
	jwrite_str(w, "engine_status", state.engine_status[0] ? state.engine_status : NULL);
	jwrite_time(w, "at", state.at_ms);
	jwrite_object_end(w);
}

/* False if the worker has no object that was asked for. */
static bool write_object(struct list *l, struct control *c, const struct worker_id *id)
{
	struct presence p;

	if (!connset_presence(c->conns, id, &p) ||
	    (l->only_connected && p.state != PRESENCE_ONLINE))
		return false;
	jwrite_object(&l->w, NULL);
	presence_write_fields(&l->w, &p, c->publish->node);
	presence_write_address(&l->w, &p);
	write_reported(&l->w, c->store, id);
	jwrite_object_end(&l->w);
	return true;
}

/* True when the page is complete. */
static bool work_on(struct list *l, struct control *c, int64_t until_us)
{
	size_t n = 0;

	if (!l->begun)
		next_ids(l, c);
	while (l->done < l->ids_len && !l->message.failed) {
		if (n++ % OBJECTS_AT_ONCE == 0 && n > 1 && clock_mono_us() >= until_us)
			return false;
		stats_add(STAT_LIST_OBJECTS, write_object(l, c, &l->ids[l->done++]));
	}
	end_page(l);
	return true;
}

/* ---- the command ---- */

static void list_free(struct list *l)
{
	if (l == NULL)
		return;
	free(l->correlation);
	free(l->ids);
	buf_fini(&l->message);
	free(l);
}

static enum err_code read_ids(struct control_call *call, struct json_object *array,
			      struct list *l)
{
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		struct json_object *item = json_object_array_get_idx(array, i);

		if (!json_object_is_type(item, json_type_string) ||
		    !worker_id_parse(json_object_get_string(item),
				     (size_t)json_object_get_string_len(item),
				     &l->ids[l->ids_len++]))
			return err_set(call->e, ERR_INVALID_REQUEST,
				       "ids[%zu]: is not a worker id", i);
	}
	return ERR_OK;
}

static struct list *list_new(struct control_call *call)
{
	const char *after = jread_str_or(&call->in, "after", 1, WORKER_ID_MAX, "");
	const char *only = jread_str_or(&call->in, "only", 1, 16, NULL);
	int64_t limit = jread_i64_or(&call->in, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX);
	int64_t pages = jread_i64_or(&call->in, "pages", 1, 1, PAGES_MAX);
	struct list *l;

	if (only != NULL && strcmp(only, "connected") != 0)
		jread_fail(&call->in, "only", "must be \"connected\"");
	if (jread_failed(&call->in))
		return NULL;
	l = calloc(1, sizeof(*l));
	if (l == NULL) {
		err_set(call->e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	l->client = call->client;
	l->route = *call->route;
	l->only_connected = only != NULL;
	l->limit = (size_t)limit;
	l->pages_left = pages;
	memcpy(l->after, after, strlen(after) + 1);
	buf_init(&l->message, CONTROL_ANSWER_MAX);
	return l;
}

/* Notes what the list is of; a page begins when it is worked on. */
static enum err_code list_begin(struct list *l, struct control_call *call)
{
	struct json_object *ids = jread_array_or_null(&call->in, "ids", LIMIT_MAX);
	const size_t room = ids != NULL ? json_object_array_length(ids) : l->limit;

	if (jread_failed(&call->in))
		return call->e->code;
	l->ids = malloc((room + 1) * sizeof(*l->ids));
	if (call->correlation != NULL)
		l->correlation = strdup(call->correlation);
	if (l->ids == NULL || (call->correlation != NULL && l->correlation == NULL))
		return err_set(call->e, ERR_OUT_OF_MEMORY, NULL);
	if (ids == NULL)
		return ERR_OK;
	if (read_ids(call, ids, l) != ERR_OK)
		return call->e->code;
	l->pages_left = 1;
	begin_page(l, call->control->publish);
	return ERR_OK;
}

static void append(struct control_lists *lists, struct list *l)
{
	l->next = NULL;
	*lists->end = l;
	lists->end = &l->next;
	lists->len++;
}

/* Takes out what *link points to. */
static struct list *take(struct control_lists *lists, struct list **link)
{
	struct list *l = *link;

	*link = l->next;
	if (lists->end == &l->next)
		lists->end = link;
	lists->len--;
	return l;
}

/* Answers at once if that is all and there was the time, else at a turn's end. */
static enum err_code list_answer(struct list *l, struct control_call *call)
{
	struct control_lists *lists = call->control->lists;
	const int64_t began_us = clock_mono_us();
	bool complete = false;

	if (l->pages_left == 1 && lists->len == 0 && lists->left_us > 0) {
		complete = work_on(l, call->control, began_us + lists->left_us);
		lists->left_us -= clock_mono_us() - began_us;
	}
	if (complete) {
		if (l->message.failed)
			err_set(call->e, ERR_OUT_OF_MEMORY, NULL);
		else
			buf_add(call->out->out, l->message.data + l->data_at, l->data_len);
		list_free(l);
		return call->e->code;
	}
	if (lists->len == LISTS_MAX) {
		list_free(l);
		return err_set(call->e, ERR_RATE_LIMITED, "too many lists are under way");
	}
	append(lists, l);
	call->later = true;
	return ERR_OK;
}

enum err_code control_list_connections(struct control_call *call)
{
	const int64_t began_us = clock_mono_us();
	struct list *l = list_new(call);

	if (l == NULL)
		return call->e->code;
	if (list_begin(l, call) != ERR_OK) {
		list_free(l);
		return call->e->code;
	}
	call->in_order = true;
	(void)(list_answer(l, call) == ERR_OK);
	stats_observe_us(STAT_LIST_HOLD, clock_mono_us() - began_us);
	return call->e->code;
}

/* ---- the turn's end ---- */

static void tell_page(struct list *l, struct control *c)
{
	static const struct err too_large = {ERR_OUT_OF_MEMORY, "out of memory"};

	if (!l->message.failed) {
		control_publish(c, &l->route, &l->message);
		return;
	}
	l->pages_left = 0;
	control_answer(c, &l->route, "listConnections", l->correlation, NULL, &too_large,
		       false);
}

/* Works on the list in front; where that completes a page, its next one comes behind those of
 * others. False: the time is over. */
static bool work_on_first(struct control_lists *lists, struct control *c, int64_t began_us)
{
	struct list *l = lists->first;

	if (l == NULL)
		return false;
	l->complete = l->complete || work_on(l, c, began_us + HOLD_US);
	/* The broker's copy of a large page takes about as long as half of it took to make. */
	if (!l->complete ||
	    (l->message.len > LARGE_BYTES && clock_mono_us() > began_us + HOLD_US / 2))
		return false;
	take(lists, &lists->first);
	tell_page(l, c);
	l->complete = false;
	if (l->pages_left > 0)
		append(lists, l);
	else
		list_free(l);
	return clock_mono_us() < began_us + HOLD_US;
}

bool control_lists_tick(struct control_lists *lists, struct control *c)
{
	const int64_t began_us = clock_mono_us();

	lists->left_us = HOLD_US;
	if (lists->first == NULL)
		return false;
	while (work_on_first(lists, c, began_us))
		continue;
	stats_observe_us(STAT_LIST_HOLD, clock_mono_us() - began_us);
	return lists->first != NULL;
}

void control_lists_client_gone(struct control_lists *lists, const void *client)
{
	for (struct list **link = &lists->first; *link != NULL;)
		if ((*link)->client == client)
			list_free(take(lists, link));
		else
			link = &(*link)->next;
}

/* ---- life ---- */

struct control_lists *control_lists_new(void)
{
	struct control_lists *lists = calloc(1, sizeof(*lists));

	if (lists == NULL)
		return NULL;
	lists->end = &lists->first;
	lists->left_us = HOLD_US;
	return lists;
}

void control_lists_free(struct control_lists *lists)
{
	if (lists == NULL)
		return;
	while (lists->first != NULL)
		list_free(take(lists, &lists->first));
	free(lists);
}

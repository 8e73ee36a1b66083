// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* The mirror: one entry per connection object, newer wins by (boot, seq).
 *
 * Why list and stream may run side by side: the subscription stands before the first page is
 * asked for, so whatever happens to an object after its page was made comes as an event, and
 * per object the newer one wins, in whichever order the two arrive. When all pages are there
 * and the stream had no gap meanwhile, the copy is whole.
 *
 * Entries that a complete list did not mention, and no event either, are gone in the plugin.
 */
#include "bridge/mirror.h"

#include "bridge/app.h"
#include "bridge/broker.h"
#include "bridge/control.h"
#include "bridge/engine_state.h"
#include "bridge/follow.h"
#include "bridge/loop.h"
#include "bridge/tally.h"
#include "protocol/clock.h"
#include "protocol/htab.h"
#include "protocol/log.h"
#include "protocol/topics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SILENCE_US INT64_C(2000000) /* no heartbeat for so long: unknown */
#define CHECK_MS 100
#define PAGE_LIMIT 250
#define PAGE_TIMEOUT_MS 2000
#define RETRY_MS 250

struct entry {
	struct presence presence;
	uint32_t list; /* number of the list during which it was last heard of */
	bool deleted; /* its worker is; kept while a list is under way, whose pages may be older
		       */
};

struct mirror {
	struct app *app;
	struct broker_listener presence, heartbeat;
	struct htab entries; /* struct entry by worker id */
	struct follow follow;
	bool whole;       /* the last list is complete and nothing was missed since */
	bool listing;     /* pages are being asked for */
	uint32_t list;    /* number of the current or last list; answers to others are late */
	bool was_hearing; /* what mirror_hears() said at the last check */
	int64_t heard_us; /* last heartbeat or page */
	uint64_t version;
	struct timer *check, *retry;
	char complaint[200]; /* the last failure that was logged */
	char node[NODE_ID_MAX + 1];
};

/* One page that was asked for. */
struct page {
	struct mirror *mirror;
	uint32_t list;
};

static void start_list(struct mirror *m);
static void ask_page(struct mirror *m, const char *after);

/* ---- entries ----------------------------------------------------------------------------- */

static uint64_t hash_entry(const void *item)
{
	return htab_hash_str(((const struct entry *)item)->presence.worker.text);
}

static bool is_worker(const void *item, const void *id)
{
	return worker_id_equal(&((const struct entry *)item)->presence.worker, id);
}

static struct entry *find(const struct mirror *m, const struct worker_id *id)
{
	return htab_find(&m->entries, htab_hash_str(id->text), is_worker, id);
}

static struct entry *add(struct mirror *m, const struct presence *p)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (entry == NULL)
		return NULL;
	entry->presence = *p;
	if (htab_add(&m->entries, entry))
		return entry;
	free(entry);
	return NULL;
}

static void drop(struct mirror *m, struct entry *entry)
{
	htab_remove(&m->entries, entry);
	free(entry);
}

/* False: out of memory, so the copy is no longer whole. */
static bool apply(struct mirror *m, const struct presence *p)
{
	struct entry *entry = find(m, &p->worker);

	if (entry == NULL)
		entry = add(m, p);
	else if (presence_pos_after(p->pos, entry->presence.pos))
		entry->presence = *p;
	if (entry == NULL)
		return false;
	entry->list = m->list;
	entry->deleted = entry->presence.reason == REASON_DELETED;
	m->version++;
	if (entry->deleted && !m->listing)
		drop(m, entry);
	return true;
}

/* Drops what the complete list and the events since its start did not mention. */
static void sweep(struct mirror *m)
{
	struct htab kept;
	struct entry *entry;
	size_t pos = 0;

	/* Into a new table, since removing from one shifts entries under the walk. */
	htab_init(&kept, hash_entry);
	while ((entry = htab_next(&m->entries, &pos)) != NULL)
		if (entry->deleted || entry->list != m->list || !htab_add(&kept, entry))
			free(entry);
	htab_fini(&m->entries);
	m->entries = kept;
}

/* ---- unknown and known ------------------------------------------------------------------- */

bool mirror_hears(const struct mirror *m)
{
	return m->whole && clock_mono_us() - m->heard_us < SILENCE_US;
}

static void note_hearing(struct mirror *m)
{
	bool hears = mirror_hears(m);

	if (hears == m->was_hearing)
		return;
	m->was_hearing = hears;
	m->version++;
	log_info("mirror", "node=%s %s objects=%zu", m->node,
		 hears ? "agrees with the broker" : "cannot be heard", m->entries.len);
}

static void lose(struct mirror *m)
{
	m->whole = false;
	note_hearing(m);
}

static void on_check(void *arg)
{
	struct mirror *m = arg;

	/* After a silence nobody knows what was missed, so a heartbeat alone does not end it.
	 */
	if (m->whole && !mirror_hears(m))
		lose(m);
	note_hearing(m);
}

static void on_gap(struct mirror *m, const char *what, struct presence_pos pos)
{
	tally_add(TALLY_PRESENCE_GAPS);
	log_warn("mirror", "node=%s boot=%" PRId64 " seq=%" PRId64 " %s: listing anew", m->node,
		 pos.boot, pos.seq, what);
	lose(m);
	start_list(m);
}

/* ---- list -------------------------------------------------------------------------------- */

static void read_reported(struct mirror *m, struct json_object *item,
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
		engine_state_set(m->app->engine_states, id, status, at_ms);
}

static void read_item(struct mirror *m, struct json_object *list, size_t i, struct err *e)
{
	struct json_object *item = json_object_array_get_idx(list, i);
	struct presence p;
	struct jread r;

	jread_begin_at(&r, item, e, "connections", i);
	presence_read(&r, &p);
	if (jread_end(&r) != ERR_OK)
		return;
	if (!apply(m, &p))
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	else
		read_reported(m, item, &p.worker);
}

static void read_page(struct mirror *m, struct json_object *data, const char **next,
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
	snprintf(m->node, sizeof(m->node), "%s", node);
	/* Where nothing was heard yet the stream begins here: events up to this one that are
	 * still on their way are harmless. */
	if (!m->follow.known)
		follow_heartbeat(&m->follow, pos);
	for (size_t i = 0; i < json_object_array_length(list) && e->code == ERR_OK; i++)
		read_item(m, list, i, e);
}

/* A broker without the plugin never answers: that is said once, not every two seconds. */
static void complain(struct mirror *m, const char *what)
{
	if (strcmp(m->complaint, what) == 0)
		return;
	snprintf(m->complaint, sizeof(m->complaint), "%s", what);
	log_warn("mirror", "list failed, trying on: %s", what);
}

static void finish_list(struct mirror *m)
{
	m->complaint[0] = '\0';
	m->listing = false;
	sweep(m);
	m->whole = true;
	m->version++;
	note_hearing(m);
}

static void on_page(void *arg, struct json_object *data, struct err *e)
{
	struct page *page = arg;
	struct mirror *m = page->mirror;
	bool late = page->list != m->list || !m->listing;
	const char *next = NULL;

	free(page);
	if (late)
		return;
	if (data != NULL)
		read_page(m, data, &next, e);
	if (e->code != ERR_OK) {
		m->listing = false;
		if (broker_connected(m->app->broker)) {
			complain(m, e->msg);
			timer_once(m->retry, RETRY_MS);
		}
		return;
	}
	m->heard_us = clock_mono_us();
	if (next != NULL)
		ask_page(m, next);
	else
		finish_list(m);
}

static void ask_page(struct mirror *m, const char *after)
{
	struct page *page = malloc(sizeof(*page));
	struct buf fields;
	struct jwrite w;

	if (page == NULL) {
		m->listing = false;
		timer_once(m->retry, RETRY_MS);
		return;
	}
	*page = (struct page){.mirror = m, .list = m->list};
	buf_init(&fields, 256);
	jwrite_begin(&w, &fields);
	jwrite_i64(&w, "limit", PAGE_LIMIT);
	if (after != NULL)
		jwrite_str(&w, "after", after);
	control_call(m->app->control, "listConnections", &fields, PAGE_TIMEOUT_MS, on_page,
		     page);
	buf_fini(&fields);
}

static void start_list(struct mirror *m)
{
	m->list++;
	m->listing = true;
	timer_cancel(m->retry);
	ask_page(m, NULL);
}

static void on_retry(void *arg)
{
	struct mirror *m = arg;

	if (broker_connected(m->app->broker) && !m->listing)
		start_list(m);
}

/* ---- stream ------------------------------------------------------------------------------ */

static void on_event(struct mirror *m, struct json_object *list, size_t i)
{
	struct presence p;
	struct jread r;
	struct err e = {0};
	enum follow_step step;

	jread_begin_at(&r, json_object_array_get_idx(list, i), &e, "events", i);
	presence_read(&r, &p);
	if (jread_end(&r) != ERR_OK) {
		/* The next event's number will show the gap. */
		log_warn("mirror", "event that cannot be read: %s", e.msg);
		return;
	}
	step = follow_event(&m->follow, p.pos);
	if (!apply(m, &p))
		step = FOLLOW_GAP;
	if (step == FOLLOW_GAP)
		on_gap(m, "events were missed", p.pos);
}

static void on_presence(void *arg, const char *topic, const char *payload, size_t len)
{
	struct mirror *m = arg;
	struct err e = {0};
	struct json_object *doc = jread_parse(payload, len, &e), *list;
	struct jread r;

	(void)topic;
	if (doc != NULL) {
		jread_begin(&r, doc, &e);
		list = jread_array(&r, "events", 0, 10000);
		for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++)
			on_event(m, list, i);
	}
	if (e.code != ERR_OK)
		log_warn("mirror", "batch that cannot be read: %s", e.msg);
	json_object_put(doc);
}

static void on_heartbeat(void *arg, const char *topic, const char *payload, size_t len)
{
	struct mirror *m = arg;
	struct err e = {0};
	struct json_object *doc = jread_parse(payload, len, &e);
	struct presence_pos pos = {0};
	struct jread r;

	(void)topic;
	if (doc != NULL) {
		jread_begin(&r, doc, &e);
		pos.boot = jread_i64(&r, "boot", 0, INT64_MAX);
		pos.seq = jread_i64(&r, "seq", 0, INT64_MAX);
	}
	json_object_put(doc);
	if (e.code != ERR_OK) {
		log_warn("mirror", "heartbeat that cannot be read: %s", e.msg);
		return;
	}
	on_check(m); /* a silence that has just ended was one all the same */
	m->heard_us = clock_mono_us();
	if (follow_heartbeat(&m->follow, pos) == FOLLOW_GAP)
		on_gap(m, "is ahead of the events heard", pos);
	else if (!m->whole && !m->listing)
		start_list(m);
}

static bool wants_presence(void *arg, const char *topic)
{
	(void)arg;
	return strcmp(topic, TOPIC_PRESENCE_BATCH) == 0;
}

static bool wants_heartbeat(void *arg, const char *topic)
{
	(void)arg;
	return strcmp(topic, TOPIC_HEARTBEAT) == 0;
}

static void on_connected(void *arg)
{
	struct mirror *m = arg;

	follow_reset(&m->follow);
	start_list(m);
}

static void on_disconnected(void *arg)
{
	struct mirror *m = arg;

	m->listing = false;
	timer_cancel(m->retry);
	lose(m);
}

/* ---- for the rest of the bridge ---------------------------------------------------------- */

const struct presence *mirror_find(const struct mirror *m, const struct worker_id *id)
{
	const struct entry *entry = find(m, id);

	return entry != NULL && !entry->deleted ? &entry->presence : NULL;
}

void mirror_get(const struct mirror *m, const struct worker_id *id, struct presence *out)
{
	const struct presence *known;

	*out = (struct presence){.worker = *id, .state = PRESENCE_UNKNOWN};
	if (!mirror_hears(m))
		return;
	known = mirror_find(m, id);
	if (known != NULL)
		*out = *known;
	else
		out->state = PRESENCE_OFFLINE;
}

uint64_t mirror_version(const struct mirror *m)
{
	/* A silence may be noticed by a reader before the timer notices it. */
	return m->version << 1 | (mirror_hears(m) ? 1 : 0);
}

const char *mirror_node(const struct mirror *m)
{
	return m->node;
}

struct presence_pos mirror_position(const struct mirror *m)
{
	return m->follow.last;
}

static void listen(struct mirror *m)
{
	m->presence = (struct broker_listener){.filter = TOPIC_PRESENCE_BATCH,
					       .wants = wants_presence,
					       .message = on_presence,
					       .connected = on_connected,
					       .disconnected = on_disconnected,
					       .arg = m};
	m->heartbeat = (struct broker_listener){.filter = TOPIC_HEARTBEAT,
						.wants = wants_heartbeat,
						.message = on_heartbeat,
						.arg = m};
	broker_listen(m->app->broker, &m->presence);
	broker_listen(m->app->broker, &m->heartbeat);
}

struct mirror *mirror_new(struct app *app, struct err *e)
{
	struct mirror *m = calloc(1, sizeof(*m));

	if (m != NULL) {
		m->app = app;
		htab_init(&m->entries, hash_entry);
		m->check = timer_new(app->loop, on_check, m);
		m->retry = timer_new(app->loop, on_retry, m);
	}
	if (m == NULL || m->check == NULL || m->retry == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		mirror_free(m);
		return NULL;
	}
	timer_every(m->check, CHECK_MS);
	listen(m);
	return m;
}

void mirror_free(struct mirror *m)
{
	struct entry *entry;
	size_t pos = 0;

	if (m == NULL)
		return;
	while ((entry = htab_next(&m->entries, &pos)) != NULL)
		free(entry);
	htab_fini(&m->entries);
	timer_free(m->check);
	timer_free(m->retry);
	free(m);
}

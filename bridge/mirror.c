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
#include "bridge/follow.h"
#include "bridge/loop.h"
#include "bridge/mirror_list.h"
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
	bool was_hearing; /* what mirror_hears() said at the last check */
	int64_t heard_us; /* last heartbeat or page */
	uint64_t version;
	struct mirror_list *list;
	struct timer *check;
	char node[NODE_ID_MAX + 1];
};

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
	entry->list = mirror_list_number(m->list);
	entry->deleted = entry->presence.reason == REASON_DELETED;
	m->version++;
	if (entry->deleted && !mirror_list_running(m->list))
		drop(m, entry);
	return true;
}

/* Drops what the complete list and the events since its start did not mention. */
static void sweep(struct mirror *m)
{
	const uint32_t list = mirror_list_number(m->list);
	struct htab kept;
	struct entry *entry;
	size_t pos = 0;

	/* Into a new table, since removing from one shifts entries under the walk. */
	htab_init(&kept, hash_entry);
	while ((entry = htab_next(&m->entries, &pos)) != NULL)
		if (entry->deleted || entry->list != list || !htab_add(&kept, entry))
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
	mirror_list_start(m->list);
}

/* ---- list -------------------------------------------------------------------------------- */

static void on_page(void *arg, const char *node, struct presence_pos pos)
{
	struct mirror *m = arg;

	snprintf(m->node, sizeof(m->node), "%s", node);
	m->heard_us = clock_mono_us();
	/* Where nothing was heard yet the stream begins here: events up to this one that are
	 * still on their way are harmless. */
	if (!m->follow.known)
		follow_heartbeat(&m->follow, pos);
}

static bool on_object(void *arg, const struct presence *p)
{
	return apply(arg, p);
}

static void on_whole(void *arg)
{
	struct mirror *m = arg;

	sweep(m);
	m->whole = true;
	m->version++;
	note_hearing(m);
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
	else if (!m->whole && !mirror_list_running(m->list))
		mirror_list_start(m->list);
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
	mirror_list_start(m->list);
}

static void on_disconnected(void *arg)
{
	struct mirror *m = arg;

	mirror_list_stop(m->list);
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
	const struct mirror_sink sink = {on_page, on_object, on_whole, m};

	if (m != NULL) {
		m->app = app;
		htab_init(&m->entries, hash_entry);
		m->check = timer_new(app->loop, on_check, m);
		m->list = mirror_list_new(app, &sink, e);
	}
	if (m == NULL || m->check == NULL || m->list == NULL) {
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
	mirror_list_free(m->list);
	free(m);
}

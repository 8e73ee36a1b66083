// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Why list and stream may run side by side: the subscription stands before the first page is
 * asked for, so whatever happens to an object after its page was made comes as an event, and
 * per object the newer one wins, in whichever order the two arrive. When all pages are there
 * and the stream had no gap meanwhile, the copy is whole.
 *
 * A list begins with an empty table: what is wrong in it, whatever the reason, does not outlive
 * the list, and entries that the list does not mention are gone in the plugin. That happens
 * when its storage was lost. No event tells of it, so what was known is kept beside until the
 * list is complete, and who follows the events hears of what is missing then.
 */
#include "bridge/presence/mirror.h"

#include "bridge/app.h"
#include "bridge/audit/presence_log.h"
#include "bridge/base/lag.h"
#include "bridge/base/loop.h"
#include "bridge/base/prom.h"
#include "bridge/base/tally.h"
#include "bridge/commands/command.h"
#include "bridge/mqtt/broker.h"
#include "bridge/presence/catchup.h"
#include "bridge/presence/follow.h"
#include "bridge/presence/heartbeat.h"
#include "bridge/presence/mirror_list.h"
#include "bridge/presence/mirror_table.h"
#include "bridge/workers/renewal.h"
#include "bridge/workers/roster.h"
#include "protocol/clock.h"
#include "protocol/log.h"
#include "protocol/presence_scan.h"
#include "protocol/topics.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SILENCE_US INT64_C(2000000) /* no heartbeat for so long: unknown */
#define CHECK_MS 100

struct mirror {
	struct app *app;
	struct broker_listener presence, heartbeat;
	struct mirror_table table;
	struct mirror_table before; /* while a list is under way: what was known at its begin */
	struct follow follow;
	bool whole;         /* the last list is complete and nothing was missed since */
	unsigned doubted;   /* heartbeats in a row that contradicted a whole copy */
	bool was_hearing;   /* what mirror_hears() said at the last check */
	int64_t heard_us;   /* last heartbeat or page; 0: nothing yet */
	int64_t proven_us;  /* last heartbeat that agreed; 0: none yet */
	int64_t listing_us; /* the list's begin */
	uint64_t version, epoch, proofs, disproofs, lists;
	struct mirror_list *list;
	struct timer *check;
	struct lag clock;
	struct latency lag, list_time;
	char node[NODE_ID_MAX + 1];
	struct mirror_watcher watcher;
};

static bool apply(struct mirror *m, const struct presence *p)
{
	const struct presence *known = mirror_table_find(&m->table, &p->worker);
	const bool newer = known == NULL || presence_pos_after(p->pos, known->pos);

	m->version++;
	presence_log_note(m->app->presence_log, m->node, p);
	if (!mirror_table_apply(&m->table, p, mirror_list_running(m->list)))
		return false;
	if (newer)
		roster_touch_connection(m->app->roster, &p->worker);
	if (newer && m->watcher.presence != NULL)
		m->watcher.presence(m->watcher.arg, p);
	return true;
}

/* ---- unknown and known ------------------------------------------------------------------- */

static bool is_silent(const struct mirror *m)
{
	return clock_mono_us() - m->heard_us >= SILENCE_US;
}

bool mirror_hears(const struct mirror *m)
{
	return m->whole && m->doubted == 0 && !is_silent(m) &&
	       !catchup_gave_up(m->app->catchup);
}

static void note_hearing(struct mirror *m)
{
	bool hears = mirror_hears(m);

	if (hears == m->was_hearing)
		return;
	m->was_hearing = hears;
	m->version++;
	m->epoch++;
	log_info("mirror", "node=%s %s objects=%zu", m->node,
		 hears ? "agrees with the broker" : "cannot be heard", m->table.entries.len);
	if (m->watcher.hearing != NULL)
		m->watcher.hearing(m->watcher.arg);
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
	if (m->whole && is_silent(m))
		lose(m);
	note_hearing(m);
}

static void on_gap(struct mirror *m, const char *what, struct presence_pos pos)
{
	tally_add(TALLY_PRESENCE_GAPS);
	log_warn("mirror", "node=%s boot=%" PRId64 " seq=%" PRId64 " %s: listing anew", m->node,
		 pos.boot, pos.seq, what);
	mirror_list_start(m->list);
}

/* ---- list -------------------------------------------------------------------------------- */

static void tell_lost(struct mirror *m)
{
	if (m->watcher.lost != NULL)
		m->watcher.lost(m->watcher.arg);
}

static void on_begin(void *arg)
{
	struct mirror *m = arg;

	lose(m);
	m->epoch++;
	/* Of an earlier list that has failed, too: its objects were told as presence. */
	if (!mirror_table_move(&m->before, &m->table))
		tell_lost(m); /* they may be: there is no memory to find out */
	m->listing_us = clock_mono_us();
}

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

/* Of a worker that has no record nobody is shown anything. */
static bool is_shown(void *arg, const struct worker_id *id)
{
	const struct mirror *m = arg;

	return roster_find(m->app->roster, id) != NULL;
}

static void compare_with_before(struct mirror *m)
{
	if (mirror_table_lacks(&m->table, &m->before, is_shown, m)) {
		log_warn("mirror", "node=%s some objects are gone, or older than they were",
			 m->node);
		tell_lost(m);
	}
	mirror_table_clear(&m->before);
}

static void on_whole(void *arg)
{
	struct mirror *m = arg;

	const int64_t took_us = clock_mono_us() - m->listing_us;

	latency_add(&m->list_time, took_us);
	log_info("mirror", "node=%s listed objects=%zu ms=%" PRId64, m->node,
		 m->table.entries.len, took_us / 1000);
	m->lists++;
	compare_with_before(m); /* before the sweep: a deletion was told */
	mirror_table_sweep(&m->table);
	m->whole = true;
	m->version++;
	m->epoch++;
	note_hearing(m);
}

/* ---- proof ------------------------------------------------------------------------------- */

static void on_disproof(struct mirror *m, const struct heartbeat *beat)
{
	m->disproofs++;
	m->doubted++;
	log_error("mirror",
		  "node=%s boot=%" PRId64 " seq=%" PRId64 " online=%" PRId64
		  " but the broker says %" PRId64 ", hash=%016" PRIx64
		  " but the broker says %016" PRIx64 ": unknown until it is proven again",
		  m->node, beat->pos.boot, beat->pos.seq, m->table.digest.count,
		  beat->digest.count, m->table.digest.hash, beat->digest.hash);
	note_hearing(m);
	/* A new list cures any mistake but a permanent one, which must not keep the broker
	 * busy: after it lists at the 1st, 2nd, 4th, 8th … heartbeat. */
	if ((m->doubted & (m->doubted - 1)) == 0)
		mirror_list_start(m->list);
}

/* Heartbeat and mirror are at the same position: do they agree? */
static void prove(struct mirror *m, const struct heartbeat *beat)
{
	if (!m->whole || !beat->has_digest)
		return;
	if (!digest_equal(&m->table.digest, &beat->digest)) {
		on_disproof(m, beat);
		return;
	}
	m->proofs++;
	m->proven_us = clock_mono_us();
	m->doubted = 0;
	note_hearing(m);
}

/* ---- stream ------------------------------------------------------------------------------ */

static void hear_event(struct mirror *m, const struct presence *p)
{
	enum follow_step step = follow_event(&m->follow, p->pos);

	if (apply(m, p)) {
		renewal_presence(m->app->renewals, p);
		commands_presence(m->app, p);
	} else {
		step = FOLLOW_GAP;
	}
	if (step == FOLLOW_GAP)
		on_gap(m, "events were missed", p->pos);
}

static void read_event(struct mirror *m, struct json_object *list, size_t i)
{
	struct presence p;
	struct jread r;
	struct err e = {0};

	jread_begin_at(&r, json_object_array_get_idx(list, i), &e, "events", i);
	presence_read(&r, &p);
	if (jread_end(&r) == ERR_OK)
		hear_event(m, &p);
	else /* The next event's number will show the gap. */
		log_warn("mirror", "event that cannot be read: %s", e.msg);
}

static void note_lag(struct mirror *m, int64_t clock_us, int64_t now_us)
{
	if (clock_us > 0)
		latency_add(&m->lag, lag_measure(&m->clock, clock_us, now_us));
}

/* A batch of a form that the scan does not know, but for the events that it took. */
static void read_batch(struct mirror *m, const char *payload, size_t len, size_t taken)
{
	struct err e = {0};
	struct json_object *doc = jread_parse(payload, len, &e), *list;
	struct jread r;

	if (doc != NULL) {
		jread_begin(&r, doc, &e);
		note_lag(m, jread_i64_or(&r, "clock_us", 0, 0, INT64_MAX), clock_mono_us());
		list = jread_array(&r, "events", 0, 10000);
		for (size_t i = taken; list != NULL && i < json_object_array_length(list); i++)
			read_event(m, list, i);
	}
	if (e.code != ERR_OK)
		log_warn("mirror", "batch that cannot be read: %s", e.msg);
	json_object_put(doc);
}

static void on_presence(void *arg, const char *topic, const char *payload, size_t len)
{
	const int64_t now_us = clock_mono_us();
	enum scanned scanned = SCANNED_ODD;
	struct mirror *m = arg;
	struct presence_scan s;
	struct presence p;
	size_t taken = 0;

	(void)topic;
	if (presence_scan_begin(&s, payload, len))
		while ((scanned = presence_scan_next(&s, &p)) == SCANNED_EVENT) {
			hear_event(m, &p);
			taken++;
		}
	if (scanned == SCANNED_END)
		note_lag(m, s.clock_us, now_us);
	else
		read_batch(m, payload, len, taken);
}

static void hear_heartbeat(struct mirror *m, const struct heartbeat *beat)
{
	on_check(m); /* a silence that has just ended was one all the same */
	m->heard_us = clock_mono_us();
	note_lag(m, beat->clock_us, m->heard_us);
	if (follow_heartbeat(&m->follow, beat->pos) == FOLLOW_GAP)
		on_gap(m, "does not fit the events heard", beat->pos);
	else if (m->whole)
		prove(m, beat);
	else if (!mirror_list_running(m->list))
		mirror_list_start(m->list);
}

static void on_heartbeat(void *arg, const char *topic, const char *payload, size_t len)
{
	struct mirror *m = arg;
	struct err e = {0};
	struct heartbeat beat;

	(void)topic;
	if (heartbeat_parse(payload, len, &beat, &e) == ERR_OK)
		hear_heartbeat(m, &beat);
	else
		log_warn("mirror", "heartbeat that cannot be read: %s", e.msg);
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
	lag_reset(&m->clock);
	m->doubted = 0;
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
	return mirror_table_find(&m->table, id);
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

void mirror_set_watcher(struct mirror *m, const struct mirror_watcher *w)
{
	m->watcher = w != NULL ? *w : (struct mirror_watcher){0};
}

uint64_t mirror_version(const struct mirror *m)
{
	/* A silence may be noticed by a reader before the timer notices it. */
	return m->version << 1 | (mirror_hears(m) ? 1 : 0);
}

uint64_t mirror_epoch(const struct mirror *m, bool hears)
{
	return (m->epoch + 1) << 1 | (hears ? 1 : 0);
}

const char *mirror_node(const struct mirror *m)
{
	return m->node;
}

struct presence_pos mirror_position(const struct mirror *m)
{
	return m->follow.last;
}

static int64_t age_us(int64_t since_us)
{
	return since_us > 0 ? clock_mono_us() - since_us : -1;
}

void mirror_figures(const struct mirror *m, struct mirror_figures *out)
{
	*out = (struct mirror_figures){
		.hears = mirror_hears(m),
		.objects = m->table.entries.len,
		.sessions = m->table.sessions,
		.heard_age_us = age_us(m->heard_us),
		.proven_age_us = age_us(m->proven_us),
	};
	memcpy(out->by_state, m->table.by_state, sizeof(out->by_state));
}

void mirror_expose(const struct mirror *m, struct prom *p)
{
	const struct prom_label *node = LABELS({"node", m->node});

	prom_family(p, "rollcall_mirror_up", PROM_GAUGE,
		    "1 while the mirror agrees with the plugin; 0: every status is unknown");
	prom_value(p, node, mirror_hears(m));
	prom_family(p, "rollcall_mirror_objects", PROM_GAUGE,
		    "Connection objects that the mirror knows");
	prom_count(p, node, m->table.entries.len);
	prom_family(p, "rollcall_mirror_heard_age_seconds", PROM_GAUGE,
		    "Time since the last heartbeat or page; NaN: none yet");
	prom_value(p, node, m->heard_us > 0 ? (double)age_us(m->heard_us) / 1e6 : NAN);
	prom_family(p, "rollcall_mirror_proofs_total", PROM_COUNTER,
		    "Heartbeats whose count and hash were compared with the mirror's");
	prom_count(p, LABELS({"node", m->node}, {"result", "match"}), m->proofs);
	prom_count(p, LABELS({"node", m->node}, {"result", "mismatch"}), m->disproofs);
	prom_family(p, "rollcall_mirror_list_duration_seconds", PROM_HISTOGRAM,
		    "Time from asking for all objects to the last page");
	prom_latency(p, node, &m->list_time);
	prom_family(p, "rollcall_mirror_lag_seconds", PROM_HISTOGRAM,
		    "How much later events and heartbeats came than the quickest of the last "
		    "minute: their time in queues, whatever the hosts' clocks say");
	prom_latency(p, node, &m->lag);
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
	const struct mirror_sink sink = {on_begin, on_page, on_object, on_whole, m};

	if (m != NULL) {
		m->app = app;
		mirror_table_init(&m->table);
		mirror_table_init(&m->before);
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
	if (m == NULL)
		return;
	mirror_table_clear(&m->table);
	mirror_table_clear(&m->before);
	timer_free(m->check);
	mirror_list_free(m->list);
	free(m);
}

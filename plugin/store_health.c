// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_health.c - a disk that refuses: noticed, said, told by getStats, tried again. */
#include "plugin/store_internal.h"

#include "plugin/stats.h"
#include "protocol/clock.h"
#include "protocol/log.h"

#include <stdio.h>

#define PROBE_US 1000000
#define SAY_AGAIN_US 60000000 /* while it goes on */
#define SAY_FIRST_US 10000000 /* a state that comes and goes fills no log */

void store_health_journal(struct store *s, const struct err *e)
{
	struct store_health *h = &s->health;

	h->journal_fails = e->code != ERR_OK;
	if (!h->journal_fails)
		return;
	h->why = *e;
	h->unjournaled = s->lsn;
	/* Before anything that follows from these records is told. */
	mark_set(&s->mark, MARK_LACKING);
}

bool store_health_probe(struct store *s, int64_t now_us)
{
	struct store_health *h = &s->health;

	if (!h->journal_fails || now_us - h->probed_us < PROBE_US)
		return false;
	h->probed_us = now_us;
	return true;
}

static void begin(struct store *s, int64_t now_us)
{
	struct store_health *h = &s->health;

	h->degraded = true;
	h->said = false;
	h->since_ms = clock_unix_ms();
	stats_add(STAT_STORAGE_FAILURES, 1);
	if (h->said_us != 0 && now_us - h->said_us < SAY_FIRST_US)
		return;
	h->said = true;
	h->said_us = now_us;
	log_error("store", "%s: %s; the broker goes on, changes wait in memory",
		  err_name(h->why.code), h->why.msg);
}

static void go_on(struct store *s, int64_t now_us)
{
	struct store_health *h = &s->health;

	if (now_us - h->said_us < SAY_AGAIN_US)
		return;
	h->said = true;
	h->said_us = now_us;
	log_error("store", "%s since %lld s: %s; %zu changes wait in memory",
		  err_name(h->why.code), (long long)(clock_unix_ms() - h->since_ms) / 1000,
		  h->why.msg, s->fresh.by_key.len + s->busy.by_key.len);
}

static void end(struct store *s)
{
	struct store_health *h = &s->health;

	if (h->said)
		log_info("store", "the disk takes what changes again, after %lld s",
			 (long long)(clock_unix_ms() - h->since_ms) / 1000);
	h->degraded = false;
	h->since_ms = 0;
	h->why = (struct err){0};
}

void store_health_watch(struct store *s, int64_t now_us)
{
	struct store_health *h = &s->health;
	bool stuck = store_thread_failing(s->thread), lacking = h->unjournaled > s->durable;

	if (stuck)
		store_thread_error(s->thread, &h->why);
	if (stuck || lacking || h->journal_fails) {
		if (h->degraded)
			go_on(s, now_us);
		else
			begin(s, now_us);
	} else if (h->degraded) {
		end(s);
	}
	if (!lacking && s->mark.state == MARK_LACKING)
		mark_set(&s->mark, MARK_RUNNING);
}

bool store_healthy(const struct store *s)
{
	return !s->health.degraded;
}

void store_status(const struct store *s, struct store_status *out)
{
	const struct store_health *h = &s->health;

	*out = (struct store_status){.pending = s->fresh.by_key.len + s->busy.by_key.len,
				     .pending_bytes = s->fresh.bytes + s->busy.bytes,
				     .journal_bytes = s->journal.good_len,
				     .used_bytes = lmdb_used(s->lmdb)};
	if (!h->degraded)
		return;
	out->code = h->why.code;
	out->since_ms = h->since_ms;
	snprintf(out->message, sizeof(out->message), "%s", h->why.msg);
}

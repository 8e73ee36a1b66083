// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store.c - the write-back table before LMDB, and how a turn's records leave it.
 *
 * Two sets: `fresh` takes what is put; `busy` is what the store thread commits just now, which
 * nobody changes until it is done. A get looks in fresh, in busy, then in LMDB, so the order of
 * the three is the order of age.
 */
#include "plugin/store_internal.h"

#include "plugin/stats.h"
#include "protocol/clock.h"

#include <string.h>

/* Memory for what waits for a disk that refuses, and the share of it that each database may
 * fill. What workers say of themselves cannot crowd out who they are, nor either of them what
 * an operator decides. */
#define WAITING_MAX_BYTES (64u * 1024 * 1024)
static const unsigned char share_percent[STORE_DB_COUNT] = {
	[STORE_META] = 100,   [STORE_DIRECTORY] = 100, [STORE_TOKENS] = 100,
	[STORE_OBJECTS] = 80, [STORE_REPORTED] = 50,   [STORE_PROOFS] = 90};

/* What the store thread may take of the time, of the disk and of a processor that workers want:
 * when much changes, commits hold more and come less often, but once a second. */
#define COMMIT_SHARE 8
#define COMMIT_PAUSE_MAX_US 1000000

/* The same while workers log in: a commit also moves the pages of LMDB that logins read, and
 * each is a fault and a miss for the broker anew. */
#define COMMIT_PAUSE_STORM_US 500000

#define TURN_KEPT_BYTES ((size_t)16 * 1024)

bool store_get(struct store *s, enum store_db db, const void *key, size_t len,
	       struct slice *value)
{
	struct pending_key k = pending_key(db, key, len);
	const struct pending *p = pending_find(&s->fresh, &k);

	if (p == NULL)
		p = pending_find(&s->busy, &k);
	if (p == NULL)
		return lmdb_get(s->lmdb, db, key, len, value);
	*value = (struct slice){p->bytes + p->key_len, p->value_len};
	return !p->deleted;
}

static void queue_unwritten(struct store *s, struct pending *p)
{
	p->next_unwritten = NULL;
	p->link = s->unwritten_end;
	*s->unwritten_end = p;
	s->unwritten_end = &p->next_unwritten;
}

static void unqueue_unwritten(struct store *s, struct pending *p)
{
	if (p->link == NULL)
		return;
	*p->link = p->next_unwritten;
	if (p->next_unwritten != NULL)
		p->next_unwritten->link = p->link;
	else
		s->unwritten_end = p->link;
	p->link = NULL;
	p->next_unwritten = NULL;
}

void store_unqueue_all(struct store *s)
{
	while (s->unwritten != NULL)
		unqueue_unwritten(s, s->unwritten);
}

/* Whether what waits may take this much more. A record that takes the place of one that is as
 * large always finds room. */
static bool has_room(const struct store *s, enum store_db db, const struct pending *p,
		     const struct pending *old)
{
	size_t waiting = s->fresh.bytes + s->busy.bytes;
	unsigned percent = p->deleted ? 100 : share_percent[db];

	if (s->recovering)
		return true;
	return waiting + pending_bytes(p) - (old != NULL ? pending_bytes(old) : 0) <=
		       (size_t)WAITING_MAX_BYTES / 100 * percent ||
	       (old != NULL && pending_bytes(p) <= pending_bytes(old));
}

enum err_code store_add(struct store *s, const struct pending_key *k, const void *value,
			size_t value_len, bool deleted, struct err *e)
{
	struct pending *old = pending_find(&s->fresh, k);
	struct pending *p = pending_new(&s->fresh, k, value, value_len, deleted);

	if (p == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	if (!has_room(s, k->db, p, old)) {
		pending_free(&s->fresh, p);
		return err_set(e, ERR_STORE_UNAVAILABLE, NULL);
	}
	if (old != NULL) {
		unqueue_unwritten(s, old);
		pending_remove(&s->fresh, old);
		pending_free(&s->fresh, old);
	}
	/* Cannot fail where there was one: a table does not grow for its place. */
	if (!pending_add(&s->fresh, p)) {
		pending_free(&s->fresh, p);
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	}
	p->lsn = ++s->lsn;
	queue_unwritten(s, p);
	return ERR_OK;
}

enum err_code store_put(struct store *s, enum store_db db, const void *key, size_t len,
			const void *value, size_t value_len, struct err *e)
{
	struct pending_key k = pending_key(db, key, len);

	return store_add(s, &k, value, value_len, false, e);
}

enum err_code store_delete(struct store *s, enum store_db db, const void *key, size_t len,
			   struct err *e)
{
	struct pending_key k = pending_key(db, key, len);

	return store_add(s, &k, NULL, 0, true, e);
}

/* ---- the turn's end ---- */

/* What the journal refuses stays in memory and goes to LMDB all the same: only an end of the
 * process before that can lose it. */
static void write_journal(struct store *s)
{
	struct err e = {0};

	if (s->unwritten == NULL) {
		/* What a storm needed is not kept for ever. */
		if (s->turn.cap > TURN_KEPT_BYTES)
			buf_fini(&s->turn);
		return;
	}
	buf_reset(&s->turn);
	for (const struct pending *p = s->unwritten; p != NULL; p = p->next_unwritten)
		journal_encode(&s->turn,
			       &(struct journal_record){.lsn = p->lsn,
							.db = (uint8_t)p->db,
							.deleted = p->deleted,
							.key = p->bytes,
							.key_len = p->key_len,
							.value = p->bytes + p->key_len,
							.value_len = p->value_len});
	if (s->turn.failed)
		err_set(&e, ERR_OUT_OF_MEMORY, NULL);
	else
		(void)(journal_append(&s->journal, &s->turn, &e) == ERR_OK);
	store_unqueue_all(s);
	store_health_journal(s, &e);
}

static void probe_journal(struct store *s)
{
	struct err e = {0};

	(void)(journal_probe(&s->journal, &e) == ERR_OK);
	store_health_journal(s, &e);
}

void store_collect(struct store *s)
{
	int64_t took_us;

	if (!s->thread_busy || !store_thread_done(s->thread, &took_us))
		return;
	s->thread_busy = false;
	s->durable = s->busy_lsn;
	s->commit_us = took_us;
	pending_clear(&s->busy);
	lmdb_end_read(s->lmdb); /* it may be older than the commit; busy hid that until now */
	stats_add(STAT_STORAGE_COMMITS, 1);
	stats_observe_us(STAT_COMMIT_DURATION, took_us);
}

static void hand_over(struct store *s)
{
	struct pending_set swap = s->busy;

	s->busy = s->fresh;
	s->fresh = swap;
	s->busy_lsn = s->lsn;
	s->thread_busy = true;
	s->last_handover_us = clock_mono_us();
	store_thread_commit(s->thread, &s->busy, s->busy_lsn, journal_swap(&s->journal),
			    s->health.unjournaled <= s->durable);
}

static bool commit_is_due(const struct store *s, enum store_pace pace, int64_t now_us)
{
	int64_t pause_us = s->commit_us * COMMIT_SHARE;

	if (pause_us > COMMIT_PAUSE_MAX_US)
		pause_us = COMMIT_PAUSE_MAX_US;
	if (pause_us < s->flush_interval_us)
		pause_us = s->flush_interval_us;
	if (pace == STORE_STORM && pause_us < COMMIT_PAUSE_STORM_US)
		pause_us = COMMIT_PAUSE_STORM_US;
	return pace == STORE_URGENT || now_us - s->last_handover_us >= pause_us;
}

void store_flush(struct store *s, enum store_pace pace)
{
	int64_t now_us = clock_mono_us();

	lmdb_end_read(s->lmdb);
	write_journal(s);
	if (store_health_probe(s, now_us))
		probe_journal(s);
	store_health_watch(s, now_us);
	if (!s->thread_busy && s->fresh.by_key.len > 0 && commit_is_due(s, pace, now_us))
		hand_over(s);
}

enum err_code store_sync(struct store *s, struct err *e)
{
	uint64_t target = s->lsn;

	while (s->durable < target) {
		/* One that refuses is tried once more, one that is slow gets its time. */
		if (s->thread_busy &&
		    !store_thread_wait(s->thread, store_stuck(s) ? 1500 : 5000)) {
			store_thread_error(s->thread, e);
			return e->code;
		}
		store_collect(s);
		write_journal(s);
		if (!s->thread_busy && s->fresh.by_key.len > 0)
			hand_over(s);
	}
	return ERR_OK;
}

uint64_t store_lsn(const struct store *s)
{
	return s->lsn;
}

uint64_t store_durable(const struct store *s)
{
	return s->durable;
}

bool store_stuck(const struct store *s)
{
	return store_thread_failing(s->thread);
}

bool store_may_lack(const struct store *s)
{
	return s->may_lack;
}

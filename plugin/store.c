// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store.c - the write-back table before LMDB, and how a turn's records leave it.
 *
 * Two tables: `fresh` takes what is put; `busy` is what the store thread commits just now,
 * which nobody changes until it is done. A get looks in fresh, in busy, then in LMDB, so the
 * order of the three is the order of age.
 */
#include "plugin/store_internal.h"

#include "plugin/codec.h"
#include "protocol/clock.h"
#include "protocol/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Above this much waiting for a disk that refuses, changes are refused too. */
#define WAITING_MAX_BYTES (64u * 1024 * 1024)
#define JOURNAL_TURN_MAX (80u * 1024 * 1024)

static struct pending_key key_of(enum store_db db, const void *key, size_t len)
{
	return (struct pending_key){db, key, len,
				    htab_hash_bytes(key, len) + db * 0x9E3779B97F4A7C15u};
}

static uint64_t hash_pending(const void *item)
{
	return ((const struct pending *)item)->hash;
}

static bool match_pending(const void *item, const void *key)
{
	const struct pending *p = item;
	const struct pending_key *k = key;

	return p->hash == k->hash && p->db == k->db && p->key_len == k->len &&
	       memcmp(p->bytes, k->key, k->len) == 0;
}

struct pending *store_find_in(const struct htab *t, const struct pending_key *k)
{
	return htab_find(t, k->hash, match_pending, k);
}

static void free_table(struct htab *t)
{
	struct pending *p;

	for (size_t pos = 0; (p = htab_next(t, &pos)) != NULL;)
		free(p);
	htab_fini(t);
}

bool store_get(struct store *s, enum store_db db, const void *key, size_t len,
	       struct slice *value)
{
	struct pending_key k = key_of(db, key, len);
	const struct pending *p = store_find_in(&s->fresh, &k);

	if (p == NULL)
		p = store_find_in(&s->busy, &k);
	if (p == NULL)
		return lmdb_get(s->lmdb, db, key, len, value);
	*value = (struct slice){p->bytes + p->key_len, p->value_len};
	return !p->deleted;
}

static void queue_unwritten(struct store *s, struct pending *p)
{
	p->link = s->unwritten_end;
	*p->link = p;
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

static void unqueue_all(struct store *s)
{
	while (s->unwritten != NULL)
		unqueue_unwritten(s, s->unwritten);
}

static enum err_code put(struct store *s, enum store_db db, const void *key, size_t len,
			 const void *value, size_t value_len, bool deleted, struct err *e)
{
	struct pending_key k = key_of(db, key, len);
	struct pending *old = store_find_in(&s->fresh, &k), *p;

	if (s->waiting_bytes + len + value_len > WAITING_MAX_BYTES)
		return err_set(e, ERR_STORE_UNAVAILABLE, NULL);
	p = malloc(sizeof(*p) + len + value_len);
	if (p == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	*p = (struct pending){.lsn = s->lsn + 1,
			      .hash = k.hash,
			      .db = db,
			      .deleted = deleted,
			      .key_len = len,
			      .value_len = value_len};
	memcpy(p->bytes, key, len);
	if (value_len > 0)
		memcpy(p->bytes + len, value, value_len);
	if (!htab_add(&s->fresh, p)) {
		free(p);
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	}
	s->fresh_of[db]++;
	if (old != NULL) {
		htab_remove(&s->fresh, old);
		s->fresh_of[db]--;
		unqueue_unwritten(s, old);
		s->waiting_bytes -= old->key_len + old->value_len;
		free(old);
	}
	queue_unwritten(s, p);
	s->waiting_bytes += len + value_len;
	s->lsn++;
	return ERR_OK;
}

enum err_code store_put(struct store *s, enum store_db db, const void *key, size_t len,
			const void *value, size_t value_len, struct err *e)
{
	return put(s, db, key, len, value, value_len, false, e);
}

enum err_code store_delete(struct store *s, enum store_db db, const void *key, size_t len,
			   struct err *e)
{
	return put(s, db, key, len, NULL, 0, true, e);
}

/* ---- the turn's end ---- */

static void write_journal(struct store *s)
{
	struct err e = {0};

	if (s->unwritten == NULL)
		return;
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
	if (e.code != ERR_OK) {
		/* They stay in memory and go to LMDB all the same: only a crash in the next
		 * milliseconds could lose them. Said once, not every turn. */
		if (!s->journal_failing)
			log_error("store", "%s", e.msg);
		s->journal_failing = true;
		return;
	}
	s->journal_failing = false;
	unqueue_all(s);
}

void store_collect(struct store *s)
{
	if (!s->thread_busy || !store_thread_done(s->thread))
		return;
	s->thread_busy = false;
	s->durable = s->busy_lsn;
	lmdb_end_read(s->lmdb); /* it may be older than the commit; busy hid that until now */
	if (s->unwritten == NULL)
		s->journal_failing = false; /* what it had refused is in LMDB now */
	for (size_t pos = 0, n = 0; n < s->busy.len; n++) {
		const struct pending *p = htab_next(&s->busy, &pos);

		s->waiting_bytes -= p->key_len + p->value_len;
	}
	free_table(&s->busy);
	memset(s->busy_of, 0, sizeof(s->busy_of));
}

static void hand_over(struct store *s)
{
	struct htab swap = s->busy;

	s->busy = s->fresh;
	s->fresh = swap;
	memcpy(s->busy_of, s->fresh_of, sizeof(s->busy_of));
	memset(s->fresh_of, 0, sizeof(s->fresh_of));
	unqueue_all(s); /* what the journal refused goes to LMDB without it */
	s->busy_lsn = s->lsn;
	s->thread_busy = true;
	s->last_handover_us = clock_mono_us();
	store_thread_commit(s->thread, &s->busy, s->busy_lsn, journal_swap(&s->journal));
}

/* Says once when the disk begins to refuse, and once when it takes again. */
static void watch_thread(struct store *s)
{
	bool failing = store_thread_failing(s->thread);
	struct err e;

	if (failing && !s->said_failing) {
		store_thread_error(s->thread, &e);
		log_error("store", "%s; the broker goes on, changes wait in memory", e.msg);
	} else if (!failing && s->said_failing) {
		log_info("store", "writes again");
	}
	s->said_failing = failing;
}

void store_flush(struct store *s, bool urgent)
{
	lmdb_end_read(s->lmdb);
	write_journal(s);
	watch_thread(s);
	if (!s->thread_busy && s->fresh.len > 0 &&
	    (urgent || clock_mono_us() - s->last_handover_us >= s->flush_interval_us))
		hand_over(s);
}

enum err_code store_sync(struct store *s, struct err *e)
{
	uint64_t target = s->lsn;

	while (s->durable < target) {
		if (s->thread_busy && !store_thread_wait(s->thread, 5000)) {
			store_thread_error(s->thread, e);
			return e->code;
		}
		store_collect(s);
		write_journal(s);
		if (!s->thread_busy && s->fresh.len > 0)
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

bool store_healthy(const struct store *s)
{
	return !s->journal_failing && !store_thread_failing(s->thread);
}

void store_status(const struct store *s, struct store_status *out)
{
	*out = (struct store_status){.pending = s->fresh.len + s->busy.len,
				     .pending_bytes = s->waiting_bytes,
				     .journal_bytes = s->journal.good_len,
				     .used_bytes = lmdb_used(s->lmdb)};
	if (!store_healthy(s)) {
		out->code = ERR_STORE_UNAVAILABLE;
		snprintf(out->message, sizeof(out->message), "storage refuses writes");
	}
}

/* ---- open and close ---- */

static enum err_code lock_dir(struct store *s, const char *path, struct err *e)
{
	char file[4096];

	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return err_set(e, ERR_STORE_UNAVAILABLE, "storage_path %s: %s", path,
			       strerror(errno));
	if (snprintf(file, sizeof(file), "%s/broker.lock", path) >= (int)sizeof(file))
		return err_set(e, ERR_STORE_UNAVAILABLE, "storage_path: too long");
	s->lock_fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0)
		return err_set(e, ERR_STORE_UNAVAILABLE, "%s: %s", file, strerror(errno));
	/* Two brokers on one directory would give out the same generations. */
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return err_set(e, ERR_STORE_UNAVAILABLE,
			       "storage_path %s is in use by another broker", path);
	return ERR_OK;
}

static enum err_code replay_one(void *arg, const struct journal_record *r, struct err *e)
{
	struct store *s = arg;
	struct pending_key k;
	const struct pending *old;
	uint64_t last;

	if (r->lsn <= s->durable || r->db >= STORE_DB_COUNT || r->key_len > STORE_KEY_MAX)
		return ERR_OK;
	/* What could not be cut off earlier may stand before newer records of the same file. */
	k = key_of((enum store_db)r->db, r->key, r->key_len);
	old = store_find_in(&s->fresh, &k);
	if (old != NULL && old->lsn > r->lsn)
		return ERR_OK;
	last = s->lsn;
	s->lsn = r->lsn - 1;
	if (put(s, (enum store_db)r->db, r->key, r->key_len, r->value, r->value_len, r->deleted,
		e) != ERR_OK)
		return e->code;
	if (last > s->lsn)
		s->lsn = last;
	return ERR_OK;
}

static enum err_code recover(struct store *s, struct err *e)
{
	s->lsn = s->durable = lmdb_lsn(s->lmdb);
	if (journal_replay(&s->journal, replay_one, s, e) != ERR_OK)
		return e->code;
	if (s->fresh.len > 0)
		log_info("store", "%zu records recovered from the journal", s->fresh.len);
	/* Straight into LMDB; both files are emptied only after that. */
	if (lmdb_commit(s->lmdb, &s->fresh, s->lsn, e) != ERR_OK)
		return e->code;
	lmdb_end_read(s->lmdb);
	s->durable = s->lsn;
	s->waiting_bytes = 0;
	unqueue_all(s);
	free_table(&s->fresh);
	memset(s->fresh_of, 0, sizeof(s->fresh_of));
	journal_clear(&s->journal, 0);
	journal_clear(&s->journal, 1);
	return ERR_OK;
}

struct store *store_open(const char *path, int64_t max_mib, int64_t flush_interval_ms,
			 void (*wake)(void), struct err *e)
{
	struct store *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	s->lock_fd = s->journal.fd[0] = s->journal.fd[1] = -1;
	s->flush_interval_us = flush_interval_ms * 1000;
	s->unwritten_end = &s->unwritten;
	htab_init(&s->fresh, hash_pending);
	htab_init(&s->busy, hash_pending);
	buf_init(&s->turn, JOURNAL_TURN_MAX);
	if (lock_dir(s, path, e) != ERR_OK ||
	    (s->lmdb = lmdb_open(path, (size_t)max_mib << 20, e)) == NULL ||
	    journal_open(&s->journal, path, e) != ERR_OK || recover(s, e) != ERR_OK ||
	    (s->thread = store_thread_new(s->lmdb, &s->journal, wake, e)) == NULL) {
		store_close(s);
		return NULL;
	}
	return s;
}

void store_close(struct store *s)
{
	struct err e;

	if (s == NULL)
		return;
	if (s->thread != NULL && store_sync(s, &e) != ERR_OK)
		log_error("store", "not all could be stored: %s", e.msg);
	store_thread_free(s->thread);
	free_table(&s->fresh);
	free_table(&s->busy);
	journal_close(&s->journal);
	lmdb_close(s->lmdb);
	buf_fini(&s->turn);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	free(s);
}

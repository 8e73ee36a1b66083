// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_open.c - start and stop of the store: lock, recovery from the journal, last commit. */
#include "plugin/store_internal.h"

#include "protocol/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOURNAL_TURN_MAX (80u * 1024 * 1024)

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
	k = pending_key((enum store_db)r->db, r->key, r->key_len);
	old = pending_find(&s->fresh, &k);
	if (old != NULL && old->lsn > r->lsn)
		return ERR_OK;
	last = s->lsn;
	s->lsn = r->lsn - 1;
	if (store_add(s, &k, r->value, r->value_len, r->deleted, e) != ERR_OK)
		return e->code;
	if (last > s->lsn)
		s->lsn = last;
	return ERR_OK;
}

/* In one transaction, which waits for the disk once: nobody can connect before that. One that
 * LMDB has no room for may have it in parts. */
static enum err_code commit_recovered(struct store *s, struct err *e)
{
	bool synced;

	if (lmdb_commit(s->lmdb, &s->fresh, s->lsn, false, e) != ERR_STORAGE_FULL)
		return e->code;
	*e = (struct err){0};
	synced = journal_sync(&s->journal, 0) && journal_sync(&s->journal, 1);
	return lmdb_commit(s->lmdb, &s->fresh, s->lsn, synced, e);
}

static enum err_code recover(struct store *s, size_t *records, struct err *e)
{
	bool damaged = false;

	s->lsn = s->durable = lmdb_lsn(s->lmdb);
	lmdb_end_read(s->lmdb);
	s->recovering = true;
	if (journal_replay(&s->journal, replay_one, s, &damaged, e) != ERR_OK)
		return e->code;
	s->recovering = false;
	s->may_lack |= damaged;
	*records = s->fresh.by_key.len;
	if (*records > 0)
		log_info("store", "%zu records recovered from the journal", *records);
	/* Straight into LMDB; both files are emptied only after that. */
	if (commit_recovered(s, e) != ERR_OK)
		return e->code;
	s->durable = s->lsn;
	store_unqueue_all(s);
	pending_fini(&s->fresh);
	journal_clear(&s->journal, 0);
	journal_clear(&s->journal, 1);
	return ERR_OK;
}

/* Opens LMDB, with what the journal holds in it. */
static enum err_code open_recovered(struct store *s, const char *path, size_t map_bytes,
				    struct err *e)
{
	size_t recovered = 0;

	s->lmdb = lmdb_open(path, map_bytes, e);
	if (s->lmdb == NULL || recover(s, &recovered, e) != ERR_OK)
		return e->code;
	if (recovered <= LMDB_PART_RECORDS)
		return ERR_OK;
	/* It would keep the memory of all the pages that this changed. */
	lmdb_close(s->lmdb);
	s->lmdb = lmdb_open(path, map_bytes, e);
	return e->code;
}

struct store *store_open(const char *path, int64_t max_mib, int64_t flush_interval_ms,
			 void (*wake)(void), struct err *e)
{
	struct store *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	s->lock_fd = s->mark.fd = s->journal.fd[0] = s->journal.fd[1] = -1;
	s->flush_interval_us = flush_interval_ms * 1000;
	s->unwritten_end = &s->unwritten;
	pending_init(&s->fresh);
	pending_init(&s->busy);
	buf_init(&s->turn, JOURNAL_TURN_MAX);
	if (lock_dir(s, path, e) != ERR_OK ||
	    mark_open(&s->mark, path, &s->may_lack, e) != ERR_OK ||
	    journal_open(&s->journal, path, e) != ERR_OK ||
	    open_recovered(s, path, (size_t)max_mib << 20, e) != ERR_OK ||
	    (s->thread = store_thread_new(s->lmdb, &s->journal, path, wake, e)) == NULL) {
		store_close(s);
		return NULL;
	}
	return s;
}

enum err_code store_begin(struct store *s, struct err *e)
{
	if (mark_set_durably(&s->mark, MARK_RUNNING, e) == ERR_OK)
		s->begun = true;
	return e->code;
}

void store_close(struct store *s)
{
	struct err e = {0};

	if (s == NULL)
		return;
	if (s->thread != NULL &&
	    (store_sync(s, &e) != ERR_OK ||
	     (s->begun && mark_set_durably(&s->mark, MARK_STOPPED, &e) != ERR_OK)))
		log_error("store", "not all could be stored: %s", e.msg);
	store_thread_free(s->thread);
	pending_fini(&s->fresh);
	pending_fini(&s->busy);
	journal_close(&s->journal);
	lmdb_close(s->lmdb);
	mark_close(&s->mark);
	buf_fini(&s->turn);
	if (s->lock_fd >= 0) {
		/* Said, for the thread's own files are closed a moment after its end. */
		flock(s->lock_fd, LOCK_UN);
		close(s->lock_fd);
	}
	free(s);
}

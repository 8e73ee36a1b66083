// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_internal.h - what the files of the store share: store.c (a turn's work), store_open.c
 * (start and stop), store_page.c, store_health.c (a disk that refuses). */
#pragma once

#include "plugin/journal.h"
#include "plugin/mark.h"
#include "plugin/pending.h"
#include "plugin/store_lmdb.h"
#include "plugin/store_thread.h"

/* A disk that refuses: since when, why, and what was said of it. */
struct store_health {
	bool degraded;
	struct err why;
	int64_t since_ms;   /* Unix time */
	int64_t said_us;    /* when the log last spoke of one */
	bool said;          /* the log has spoken of this one */
	int64_t probed_us;  /* when the journal was last tried */
	bool journal_fails; /* its last write failed */
	/* Up to here records may be missing in the journal: until LMDB has them, memory alone
	 * does. */
	uint64_t unjournaled;
};

struct store {
	struct lmdb *lmdb;
	struct journal journal;
	struct mark mark;
	struct store_thread *thread;
	int lock_fd;
	struct pending_set fresh;                   /* takes what is put */
	struct pending_set busy;                    /* is being committed: nobody changes it */
	struct pending *unwritten, **unwritten_end; /* of fresh: not in the journal yet */
	uint64_t lsn, durable, busy_lsn;
	int64_t flush_interval_us, last_handover_us;
	int64_t commit_us; /* how long the last one took */
	bool thread_busy;
	bool recovering; /* what the journal holds is taken whatever there is of it */
	bool may_lack;   /* the earlier life may have lost what it acted on */
	bool begun;      /* store_begin(): that has been taken note of */
	struct store_health health;
	struct buf turn; /* the turn's records, encoded for the journal */
};

/* Adds a record with number s->lsn + 1; what waits under its key is replaced. */
enum err_code store_add(struct store *s, const struct pending_key *k, const void *value,
			size_t value_len, bool deleted, struct err *e) MUST_CHECK;

/* Takes all records out of the list of those that the journal lacks. */
void store_unqueue_all(struct store *s);

/* ---- store_health.c ---- */

/* The turn's records are in the journal, or e says why they are not. */
void store_health_journal(struct store *s, const struct err *e);

/* True when the journal refused, nothing was put since, and it is time to try again. */
bool store_health_probe(struct store *s, int64_t now_us);

/* Once per turn: begins and ends the degraded state, and says so. */
void store_health_watch(struct store *s, int64_t now_us);

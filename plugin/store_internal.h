// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_internal.h - what store.c and store_page.c share. */
#pragma once

#include "plugin/journal.h"
#include "plugin/store_lmdb.h"
#include "plugin/store_thread.h"

struct store {
	struct lmdb *lmdb;
	struct journal journal;
	struct store_thread *thread;
	int lock_fd;
	struct htab fresh, busy;                                  /* struct pending */
	size_t fresh_of[STORE_DB_COUNT], busy_of[STORE_DB_COUNT]; /* how many, by database */
	struct pending *unwritten, **unwritten_end; /* of fresh: not in the journal yet */
	uint64_t lsn, durable, busy_lsn;
	size_t waiting_bytes;
	int64_t flush_interval_us, last_handover_us;
	bool thread_busy, journal_failing, said_failing;
	struct buf turn; /* the turn's records, encoded for the journal */
};

struct pending_key {
	enum store_db db;
	const void *key;
	size_t len;
	uint64_t hash; /* of database and key */
};

/* The record that waits in this table, NULL if none does. */
struct pending *store_find_in(const struct htab *t, const struct pending_key *k);

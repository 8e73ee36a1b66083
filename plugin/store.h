// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store.h - what must survive: small records by key, in LMDB, without ever waiting for a disk.
 *
 * A put goes into a write-back table and is visible to every get at once. store_flush(), at the
 * end of the broker's turn, writes the turn's records to the journal (they survive kill -9 from
 * then on) and, when the store thread is free, hands it all that is new. The thread commits
 * with a full sync; then the records are durable and leave the table. See docs/adr/0003 and
 * docs/durability.md.
 *
 * Owns:   LMDB, the journal, the thread. Thread: the broker's, but for the thread itself.
 * Fails:  store_put() and store_delete(): ERR_OUT_OF_MEMORY, and ERR_STORE_UNAVAILABLE when the
 *         disk has refused so long that too much waits.
 */
#pragma once

#include "protocol/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_KEY_MAX 128

enum store_db {
	STORE_META,      /* "boot", "epoch", … */
	STORE_DIRECTORY, /* worker id: may it connect, with which tokens */
	STORE_TOKENS, /* token hash: worker id; tells another worker's token from a wrong one */
	STORE_OBJECTS,  /* worker id: the connection object */
	STORE_REPORTED, /* worker id: the state it last reported */
	STORE_PROOFS,   /* worker id: the pending token that it has shown to hold */
	STORE_DB_COUNT,
};

struct store;

/* Borrowed bytes: valid until the next call of the store. */
struct slice {
	const void *data;
	size_t len;
};

/* Opens or creates the directory `path`, which no other process may have open, replays what an
 * earlier life left in the journal, and commits it. Blocks. `wake` is called on the store
 * thread after every commit, so that the broker's loop takes another turn. */
struct store *store_open(const char *path, int64_t max_mib, int64_t flush_interval_ms,
			 void (*wake)(void), struct err *e) MUST_CHECK;

/* Commits everything that waits (blocks), stops the thread, closes. NULL is fine. */
void store_close(struct store *s);

bool store_get(struct store *s, enum store_db db, const void *key, size_t len,
	       struct slice *value);
enum err_code store_put(struct store *s, enum store_db db, const void *key, size_t len,
			const void *value, size_t value_len, struct err *e) MUST_CHECK;
enum err_code store_delete(struct store *s, enum store_db db, const void *key, size_t len,
			   struct err *e) MUST_CHECK;

/* Visits records with key > after (NULL: from the start) in order of key, at most `limit`; fn
 * must copy what it wants and must not call the store. Returns true if there may be more, and
 * copies the key to go on after into next (NUL-terminated; keys that are text only). */
typedef void (*store_visit_f)(void *arg, const char *key, size_t key_len, struct slice value);
bool store_page(struct store *s, enum store_db db, const char *after, size_t limit,
		store_visit_f fn, void *arg, char next[STORE_KEY_MAX + 1]);

/* Once per turn of the broker's loop, first: takes note of what has become durable. */
void store_collect(struct store *s);

/* How soon a commit should begin. */
enum store_pace {
	STORE_CALM,   /* when it is due */
	STORE_STORM,  /* workers log in: it would take from the broker what they need */
	STORE_URGENT, /* somebody waits for it */
};

/* Once per turn of the broker's loop, after all puts. Commits begin flush_interval_ms apart, or
 * at once when somebody waits for one. */
void store_flush(struct store *s, enum store_pace pace);

/* Number of the last record put, and of the last one that is durable. What was put up to
 * store_lsn() is durable once store_durable() has reached it. */
uint64_t store_lsn(const struct store *s);
uint64_t store_durable(const struct store *s);

/* Blocks until all that was put is durable. For start and stop only, never in a callback. */
enum err_code store_sync(struct store *s, struct err *e) MUST_CHECK;

/* True if the earlier life may have lost records that it acted on: it was killed while the disk
 * refused them, the machine went down under it, or the journal was damaged. */
bool store_may_lack(const struct store *s);

/* The caller has drawn its conclusions from that, and they are durable: what is lost from here
 * on is a matter of this life. Blocks. */
enum err_code store_begin(struct store *s, struct err *e) MUST_CHECK;

/* LMDB refuses: nothing that is put can become durable just now. */
bool store_stuck(const struct store *s);

/* False while the disk refuses writes; the broker goes on, changes wait in memory. */
bool store_healthy(const struct store *s);

struct store_status {
	enum err_code code; /* ERR_OK, or why the disk refuses */
	char message[200];
	int64_t since_ms;              /* it began to refuse; 0: it does not */
	size_t pending, pending_bytes; /* records that are not durable yet */
	int64_t journal_bytes;
	int64_t used_bytes; /* of LMDB */
};

void store_status(const struct store *s, struct store_status *out);

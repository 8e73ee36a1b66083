// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_thread.h - the one helper thread: commits what it is handed, and may wait for the disk.
 *
 * It never calls the broker. One batch at a time: between store_thread_commit() and the moment
 * store_thread_done() says true, the batch is the thread's to read and nobody's to change.
 * A commit that fails is tried again every second until it succeeds or the store closes.
 */
#pragma once

#include "plugin/journal.h"
#include "plugin/store_lmdb.h"

struct store_thread;

/* `dir` holds the files of both. They are open: the thread opens none. */
struct store_thread *store_thread_new(struct lmdb *lmdb, struct journal *journal,
				      const char *dir, void (*wake)(void),
				      struct err *e) MUST_CHECK;
void store_thread_free(struct store_thread *t); /* NULL is fine; stops and joins */

/* Thread: the broker's, all of the following. */
/* journaled: the sealed journal has all the records, which lets many be committed in parts. */
void store_thread_commit(struct store_thread *t, const struct pending_set *records,
			 uint64_t lsn, int sealed_journal, bool journaled);
/* True once per batch; *took_us is then how long its commit took. */
bool store_thread_done(struct store_thread *t, int64_t *took_us);
bool store_thread_wait(struct store_thread *t, int64_t ms); /* until done; false: time is up */
bool store_thread_failing(struct store_thread *t);
void store_thread_error(struct store_thread *t, struct err *e); /* the last failure */

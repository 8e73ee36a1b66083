// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/store_thread.h"

#include "plugin/own_files.h"
#include "protocol/clock.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RETRY_MS 1000
#define IDLE_MS 1000

enum batch { BATCH_NONE, BATCH_HANDED, BATCH_DONE };

struct store_thread {
	struct lmdb *lmdb;
	struct journal *journal;
	char *dir; /* where their files are; NULL if unknown */
	void (*wake)(void);
	pthread_t id;
	pthread_mutex_t lock; /* guards all below; never held during a commit */
	pthread_cond_t changed;
	enum batch batch;
	bool stop, failing;
	const struct pending_set *records;
	uint64_t lsn;
	int sealed;
	bool journaled; /* `sealed` has all the records */
	int64_t took_us;
	struct err error;
};

static void deadline_in(int64_t ms, struct timespec *at)
{
	clock_gettime(CLOCK_MONOTONIC, at);
	at->tv_sec += ms / 1000;
	at->tv_nsec += ms % 1000 * 1000000;
	if (at->tv_nsec >= 1000000000) {
		at->tv_sec++;
		at->tv_nsec -= 1000000000;
	}
}

/* Commits the batch. Called and returns with the lock held. */
static void commit_batch(struct store_thread *t)
{
	int64_t from_us = clock_mono_us();
	struct err e = {0};
	struct timespec at;

	pthread_mutex_unlock(&t->lock);
	if (t->records->by_key.len > LMDB_PART_RECORDS && t->journaled)
		t->journaled = journal_sync(t->journal, t->sealed);
	(void)(lmdb_commit(t->lmdb, t->records, t->lsn, t->journaled, &e) == ERR_OK);
	if (e.code == ERR_OK)
		journal_clear(t->journal, t->sealed);
	pthread_mutex_lock(&t->lock);
	t->failing = e.code != ERR_OK;
	if (!t->failing) {
		t->batch = BATCH_DONE;
		t->took_us = clock_mono_us() - from_us;
		pthread_cond_broadcast(&t->changed);
		t->wake();
		return;
	}
	t->error = e;
	deadline_in(RETRY_MS, &at);
	while (!t->stop && pthread_cond_timedwait(&t->changed, &t->lock, &at) == 0)
		;
}

/* Waits for work. After a while without any, what was read of the file leaves the process's
 * memory: what a thousand workers needed to log in is not needed while they are connected. */
static bool rest_if_idle(struct store_thread *t)
{
	struct timespec at;

	deadline_in(IDLE_MS, &at);
	if (pthread_cond_timedwait(&t->changed, &t->lock, &at) != ETIMEDOUT ||
	    t->batch == BATCH_HANDED)
		return false;
	pthread_mutex_unlock(&t->lock);
	lmdb_rest(t->lmdb);
	pthread_mutex_lock(&t->lock);
	return true;
}

static void *thread_main(void *arg)
{
	struct store_thread *t = arg;
	bool rested = false;

	if (t->dir != NULL)
		own_files(t->dir);
	pthread_mutex_lock(&t->lock);
	while (!t->stop) {
		if (t->batch == BATCH_HANDED) {
			commit_batch(t);
			rested = false;
		} else if (rested) {
			pthread_cond_wait(&t->changed, &t->lock);
		} else {
			rested = rest_if_idle(t);
		}
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

/* Signals are the broker's: none may land here. */
static int start_without_signals(struct store_thread *t)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&t->id, NULL, thread_main, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

struct store_thread *store_thread_new(struct lmdb *lmdb, struct journal *journal,
				      const char *dir, void (*wake)(void), struct err *e)
{
	struct store_thread *t = calloc(1, sizeof(*t));
	pthread_condattr_t attr;
	int rc;

	if (t == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	*t = (struct store_thread){
		.lmdb = lmdb, .journal = journal, .dir = realpath(dir, NULL), .wake = wake};
	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&t->changed, &attr);
	pthread_condattr_destroy(&attr);
	rc = start_without_signals(t);
	if (rc != 0) {
		err_set(e, ERR_STORE_UNAVAILABLE, "storage thread: %s", strerror(rc));
		pthread_cond_destroy(&t->changed);
		pthread_mutex_destroy(&t->lock);
		free(t->dir);
		free(t);
		return NULL;
	}
	return t;
}

void store_thread_free(struct store_thread *t)
{
	if (t == NULL)
		return;
	pthread_mutex_lock(&t->lock);
	t->stop = true;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
	pthread_join(t->id, NULL);
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
	free(t->dir);
	free(t);
}

void store_thread_commit(struct store_thread *t, const struct pending_set *records,
			 uint64_t lsn, int sealed_journal, bool journaled)
{
	pthread_mutex_lock(&t->lock);
	t->records = records;
	t->lsn = lsn;
	t->sealed = sealed_journal;
	t->journaled = journaled;
	t->batch = BATCH_HANDED;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

bool store_thread_done(struct store_thread *t, int64_t *took_us)
{
	bool done;

	pthread_mutex_lock(&t->lock);
	done = t->batch == BATCH_DONE;
	*took_us = t->took_us;
	if (done)
		t->batch = BATCH_NONE;
	pthread_mutex_unlock(&t->lock);
	return done;
}

bool store_thread_wait(struct store_thread *t, int64_t ms)
{
	struct timespec at;
	bool done;

	deadline_in(ms, &at);
	pthread_mutex_lock(&t->lock);
	while (t->batch != BATCH_DONE &&
	       pthread_cond_timedwait(&t->changed, &t->lock, &at) == 0)
		;
	done = t->batch == BATCH_DONE;
	pthread_mutex_unlock(&t->lock);
	return done;
}

bool store_thread_failing(struct store_thread *t)
{
	bool failing;

	pthread_mutex_lock(&t->lock);
	failing = t->failing;
	pthread_mutex_unlock(&t->lock);
	return failing;
}

void store_thread_error(struct store_thread *t, struct err *e)
{
	pthread_mutex_lock(&t->lock);
	*e = t->error;
	pthread_mutex_unlock(&t->lock);
	if (e->code == ERR_OK)
		err_set(e, ERR_STORE_UNAVAILABLE, "storage does not answer");
}

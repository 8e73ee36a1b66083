// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/metrics/metric_queue.h"

#include "protocol/clock.h"
#include "protocol/htab.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <time.h>

#define QUEUE_REPORTS 200000
#define QUEUE_BYTES ((size_t)128 * 1024 * 1024)
/* Lingering: for at most so long, until so many wait, and not when none came for so long (the
 * plugin's batches come every 2 ms). */
#define LINGER_US 200000
#define ENOUGH 4000
#define GAP_US 5000
#define IDLE_US 20000
/* Workers share this many shares of the queue by the hash of their id, so that a flood of one
 * leaves room for (nearly) all others without a count for each worker. */
#define SHARES 1024
#define SHARE_REPORTS (QUEUE_REPORTS / 10)

struct metric_queue {
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake;
	struct metric_report *first, **last;
	size_t waiting;        /* reports to be taken */
	size_t reports, bytes; /* these and those under way */
	unsigned shares[SHARES];
	int64_t next_ref;
	bool closed;
};

struct metric_queue *metric_queue_new(struct err *e)
{
	struct metric_queue *q = calloc(1, sizeof(*q));
	uint64_t random;
	pthread_condattr_t attr;

	if (q == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	/* No other process has the same, so that their reports are never taken for ours. */
	randombytes_buf(&random, sizeof(random));
	q->next_ref = -1 - (int64_t)(random >> 2);
	q->last = &q->first;
	pthread_mutex_init(&q->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&q->wake, &attr);
	pthread_condattr_destroy(&attr);
	return q;
}

void metric_queue_free(struct metric_queue *q)
{
	if (q == NULL)
		return;
	metric_report_free_list(q->first);
	pthread_cond_destroy(&q->wake);
	pthread_mutex_destroy(&q->lock);
	free(q);
}

static size_t size_of(const struct metric_report *report)
{
	return sizeof(*report) + report->extra_len;
}

static unsigned *share_of(struct metric_queue *q, const struct metric_report *report)
{
	return &q->shares[htab_hash_str(report->worker.text) % SHARES];
}

static bool put_one(struct metric_queue *q, struct metric_report *report)
{
	size_t size = size_of(report);
	unsigned *share = share_of(q, report);

	if (q->closed || q->reports >= QUEUE_REPORTS || q->bytes + size > QUEUE_BYTES ||
	    *share >= SHARE_REPORTS)
		return false;
	report->ref = report->seq >= 0 ? report->seq : q->next_ref--;
	report->next = NULL;
	*q->last = report;
	q->last = &report->next;
	q->waiting++;
	q->reports++;
	q->bytes += size;
	++*share;
	return true;
}

struct metric_report *metric_queue_put(struct metric_queue *q, struct metric_report *list)
{
	struct metric_report *refused = NULL, **end = &refused, *next;
	bool was_empty;

	pthread_mutex_lock(&q->lock);
	was_empty = q->first == NULL;
	for (; list != NULL; list = next) {
		next = list->next;
		if (!put_one(q, list)) {
			*end = list;
			end = &list->next;
		}
	}
	*end = NULL;
	if ((was_empty && q->first != NULL) || q->waiting >= ENOUGH)
		pthread_cond_signal(&q->wake);
	pthread_mutex_unlock(&q->lock);
	return refused;
}

/* With the lock held; until the moment, or until somebody signals. */
static void wait_until(struct metric_queue *q, int64_t us)
{
	const struct timespec until = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};

	pthread_cond_timedwait(&q->wake, &q->lock, &until);
}

/* With the lock held. */
static void wait_for_more(struct metric_queue *q)
{
	const int64_t end_us = clock_mono_us() + LINGER_US;
	size_t before;
	int64_t now_us;

	do {
		before = q->waiting;
		now_us = clock_mono_us();
		wait_until(q, now_us + GAP_US < end_us ? now_us + GAP_US : end_us);
	} while (!q->closed && q->waiting > before && q->waiting < ENOUGH &&
		 clock_mono_us() < end_us);
}

struct metric_report *metric_queue_take(struct metric_queue *q, int64_t last_us, size_t reports,
					size_t bytes)
{
	struct metric_report *list, **end;
	size_t taken = 0;

	pthread_mutex_lock(&q->lock);
	while (q->first == NULL && !q->closed)
		pthread_cond_wait(&q->wake, &q->lock);
	if (clock_mono_us() - last_us < IDLE_US && q->waiting < ENOUGH && !q->closed)
		wait_for_more(q);
	list = q->first;
	for (end = &q->first; *end != NULL && reports > 0 && taken < bytes; reports--) {
		taken += (*end)->extra_len;
		end = &(*end)->next;
		q->waiting--;
	}
	q->first = *end;
	*end = NULL;
	if (q->first == NULL)
		q->last = &q->first;
	pthread_mutex_unlock(&q->lock);
	return list;
}

void metric_queue_done(struct metric_queue *q, const struct metric_report *list)
{
	pthread_mutex_lock(&q->lock);
	for (; list != NULL; list = list->next) {
		q->reports--;
		q->bytes -= size_of(list);
		--*share_of(q, list);
	}
	pthread_mutex_unlock(&q->lock);
}

void metric_queue_close(struct metric_queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->closed = true;
	pthread_cond_broadcast(&q->wake);
	pthread_mutex_unlock(&q->lock);
}

bool metric_queue_pause(struct metric_queue *q, int64_t ms)
{
	const int64_t end_us = clock_mono_us() + ms * 1000;
	bool open;

	pthread_mutex_lock(&q->lock);
	while (!q->closed && clock_mono_us() < end_us)
		wait_until(q, end_us);
	open = !q->closed;
	pthread_mutex_unlock(&q->lock);
	return open;
}

size_t metric_queue_len(struct metric_queue *q)
{
	size_t len;

	pthread_mutex_lock(&q->lock);
	len = q->reports;
	pthread_mutex_unlock(&q->lock);
	return len;
}

size_t metric_queue_max(void)
{
	return QUEUE_REPORTS;
}

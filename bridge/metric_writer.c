// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/metric_writer.h"

#include "bridge/db.h"
#include "bridge/loop.h"
#include "bridge/store_metric.h"
#include "protocol/htab.h"
#include "protocol/log.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define QUEUE_REPORTS 50000
#define QUEUE_BYTES ((size_t)64 * 1024 * 1024)
#define BATCH_REPORTS 1000
#define BATCH_BYTES                                                                            \
	((size_t)1024 * 1024) /* of further keys: one statement carries them all               \
			       */
#define RETRY_MS 200
/* Workers share this many shares of the queue by the hash of their id, so that a flood of one
 * leaves room for (nearly) all others without a count for each worker. */
#define SHARES 1024
#define SHARE_REPORTS (QUEUE_REPORTS / 10)

struct metric_writer {
	struct loop *loop;
	struct db *db; /* the thread's, once it runs */
	metric_written_f written;
	void *arg;
	pthread_t thread;
	bool running;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake;
	struct metric_report *first, **last;
	size_t reports, bytes; /* waiting or being written */
	unsigned short shares[SHARES];
	bool stopping;
};

/* A batch on its way back to the loop. */
struct written {
	struct metric_writer *writer;
	struct metric_report *list;
	struct loop_post post;
};

static size_t size_of(const struct metric_report *report)
{
	return sizeof(*report) + (report->extra != NULL ? strlen(report->extra) : 0);
}

static unsigned short *share_of(struct metric_writer *w, const struct metric_report *report)
{
	return &w->shares[htab_hash_str(report->worker.text) % SHARES];
}

bool metric_writer_put(struct metric_writer *w, struct metric_report *report)
{
	size_t size = size_of(report);
	bool room;

	pthread_mutex_lock(&w->lock);
	room = !w->stopping && w->reports < QUEUE_REPORTS && w->bytes + size <= QUEUE_BYTES &&
	       *share_of(w, report) < SHARE_REPORTS;
	if (room) {
		report->next = NULL;
		*w->last = report;
		w->last = &report->next;
		w->reports++;
		w->bytes += size;
		++*share_of(w, report);
		pthread_cond_signal(&w->wake);
	}
	pthread_mutex_unlock(&w->lock);
	return room;
}

/* ---- the thread -------------------------------------------------------------------------- */

/* The next reports, as many as one transaction takes; NULL: stop. */
static struct metric_report *take_batch(struct metric_writer *w)
{
	struct metric_report *list, **end;
	size_t n = 0, bytes = 0;

	pthread_mutex_lock(&w->lock);
	while (w->first == NULL && !w->stopping)
		pthread_cond_wait(&w->wake, &w->lock);
	list = w->first;
	for (end = &w->first; *end != NULL && n < BATCH_REPORTS && bytes < BATCH_BYTES; n++) {
		bytes += size_of(*end);
		end = &(*end)->next;
	}
	w->first = *end;
	*end = NULL;
	if (w->first == NULL)
		w->last = &w->first;
	pthread_mutex_unlock(&w->lock);
	return list;
}

/* False: the bridge is being stopped. */
static bool wait_a_little(struct metric_writer *w)
{
	struct timespec until;
	bool go_on;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += RETRY_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_mutex_lock(&w->lock);
	while (!w->stopping && pthread_cond_timedwait(&w->wake, &w->lock, &until) == 0)
		continue;
	go_on = !w->stopping;
	pthread_mutex_unlock(&w->lock);
	return go_on;
}

/* Splits a list of n reports after the first half. */
static struct metric_report *split(struct metric_report *list, size_t n)
{
	struct metric_report *rest;

	for (size_t i = 1; i < n / 2; i++)
		list = list->next;
	rest = list->next;
	list->next = NULL;
	return rest;
}

static size_t length(const struct metric_report *list)
{
	size_t n = 0;

	for (; list != NULL; list = list->next)
		n++;
	return n;
}

static void join(struct metric_report *list, struct metric_report *rest)
{
	while (list->next != NULL)
		list = list->next;
	list->next = rest;
}

/* Halves what the database will not have until the one report that it is about stands alone.
 * False: the database is away. The order of the list is kept. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the logarithm of BATCH_REPORTS */
static bool write_list(struct metric_writer *w, struct metric_report *list)
{
	struct err e = {0};
	size_t n = length(list);
	struct metric_report *rest;
	bool ok;

	if (store_metrics_write(w->db, list, &e) == ERR_OK)
		return true;
	if (e.code == ERR_DATABASE_UNAVAILABLE || e.code == ERR_OUT_OF_MEMORY) {
		log_debug("metric", "reports=%zu wait: %s", n, e.msg);
		return false;
	}
	if (n == 1) {
		log_error("metric", "worker=%s report cannot be stored: %s", list->worker.text,
			  e.msg);
		list->outcome = METRIC_UNSTORABLE;
		return true;
	}
	rest = split(list, n);
	ok = write_list(w, list) && write_list(w, rest);
	join(list, rest);
	return ok;
}

static void on_written(void *arg)
{
	struct written *written = arg;

	written->writer->written(written->writer->arg, written->list);
	free(written);
}

static void give_back_room(struct metric_writer *w, const struct metric_report *list)
{
	pthread_mutex_lock(&w->lock);
	for (; list != NULL; list = list->next) {
		w->reports--;
		w->bytes -= size_of(list);
		--*share_of(w, list);
	}
	pthread_mutex_unlock(&w->lock);
}

/* Merge sort of a list: stable, so that each worker's reports stay in order of receipt. */
/* NOLINTNEXTLINE(misc-no-recursion): likewise */
static struct metric_report *by_worker(struct metric_report *list)
{
	struct metric_report *rest, *sorted = NULL, **end = &sorted;
	size_t n = length(list);

	if (n < 2)
		return list;
	rest = by_worker(split(list, n));
	list = by_worker(list);
	while (list != NULL && rest != NULL) {
		struct metric_report **from =
			strcmp(list->worker.text, rest->worker.text) <= 0 ? &list : &rest;

		*end = *from;
		*from = (*from)->next;
		end = &(*end)->next;
	}
	*end = list != NULL ? list : rest;
	return sorted;
}

static void post_back(struct metric_writer *w, struct metric_report *list)
{
	struct written *written = calloc(1, sizeof(*written));

	give_back_room(w, list);
	if (written == NULL) {
		metric_report_free_list(
			list); /* stored, but nobody can be told: the workers will ask again */
		return;
	}
	*written = (struct written){
		.writer = w,
		.list = by_worker(list),
		.post = {.fn = on_written, .arg = written}
        };
	loop_post(w->loop, &written->post);
}

static void *thread_main(void *arg)
{
	struct metric_writer *w = arg;
	struct metric_report *list;

	while ((list = take_batch(w)) != NULL) {
		bool written;

		while (!(written = write_list(w, list)) && wait_a_little(w))
			continue;
		if (written)
			post_back(w, list);
		else
			metric_report_free_list(
				list); /* not acknowledged, so nothing was promised */
	}
	return NULL;
}

/* ---- life -------------------------------------------------------------------------------- */

struct metric_writer *metric_writer_new(const struct config *config, struct loop *loop,
					metric_written_f written, void *arg, struct err *e)
{
	struct metric_writer *w = calloc(1, sizeof(*w));

	if (w == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	w->loop = loop;
	w->written = written;
	w->arg = arg;
	w->last = &w->first;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	w->db = db_open(config, e);
	if (w->db != NULL)
		return w;
	metric_writer_free(w);
	return NULL;
}

bool metric_writer_start(struct metric_writer *w)
{
	if (!w->running)
		w->running = pthread_create(&w->thread, NULL, thread_main, w) == 0;
	return w->running;
}

void metric_writer_stop(struct metric_writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	if (w->running)
		pthread_join(w->thread, NULL);
	w->running = false;
}

void metric_writer_free(struct metric_writer *w)
{
	if (w == NULL)
		return;
	metric_writer_stop(w);
	metric_report_free_list(w->first);
	db_close(w->db);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

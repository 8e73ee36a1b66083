// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/metrics/metric_writer.h"

#include "bridge/base/loop.h"
#include "bridge/base/tally.h"
#include "bridge/db/db.h"
#include "bridge/metrics/metric_ack.h"
#include "bridge/metrics/metric_queue.h"
#include "bridge/store/store_metric.h"
#include "protocol/clock.h"
#include "protocol/log.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Of further keys, in one statement: well below the 16 MiB that MariaDB takes by default. */
#define BATCH_BYTES ((size_t)4 * 1024 * 1024)
#define RETRY_MS 200
struct metric_writer {
	struct loop *loop;
	struct metric_queue *queue;
	struct metric_acks acks;
	struct metric_store *store;
	struct db *db;
	metric_written_f written;
	void *arg;
	pthread_t thread;
	bool running;
};

/* News on their way to the loop. */
struct written {
	struct metric_writer *writer;
	struct metric_news news;
	struct loop_post post;
};

/* ---- lists ------------------------------------------------------------------------------- */

static size_t length(const struct metric_report *list)
{
	size_t n = 0;

	for (; list != NULL; list = list->next)
		n++;
	return n;
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

static void join(struct metric_report *list, struct metric_report *rest)
{
	while (list->next != NULL)
		list = list->next;
	list->next = rest;
}

static struct metric_report *merge(struct metric_report *a, struct metric_report *b)
{
	struct metric_report *sorted = NULL, **end = &sorted;

	while (a != NULL && b != NULL) {
		struct metric_report **from =
			strcmp(a->worker.text, b->worker.text) <= 0 ? &a : &b;

		*end = *from;
		end = &(*end)->next;
		*from = (*from)->next;
	}
	*end = a != NULL ? a : b;
	return sorted;
}

/* Stable, so that each worker's reports stay in order of receipt; and in the order of the
 * table's primary key, which makes the rows cheap to insert and keeps two bridges out of each
 * other's way. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the logarithm of STORE_METRICS_MAX */
static struct metric_report *by_worker(struct metric_report *list, size_t n)
{
	struct metric_report *rest;

	if (n < 2)
		return list;
	rest = split(list, n);
	return merge(by_worker(list, n / 2), by_worker(rest, n - n / 2));
}

/* ---- writing ----------------------------------------------------------------------------- */

/* True: each report has its outcome. A batch that the database does not take is halved until
 * the report that is at fault stands alone. False: the database is away. The order of the list
 * is kept. */
/* NOLINTNEXTLINE(misc-no-recursion): likewise */
static bool write_list(struct metric_writer *w, struct metric_report *list)
{
	struct err e = {0};
	size_t n = length(list);
	struct metric_report *rest;
	bool ok;

	if (store_metrics_write(w->db, w->store, list, &e) == ERR_OK)
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

	written->writer->written(written->writer->arg, &written->news);
	metric_news_fini(&written->news);
	free(written);
}

static void post_news(struct metric_writer *w, struct metric_news *news)
{
	struct written *written = news->len > 0 ? calloc(1, sizeof(*written)) : NULL;

	if (written == NULL) {
		metric_news_fini(news);
		return;
	}
	*written = (struct written){
		.writer = w, .news = *news, .post = {.fn = on_written, .arg = written}
        };
	loop_post(w->loop, &written->post);
}

static void count(const struct metric_report *list)
{
	uint64_t stored = 0, refused = 0;

	for (; list != NULL; list = list->next)
		if (list->outcome == METRIC_STORED)
			stored++;
		else
			refused++;
	tally_add_n(TALLY_METRICS_STORED, stored);
	tally_add_n(TALLY_METRICS_REFUSED, refused);
}

/* Cuts off the reports of the first worker. */
static struct metric_report *cut_worker(struct metric_report *list)
{
	struct metric_report *rest;

	while (list->next != NULL && worker_id_equal(&list->next->worker, &list->worker))
		list = list->next;
	rest = list->next;
	list->next = NULL;
	return rest;
}

/* The workers are told first: each of them may be waiting. */
static void settle(struct metric_writer *w, struct metric_report *list)
{
	struct metric_news news = {0};

	count(list);
	while (list != NULL) {
		struct metric_report *rest = cut_worker(list);

		metric_acks_add(&w->acks, list);
		metric_news_add_stored(&news, list);
		metric_report_free_list(list);
		list = rest;
	}
	metric_acks_flush(&w->acks);
	post_news(w, &news);
}

static void *thread_main(void *arg)
{
	struct metric_writer *w = arg;
	struct metric_report *list;
	int64_t last_us = 0;

	while ((list = metric_queue_take(w->queue, last_us, STORE_METRICS_MAX, BATCH_BYTES)) !=
	       NULL) {
		bool written;

		list = by_worker(list, length(list));
		while (!(written = write_list(w, list)) &&
		       metric_queue_pause(w->queue, RETRY_MS))
			continue;
		metric_queue_done(w->queue, list);
		if (written)
			settle(w, list);
		else
			metric_report_free_list(
				list); /* not acknowledged, so nothing was promised */
		last_us = clock_mono_us();
	}
	return NULL;
}

/* ---- life -------------------------------------------------------------------------------- */

struct metric_writer *metric_writer_new(const struct config *config, struct loop *loop,
					struct metric_queue *queue, struct metric_link *link,
					int64_t writer, metric_written_f written, void *arg,
					struct err *e)
{
	struct metric_writer *w = calloc(1, sizeof(*w));

	if (w == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	w->loop = loop;
	w->queue = queue;
	w->written = written;
	w->arg = arg;
	metric_acks_init(&w->acks, link);
	w->store = metric_store_new(writer, e);
	w->db = w->store != NULL ? db_open(config, e) : NULL;
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
	if (w->running)
		pthread_join(w->thread, NULL);
	w->running = false;
}

void metric_writer_free(struct metric_writer *w)
{
	if (w == NULL)
		return;
	metric_writer_stop(w);
	metric_acks_fini(&w->acks);
	metric_store_free(w->store);
	db_close(w->db);
	free(w);
}

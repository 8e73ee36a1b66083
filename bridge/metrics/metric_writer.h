// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* metric_writer.h - the thread that puts metric reports into the database, many at a time, and
 * acknowledges them when they are committed.
 *
 * It commits whatever has gathered while the last commit was under way, and under load waits a
 * little for more (metric_queue_take()). While the database is away it tries again and again
 * with what it has, and the queue fills up behind it.
 */
#pragma once

#include "bridge/metrics/metric_news.h"
#include "protocol/err.h"

struct config;
struct loop;
struct metric_link;
struct metric_queue;
struct metric_writer;

/* The latest values of a batch that is committed, on the loop thread. */
typedef void (*metric_written_f)(void *arg, const struct metric_news *news);

/* `writer` names this bridge among those that share the database. Queue and link must outlive
 * it. */
struct metric_writer *metric_writer_new(const struct config *config, struct loop *loop,
					struct metric_queue *queue, struct metric_link *link,
					int64_t writer, metric_written_f written, void *arg,
					struct err *e) MUST_CHECK;

/* Starts the thread, once the database has its tables; until then reports gather in the queue.
 * False: no thread to be had now. */
bool metric_writer_start(struct metric_writer *w);

/* To be called when the queue is closed: writes what is left without waiting for a database
 * that is away; `written` is posted for it. */
void metric_writer_stop(struct metric_writer *w);

void metric_writer_free(struct metric_writer *w); /* NULL is fine */

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* metric_writer.h - the thread that puts metric reports into the database, many at a time.
 *
 * It commits whatever has gathered while the last commit was under way, so batches grow with
 * the load and nobody waits for a timer. While the database is away it holds what it has; the
 * queue is bounded and says when it is full. No worker may fill more than a part of it.
 */
#pragma once

#include "bridge/metric_report.h"

struct config;
struct loop;
struct metric_writer;

/* Reports with their outcomes, on the loop thread: grouped by worker, and of each worker in the
 * order in which they were put. The list is the callee's to free. */
typedef void (*metric_written_f)(void *arg, struct metric_report *list);

struct metric_writer *metric_writer_new(const struct config *config, struct loop *loop,
					metric_written_f written, void *arg,
					struct err *e) MUST_CHECK;

/* Starts the thread, once the database has its tables; until then reports gather. False: no
 * thread to be had now. */
bool metric_writer_start(struct metric_writer *w);

/* Takes the report, unless there is no room: false, and it stays the caller's. Never blocks. */
bool metric_writer_put(struct metric_writer *w, struct metric_report *report) MUST_CHECK;

/* Writes what it can without waiting for a database that is away; `written` is posted for it.
 * Afterwards nothing is taken any more. */
void metric_writer_stop(struct metric_writer *w);

void metric_writer_free(struct metric_writer *w); /* NULL is fine */

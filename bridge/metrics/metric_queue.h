// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* metric_queue.h - reports between the connection that hears them and the thread that writes
 * them: bounded, in order, and never waited for by whoever puts something in.
 *
 * While the database is away it fills up and then takes no more: a report with a number is not
 * acknowledged, so its worker sends it again; one without is lost, and counted. No worker may
 * fill more than a part of it. Thread: any.
 */
#pragma once

#include "bridge/metrics/metric_report.h"

#include <stdbool.h>

struct metric_queue;

struct metric_queue *metric_queue_new(struct err *e) MUST_CHECK;
void metric_queue_free(struct metric_queue *q); /* NULL is fine; frees what is in it */

/* Takes as many of the list as there is room for, and gives each its `ref`; returns those that
 * it did not take. */
struct metric_report *metric_queue_put(struct metric_queue *q,
				       struct metric_report *list) MUST_CHECK;

/* Waits for reports; the oldest of them, at most `reports` and about `bytes` of further keys.
 * NULL: the queue is closed and nothing is left. They still take up their room.
 *
 * Shortly after last_us (monotonic), when it had something to take before, it waits for more as
 * long as more come, until they are enough or a fifth of a second is over: large batches cost
 * everybody less, the broker most of all. Whoever waits for the answer before it reports again
 * is not made to wait, for then nothing more comes; nor is the first report after a pause. */
struct metric_report *metric_queue_take(struct metric_queue *q, int64_t last_us, size_t reports,
					size_t bytes);

/* What was taken is done with: its room is free again. */
void metric_queue_done(struct metric_queue *q, const struct metric_report *list);

/* Nothing is taken in any more. Whoever waits is woken. */
void metric_queue_close(struct metric_queue *q);

/* Waits for a while; false: the queue was closed. */
bool metric_queue_pause(struct metric_queue *q, int64_t ms);

/* Reports in it, those under way to the database included; and how many there may be. */
size_t metric_queue_len(struct metric_queue *q);
size_t metric_queue_max(void);

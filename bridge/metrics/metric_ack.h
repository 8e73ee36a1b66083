// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* metric_ack.h - tells workers what became of their reports, many workers in one message to the
 * plugin and all numbers of a worker in one message to it. Thread: one at a time. */
#pragma once

#include "bridge/metrics/metric_report.h"
#include "protocol/buf.h"

struct metric_link;

struct metric_acks {
	struct metric_link *link;
	struct buf batch;   /* of control commands */
	size_t batch_len;   /* how many */
	struct buf payload; /* of the one under way */
};

void metric_acks_init(struct metric_acks *a, struct metric_link *link);
void metric_acks_fini(struct metric_acks *a);

/* About reports of one worker, each with its outcome; those without a number hear nothing. */
void metric_acks_add(struct metric_acks *a, const struct metric_report *list);

/* About reports that nobody would ever store. */
void metric_acks_reject(struct metric_acks *a, const struct worker_id *worker,
			const struct metric_rejection *rejections);

/* Sends what has gathered. Whether it arrives is not our concern: a worker that missed it sends
 * its reports again. */
void metric_acks_flush(struct metric_acks *a);

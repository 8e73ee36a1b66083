// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/gather.h"

#include "plugin/stats.h"
#include "protocol/frames.h"
#include "protocol/topics.h"

#define PERIOD_US 2000
#define BATCH_BYTES ((size_t)64 * 1024)
#define MESSAGE_BYTES ((size_t)256 * 1024) /* of one that a bridge would read */

void gather_open(struct gather *g, struct publish *publish)
{
	g->publish = publish;
	buf_init(&g->batch, BATCH_BYTES + MESSAGE_BYTES + FRAME_HEAD_MAX);
}

void gather_close(struct gather *g)
{
	buf_fini(&g->batch);
}

static void flush(struct gather *g)
{
	publish_all(g->publish, TOPIC_METRICS_BATCH, g->batch.data, g->batch.len);
	stats_add(STAT_METRIC_BATCHES, 1);
	/* What one large message took is not kept for ever. */
	if (g->batch.cap > 2 * BATCH_BYTES)
		buf_fini(&g->batch);
	else
		buf_reset(&g->batch);
}

void gather_add(struct gather *g, const struct worker_id *worker, const void *payload,
		size_t len)
{
	if (len <= MESSAGE_BYTES)
		frame_write(&g->batch, worker, payload, len);
	if (len > MESSAGE_BYTES || g->batch.failed) {
		stats_add(STAT_METRICS_DROPPED, 1);
		g->batch.failed = false; /* what is in it is whole */
		return;
	}
	stats_add(STAT_METRIC_MESSAGES, 1);
	if (g->batch.len >= BATCH_BYTES)
		flush(g);
}

/* The first one goes at once; each further one of a busy time takes along what came since. */
bool gather_tick(struct gather *g, int64_t now_us)
{
	if (g->batch.len == 0)
		return false;
	if (now_us - g->sent_us < PERIOD_US)
		return true;
	g->sent_us = now_us;
	flush(g);
	return false;
}

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* An acknowledgement is sent for what is committed, and for what never can be; for everything
 * else the worker hears nothing, and sends it again. */
#include "bridge/metrics/metric.h"

#include "bridge/app.h"
#include "bridge/base/loop.h"
#include "bridge/base/tally.h"
#include "bridge/db/db.h"
#include "bridge/metrics/metric_ack.h"
#include "bridge/metrics/metric_follow.h"
#include "bridge/metrics/metric_link.h"
#include "bridge/metrics/metric_queue.h"
#include "bridge/metrics/metric_writer.h"
#include "bridge/mqtt/broker.h"
#include "bridge/workers/roster.h"
#include "protocol/clock.h"
#include "protocol/frames.h"
#include "protocol/topics.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define START_POLL_MS 50
#define DAY_MS INT64_C(86400000)

struct metrics {
	struct app *app;
	struct broker_listener broker;
	struct metric_link *link;
	struct metric_queue *queue;
	struct metric_writer *writer;
	struct metric_follow *follow;
	struct timer *start;
	int64_t id; /* among the bridges that share the database */

	/* The link's thread alone. */
	struct metric_acks acks;
	struct metric_report *heard, **heard_end; /* in this turn */
};

/* ---- on the link's thread ---------------------------------------------------------------- */

static void keep(struct metrics *m, const struct metric_message *message)
{
	*m->heard_end = message->reports;
	while (*m->heard_end != NULL)
		m->heard_end = &(*m->heard_end)->next;
}

static void take(struct metrics *m, const struct metric_source *from, const char *payload,
		 size_t len)
{
	struct metric_message message;

	metric_message_parse(from, payload, len, &message);
	keep(m, &message);
	message.reports = NULL;
	if (message.refused > 0)
		tally_add_n(TALLY_METRICS_REFUSED, message.refused);
	if (message.rejections != NULL)
		metric_acks_reject(&m->acks, &from->worker, message.rejections);
	metric_message_fini(&message);
}

/* What workers sent in one turn of the broker's loop. */
static void on_message(void *arg, const char *topic, const char *payload, size_t len)
{
	struct metrics *m = arg;
	const struct config *config = &m->app->config;
	struct frames frames = {.at = payload, .end = payload + len};
	struct metric_source from;
	const char *message;
	size_t message_len;

	if (strcmp(topic, TOPIC_METRICS_BATCH) != 0) {
		tally_add(TALLY_MESSAGES_STRAY);
		return;
	}
	from.received_ms = clock_unix_ms();
	from.oldest_ms = from.received_ms - config->metrics_days * DAY_MS;
	from.newest_ms = from.received_ms + config->metrics_ahead_seconds * 1000;
	while (frame_next(&frames, &from.worker, &message, &message_len))
		take(m, &from, message, message_len);
	if (frames.at != frames.end)
		tally_add(TALLY_METRICS_REFUSED);
}

static void on_too_long(void *arg)
{
	(void)arg;
	tally_add(TALLY_METRICS_REFUSED);
}

static void on_turn(void *arg)
{
	struct metrics *m = arg;
	struct metric_report *refused = NULL;

	if (m->heard != NULL)
		refused = metric_queue_put(m->queue, m->heard);
	for (const struct metric_report *r = refused; r != NULL; r = r->next)
		tally_add(r->seq >= 0 ? TALLY_METRICS_PUT_OFF : TALLY_METRICS_DROPPED);
	metric_report_free_list(refused);
	m->heard = NULL;
	m->heard_end = &m->heard;
	metric_acks_flush(&m->acks);
}

/* ---- on the loop ------------------------------------------------------------------------- */

static void to_roster(void *arg, const struct metric_news *news)
{
	struct metrics *m = arg;

	for (size_t i = 0; i < news->len; i++) {
		struct metric_entry *e = &news->entries[i];
		struct metric_latest latest = {.memory = e->memory,
					       .cpu = e->cpu,
					       .rate = e->rate,
					       .received_ms = e->received_ms,
					       .json = e->extra};

		e->extra = NULL;
		if (e->engine_status[0] != '\0')
			roster_set_engine_status(m->app->roster, &e->worker, e->engine_status,
						 e->engine_status_ms);
		roster_set_latest(m->app->roster, &e->worker, &latest);
	}
}

/* The other connection has found a broker that answers: this one need not look for it. */
static void on_broker(void *arg)
{
	struct metrics *m = arg;

	metric_link_open(m->link, broker_address(m->app->broker));
}

static bool wants(void *arg, const char *topic)
{
	(void)arg;
	(void)topic;
	return false;
}

/* The writer starts once the pool has reached a database that has its tables: a report that
 * meets none would be taken for one that can never be stored. */
static void start_writer(void *arg)
{
	struct metrics *m = arg;

	if (!db_pool_healthy(m->app->db) || !metric_writer_start(m->writer))
		timer_once(m->start, START_POLL_MS);
}

static enum err_code start_parts(struct metrics *m, struct err *e)
{
	const struct metric_link_events events = {
		.message = on_message, .too_long = on_too_long, .turn = on_turn, .arg = m};

	m->queue = metric_queue_new(e);
	if (m->queue == NULL)
		return e->code;
	m->link = metric_link_new(&m->app->config, &events, e);
	if (m->link == NULL)
		return e->code;
	m->writer = metric_writer_new(&m->app->config, m->app->loop, m->queue, m->link, m->id,
				      to_roster, m, e);
	if (m->writer == NULL)
		return e->code;
	m->follow = metric_follow_new(m->app, m->id, to_roster, m, e);
	return m->follow != NULL ? ERR_OK : e->code;
}

struct metrics *metrics_new(struct app *app, struct err *e)
{
	struct metrics *m = calloc(1, sizeof(*m));

	if (m == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	m->app = app;
	m->heard_end = &m->heard;
	randombytes_buf(&m->id, sizeof(m->id));
	m->broker = (struct broker_listener){.wants = wants, .connected = on_broker, .arg = m};
	m->start = timer_new(app->loop, start_writer, m);
	if (m->start == NULL)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	if (m->start == NULL || start_parts(m, e) != ERR_OK) {
		metrics_free(m);
		return NULL;
	}
	metric_acks_init(&m->acks, m->link);
	broker_listen(app->broker, &m->broker);
	timer_once(m->start, START_POLL_MS);
	return m;
}

void metrics_stop(struct metrics *m)
{
	timer_cancel(m->start);
	metric_queue_close(m->queue);
	metric_writer_stop(m->writer);
	metric_link_stop(m->link); /* after the writer's last acknowledgements */
}

void metrics_free(struct metrics *m)
{
	if (m == NULL)
		return;
	if (m->queue != NULL)
		metric_queue_close(m->queue);
	metric_follow_free(m->follow);
	metric_writer_free(m->writer);
	metric_link_free(m->link);
	metric_queue_free(m->queue);
	metric_report_free_list(m->heard);
	metric_acks_fini(&m->acks);
	timer_free(m->start);
	free(m);
}

bool metrics_listening(const struct metrics *m)
{
	return metric_link_up(m->link);
}

size_t metrics_queued(const struct metrics *m)
{
	return metric_queue_len(m->queue);
}

size_t metrics_queue_max(void)
{
	return metric_queue_max();
}

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* An acknowledgement is sent for what is committed, and for what never can be; for everything
 * else the worker hears nothing, and sends it again. */
#include "bridge/metric.h"

#include "bridge/app.h"
#include "bridge/control.h"
#include "bridge/db.h"
#include "bridge/loop.h"
#include "bridge/metric_writer.h"
#include "bridge/roster.h"
#include "bridge/tally.h"
#include "protocol/clock.h"
#include "protocol/jwrite.h"
#include "protocol/log.h"
#include "protocol/topics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACK_BYTES ((size_t)256 * 1024)
#define ACK_TIMEOUT_MS 5000
#define START_POLL_MS 50

struct metrics {
	struct app *app;
	struct metric_writer *writer;
	struct timer *start;
};

/* ---- acknowledgements -------------------------------------------------------------------- */

static void write_seqs(struct jwrite *w, const struct metric_report *list)
{
	jwrite_array(w, "seqs");
	for (const struct metric_report *r = list; r != NULL; r = r->next)
		if (r->seq >= 0 && r->outcome == METRIC_STORED)
			jwrite_i64(w, NULL, r->seq);
	jwrite_array_end(w);
}

static void write_rejection(struct jwrite *w, int64_t seq, const char *code,
			    const char *message)
{
	jwrite_object(w, NULL);
	jwrite_i64(w, "seq", seq);
	jwrite_str(w, "code", code);
	jwrite_str(w, "message", message);
	jwrite_object_end(w);
}

static void write_rejected(struct jwrite *w, const struct metric_report *list)
{
	for (const struct metric_report *r = list; r != NULL; r = r->next) {
		if (r->seq < 0)
			continue;
		if (r->outcome == METRIC_UNKNOWN_WORKER)
			write_rejection(w, r->seq, "WORKER_NOT_FOUND", "no such worker");
		else if (r->outcome == METRIC_UNSTORABLE)
			write_rejection(w, r->seq, "INVALID_REPORT",
					"the database does not take it");
	}
}

/* One message about reports of one worker. */
static void acknowledge(struct metrics *m, const struct worker_id *id,
			const struct metric_report *list,
			const struct metric_rejection *rejections)
{
	struct buf fields;
	struct jwrite w;

	buf_init(&fields, ACK_BYTES);
	jwrite_begin(&w, &fields);
	jwrite_str(&w, "worker_id", id->text);
	jwrite_str(&w, "topic", worker_topic_name(WORKER_TOPIC_METRICS_ACK));
	jwrite_str(&w, "target", "all");
	jwrite_object(&w, "payload");
	write_seqs(&w, list);
	jwrite_array(&w, "rejected");
	write_rejected(&w, list);
	for (; rejections != NULL; rejections = rejections->next)
		write_rejection(&w, rejections->seq, "INVALID_REPORT", rejections->message);
	jwrite_array_end(&w);
	jwrite_object_end(&w);
	/* Whether it arrives is not our concern: a worker that missed it asks again. */
	control_call(m->app->control, "send", &fields, ACK_TIMEOUT_MS, NULL, NULL);
	buf_fini(&fields);
}

/* ---- after the commit -------------------------------------------------------------------- */

static void to_roster(struct metrics *m, const struct metric_report *r)
{
	struct metric_latest latest = {.memory = r->memory,
				       .cpu = r->cpu,
				       .rate = r->rate,
				       .received_ms = r->received_ms,
				       .json = r->extra != NULL ? strdup(r->extra) : NULL};

	roster_set_latest(m->app->roster, &r->worker, &latest);
}

/* A list of one worker's reports, in order of receipt. */
static void settle_worker(struct metrics *m, struct metric_report *list)
{
	const struct metric_report *newest = NULL;
	bool wants_ack = false;

	for (const struct metric_report *r = list; r != NULL; r = r->next) {
		wants_ack |= r->seq >= 0;
		if (r->outcome == METRIC_STORED) {
			tally_add(TALLY_METRICS_STORED);
			newest = r;
			if (r->engine_status[0] != '\0') /* the newest need not have one */
				roster_set_engine_status(m->app->roster, &r->worker,
							 r->engine_status, r->received_ms);
		} else {
			tally_add(TALLY_METRICS_REFUSED);
		}
	}
	if (newest != NULL)
		to_roster(m, newest);
	if (wants_ack)
		acknowledge(m, &list->worker, list, NULL);
}

/* The list comes grouped by worker. */
static void on_written(void *arg, struct metric_report *list)
{
	while (list != NULL) {
		struct metric_report *last = list, *rest;

		while (last->next != NULL &&
		       worker_id_equal(&last->next->worker, &list->worker))
			last = last->next;
		rest = last->next;
		last->next = NULL;
		settle_worker(arg, list);
		metric_report_free_list(list);
		list = rest;
	}
}

/* ---- before it --------------------------------------------------------------------------- */

void metrics_receive(struct app *app, const struct worker_id *id, const char *payload,
		     size_t len)
{
	struct metrics *m = app->metrics;
	struct metric_message message;
	struct metric_report *report;

	metric_message_parse(id, payload, len, clock_unix_ms(), &message);
	tally_add_n(TALLY_METRICS_REFUSED, message.refused);
	while ((report = message.reports) != NULL) {
		message.reports = report->next;
		report->next = NULL;
		if (!metric_writer_put(m->writer, report)) {
			tally_add(TALLY_METRICS_DROPPED);
			metric_report_free_list(report);
		}
	}
	if (message.rejections != NULL)
		acknowledge(m, id, NULL, message.rejections);
	metric_message_fini(&message);
}

/* The writer starts once the pool has reached a database that has its tables: a report that
 * meets none would be taken for one that can never be stored. */
static void start_writer(void *arg)
{
	struct metrics *m = arg;

	if (!db_pool_healthy(m->app->db) || !metric_writer_start(m->writer))
		timer_once(m->start, START_POLL_MS);
}

struct metrics *metrics_new(struct app *app, struct err *e)
{
	struct metrics *m = calloc(1, sizeof(*m));

	if (m == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	m->app = app;
	m->start = timer_new(app->loop, start_writer, m);
	if (m->start == NULL)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	else
		m->writer = metric_writer_new(&app->config, app->loop, on_written, m, e);
	if (m->writer == NULL) {
		metrics_free(m);
		return NULL;
	}
	timer_once(m->start, START_POLL_MS);
	return m;
}

void metrics_stop(struct metrics *m)
{
	timer_cancel(m->start);
	metric_writer_stop(m->writer);
}

void metrics_free(struct metrics *m)
{
	if (m == NULL)
		return;
	metric_writer_free(m->writer);
	timer_free(m->start);
	free(m);
}

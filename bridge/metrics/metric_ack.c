// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/metrics/metric_ack.h"

#include "bridge/metrics/metric_link.h"
#include "protocol/jwrite.h"
#include "protocol/log.h"
#include "protocol/topics.h"

/* The plugin takes 1 MiB and 1,000 commands; smaller messages keep its turns short. */
#define BATCH_BYTES ((size_t)64 * 1024)
#define BATCH_COMMANDS 200
#define PAYLOAD_BYTES ((size_t)64 * 1024)
#define NUMBERS_MAX 500 /* reports that one message to a worker is about */

void metric_acks_init(struct metric_acks *a, struct metric_link *link)
{
	*a = (struct metric_acks){.link = link};
	buf_init(&a->batch, BATCH_BYTES + 4 * PAYLOAD_BYTES);
	buf_init(&a->payload, PAYLOAD_BYTES);
}

void metric_acks_fini(struct metric_acks *a)
{
	buf_fini(&a->batch);
	buf_fini(&a->payload);
}

void metric_acks_flush(struct metric_acks *a)
{
	if (a->batch_len == 0)
		return;
	buf_add_str(&a->batch, "]}");
	if (a->batch.failed ||
	    !metric_link_send(a->link, TOPIC_CONTROL, a->batch.data, a->batch.len))
		log_debug("metric", "acknowledgements=%zu not sent", a->batch_len);
	buf_reset(&a->batch);
	a->batch_len = 0;
}

/* Puts the payload into a command of its own. It travels as text: the plugin need not take it
 * apart and put it together again. */
static void close_payload(struct metric_acks *a, const struct worker_id *worker)
{
	struct jwrite w;

	if (a->batch_len == BATCH_COMMANDS || a->batch.len > BATCH_BYTES)
		metric_acks_flush(a);
	buf_add_str(&a->batch, a->batch_len++ == 0 ? "{\"commands\":[" : ",");
	jwrite_begin(&w, &a->batch);
	jwrite_object(&w, NULL);
	jwrite_str(&w, "command", "send");
	jwrite_bool(&w, "quiet", true);
	jwrite_str(&w, "worker_id", worker->text);
	jwrite_str(&w, "topic", worker_topic_name(WORKER_TOPIC_METRICS_ACK));
	jwrite_str(&w, "target", "all");
	jwrite_strn(&w, "payload", a->payload.data, a->payload.len);
	jwrite_object_end(&w);
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

static void write_refused(struct jwrite *w, const struct metric_report *r)
{
	if (r->outcome == METRIC_UNKNOWN_WORKER)
		write_rejection(w, r->seq, "WORKER_NOT_FOUND", "no such worker");
	else if (r->outcome == METRIC_UNSTORABLE)
		write_rejection(w, r->seq, "INVALID_REPORT", "the database does not take it");
}

/* Writes about as many reports as one message holds; returns the first that is left. */
static const struct metric_report *add_some(struct metric_acks *a,
					    const struct metric_report *list)
{
	const struct metric_report *r, *end = list;
	struct jwrite w;
	size_t n = 0;

	while (end != NULL && n++ < NUMBERS_MAX)
		end = end->next;
	buf_reset(&a->payload);
	jwrite_begin(&w, &a->payload);
	jwrite_object(&w, NULL);
	jwrite_array(&w, "seqs");
	for (n = 0, r = list; r != end; r = r->next)
		if (r->seq >= 0 && r->outcome == METRIC_STORED) {
			jwrite_i64(&w, NULL, r->seq);
			n++;
		}
	jwrite_array_end(&w);
	jwrite_array(&w, "rejected");
	for (r = list; r != end; r = r->next)
		if (r->seq >= 0 && r->outcome != METRIC_STORED) {
			write_refused(&w, r);
			n++;
		}
	jwrite_array_end(&w);
	jwrite_object_end(&w);
	if (n > 0)
		close_payload(a, &list->worker);
	return end;
}

void metric_acks_add(struct metric_acks *a, const struct metric_report *list)
{
	while (list != NULL)
		list = add_some(a, list);
}

void metric_acks_reject(struct metric_acks *a, const struct worker_id *worker,
			const struct metric_rejection *rejections)
{
	struct jwrite w;

	while (rejections != NULL) {
		buf_reset(&a->payload);
		jwrite_begin(&w, &a->payload);
		jwrite_object(&w, NULL);
		jwrite_array(&w, "seqs");
		jwrite_array_end(&w);
		jwrite_array(&w, "rejected");
		for (; rejections != NULL && a->payload.len < PAYLOAD_BYTES - 2048;
		     rejections = rejections->next)
			write_rejection(&w, rejections->seq, rejections->code,
					rejections->message);
		jwrite_array_end(&w);
		jwrite_object_end(&w);
		close_payload(a, worker);
	}
}

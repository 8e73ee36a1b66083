// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/publish.h"

#include "plugin/broker_api.h"
#include "plugin/stats.h"
#include "plugin/wake.h"
#include "protocol/clock.h"
#include "protocol/log.h"
#include "protocol/topics.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_MAX_EVENTS 500
#define BATCH_MAX_BYTES (1024u * 1024)
#define EVENT_MAX_BYTES 4096
#define HEARTBEAT_US 500000
#define PIECE_BYTES 4096 /* that Mosquitto 2.0.11 sends of a WebSocket's output in a turn */
#define TURNS_SMALL 1    /* for a message that fits in a piece */
#define TURNS_MAX 1000

/* A retained message costs the broker as much as a tenth of a login. */
#define RETAINED_PER_TURN 64
#define RETAINED_UNDER_LOGINS 1
#define RETAINED_WAIT_US 250000
#define RETAINED_UNHEARD_US 1000000

/* A batch of events, or a worker's retained message. */
struct outgoing {
	struct outgoing *next;
	struct worker_id id; /* of a retained message */
	void *payload;       /* the broker's malloc: it takes it over */
	size_t len;          /* 0 removes the retained message (MQTT 3.1.1 section 3.3.1.3) */
	int64_t since_us;
};

static void queue_init(struct outgoing_queue *q)
{
	*q = (struct outgoing_queue){.end = &q->first};
}

static void queue_add(struct outgoing_queue *q, struct outgoing *r)
{
	*q->end = r;
	q->end = &r->next;
}

/* The oldest, which the caller frees; NULL if there is none. */
static struct outgoing *queue_take(struct outgoing_queue *q)
{
	struct outgoing *r = q->first;

	if (r == NULL)
		return NULL;
	q->first = r->next;
	if (q->first == NULL)
		q->end = &q->first;
	return r;
}

static void queue_fini(struct outgoing_queue *q)
{
	struct outgoing *r;

	while ((r = queue_take(q)) != NULL) {
		mosquitto_free(r->payload);
		free(r);
	}
}

void publish_open(struct publish *p, const char *node, const char *topic_root, bool retain)
{
	*p = (struct publish){.node = node, .topic_root = topic_root, .retain = retain};
	buf_init(&p->batch, BATCH_MAX_BYTES);
	queue_init(&p->batches);
	queue_init(&p->retained);
}

void publish_close(struct publish *p)
{
	queue_fini(&p->batches);
	queue_fini(&p->retained);
	buf_fini(&p->batch);
}

/* A copy that the broker can take over. It must be the broker's own malloc: with
 * mosquitto_broker_publish_copy() Mosquitto 2.0 loses count of its memory. False: there is
 * none. */
static bool copy_payload(const void *payload, size_t len, void **copy)
{
	*copy = NULL;
	if (len == 0)
		return true;
	if (len <= INT_MAX)
		*copy = mosquitto_malloc(len);
	if (*copy == NULL) {
		log_error("publish", "out of memory");
		return false;
	}
	memcpy(*copy, payload, len);
	return true;
}

/* Hands payload and properties over to the broker. */
static void hand_over(const char *client_id, const char *topic, void *payload, size_t len,
		      int qos, bool retain, mosquitto_property *props)
{
	if (mosquitto_broker_publish(client_id, topic, (int)len, payload, qos, retain, props) ==
	    MOSQ_ERR_SUCCESS)
		return;
	log_error("publish", "the broker refused a message");
	mosquitto_free(payload);
	mosquitto_property_free_all(&props);
}

/* Properties are taken over, the payload is not. */
static void send(const char *client_id, const char *topic, const void *payload, size_t len,
		 int qos, mosquitto_property *props)
{
	void *copy;

	if (copy_payload(payload, len, &copy))
		hand_over(client_id, topic, copy, len, qos, false, props);
	else
		mosquitto_property_free_all(&props);
}

static void want_turns(struct publish *p, int64_t turns)
{
	if (p->turns_wanted < turns)
		p->turns_wanted = turns < TURNS_MAX ? turns : TURNS_MAX;
}

void publish_cause(struct publish *p)
{
	if (p->caused_us == 0)
		p->caused_us = clock_mono_us();
}

/* That somebody has unsubscribed, or is gone, is not noted: it would gain little. Subscriptions
 * that the broker itself has stored are not seen; these hear of a storm a little later. */
void publish_subscribed(struct publish *p, const char *filter)
{
	char presence[TOPIC_MAX];

	if (p->heard || !p->retain)
		return;
	topic_filter_all(p->topic_root, WORKER_TOPIC_PRESENCE, presence);
	p->heard = topic_filters_meet(topic_without_share(filter), presence);
}

int64_t publish_next_seq(struct publish *p)
{
	return ++p->seq;
}

/* Without a worker it is a batch, else the worker's retained message. */
static void queue(struct publish *p, const struct worker_id *id, const void *payload,
		  size_t len)
{
	struct outgoing *r = malloc(sizeof(*r));

	if (r == NULL) {
		log_error("publish", "presence lost: out of memory");
		return;
	}
	*r = (struct outgoing){.len = len, .since_us = p->turn_us};
	if (!copy_payload(payload, len, &r->payload)) {
		free(r);
		return;
	}
	if (id != NULL)
		r->id = *id;
	queue_add(id != NULL ? &p->retained : &p->batches, r);
}

/* Puts the envelope around the events and queues them. */
static void close_batch(struct publish *p)
{
	struct buf out;
	struct jwrite w;

	if (p->batch_len == 0)
		return;
	buf_init(&out, BATCH_MAX_BYTES + 1024);
	jwrite_begin(&w, &out);
	jwrite_object(&w, NULL);
	jwrite_str(&w, "node", p->node);
	jwrite_i64(&w, "boot", p->boot);
	jwrite_i64(&w, "clock_us", clock_mono_us());
	jwrite_array(&w, "events");
	jwrite_raw(&w, NULL, p->batch.data, p->batch.len);
	jwrite_array_end(&w);
	jwrite_object_end(&w);
	/* A batch that memory was too short for shows as a gap in seq, and bridges list anew.
	 */
	if (!out.failed && !p->batch.failed)
		queue(p, NULL, out.data, out.len);
	buf_fini(&out);
	buf_reset(&p->batch);
	p->batch_len = 0;
}

void publish_presence(struct publish *p, const struct presence *event)
{
	struct jwrite w;

	if (p->batch_len == BATCH_MAX_EVENTS ||
	    p->batch.len + EVENT_MAX_BYTES + 1 > BATCH_MAX_BYTES)
		close_batch(p);
	if (p->batch_len++ > 0)
		buf_add_char(&p->batch, ',');
	jwrite_begin(&w, &p->batch);
	jwrite_object(&w, NULL);
	presence_write_fields(&w, event, p->node);
	presence_write_address(&w, event);
	jwrite_object_end(&w);
	publish_retained(p, event);
}

void publish_retained(struct publish *p, const struct presence *event)
{
	struct buf json;
	struct jwrite w;

	if (!p->retain)
		return;
	buf_init(&json, EVENT_MAX_BYTES);
	jwrite_begin(&w, &json);
	presence_write(&w, NULL, event, p->node);
	if (!json.failed)
		queue(p, &event->worker, json.data, json.len);
	buf_fini(&json);
}

void publish_forget(struct publish *p, const struct worker_id *id)
{
	if (p->retain)
		queue(p, id, NULL, 0);
}

static void flush_batches(struct publish *p)
{
	struct outgoing *r;

	while ((r = queue_take(&p->batches)) != NULL) {
		stats_add(STAT_PRESENCE_BATCHES, 1);
		hand_over(NULL, TOPIC_PRESENCE_BATCH, r->payload, r->len, 1, false, NULL);
		free(r);
		want_turns(p, TURNS_SMALL);
	}
}

/* Up to `limit` of them, and all that have waited since before `late_us`. */
static void flush_retained(struct publish *p, int limit, int64_t late_us)
{
	char topic[TOPIC_MAX];
	struct outgoing *r;

	for (int n = 0;
	     p->retained.first != NULL && (n < limit || p->retained.first->since_us < late_us);
	     n++) {
		r = queue_take(&p->retained);
		topic_of_worker(p->topic_root, &r->id, WORKER_TOPIC_PRESENCE, topic);
		hand_over(NULL, topic, r->payload, r->len, 1, true, NULL);
		free(r);
		want_turns(p, TURNS_SMALL);
	}
}

void publish_flush_retained(struct publish *p)
{
	flush_retained(p, 0, INT64_MAX);
}

/* No event is queued just now: published_seq is seq, which the digest belongs to. */
static void heartbeat(struct publish *p)
{
	char hash[DIGEST_TEXT_SIZE];
	struct buf out;
	struct jwrite w;

	digest_print_hash(&p->digest, hash);
	buf_init(&out, 1024);
	jwrite_begin(&w, &out);
	jwrite_object(&w, NULL);
	jwrite_str(&w, "node", p->node);
	jwrite_i64(&w, "boot", p->boot);
	jwrite_i64(&w, "seq", p->published_seq);
	jwrite_time(&w, "at", clock_unix_ms());
	jwrite_i64(&w, "clock_us", clock_mono_us());
	jwrite_i64(&w, "count", p->digest.count);
	jwrite_str(&w, "hash", hash);
	jwrite_object_end(&w);
	if (!out.failed)
		/* QoS 1 as the batches: QoS 0 would overtake those that wait for a free place
		 * in the client's inflight window, and look like a gap. */
		send(NULL, TOPIC_HEARTBEAT, out.data, out.len, 1, NULL);
	buf_fini(&out);
}

bool publish_flush(struct publish *p, int64_t now_us, bool logins)
{
	bool more;

	close_batch(p);
	flush_batches(p);
	flush_retained(p, logins ? RETAINED_UNDER_LOGINS : RETAINED_PER_TURN,
		       now_us - (p->heard ? RETAINED_WAIT_US : RETAINED_UNHEARD_US));
	p->turn_us = now_us;
	if (p->caused_us != 0 && p->seq != p->published_seq)
		stats_observe_us(STAT_PRESENCE_DELAY, clock_mono_us() - p->caused_us);
	p->caused_us = 0;
	p->published_seq = p->seq;
	if (now_us >= p->next_heartbeat_us) {
		p->next_heartbeat_us = now_us + HEARTBEAT_US;
		heartbeat(p);
	}
	/* One turn lets any number of messages leave, but for the slow WebSockets of 2.0. */
	more = p->turns_wanted > 0;
	if (more)
		p->turns_wanted = p->slow_websockets ? p->turns_wanted - 1 : 0;
	return more || p->retained.first != NULL;
}

void publish_to_session(struct publish *p, const char *client_id, bool websockets,
			const char *topic, const void *payload, size_t len, uint32_t expiry_s)
{
	mosquitto_property *props = NULL;

	if (expiry_s > 0 &&
	    mosquitto_property_add_int32(&props, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, expiry_s) !=
		    MOSQ_ERR_SUCCESS)
		log_warn("publish", "message expiry left out: out of memory");
	send(client_id, topic, payload, len, 1, props);
	want_turns(p, TURNS_SMALL);
	wake_hurry();
	if (websockets && p->slow_websockets)
		want_turns(p, p->turns_wanted + (int64_t)(len / PIECE_BYTES));
}

void publish_answer(struct publish *p, const char *client_id, const char *topic,
		    const void *payload, size_t len, int qos, const void *correlation,
		    uint16_t correlation_len)
{
	mosquitto_property *props = NULL;

	if (correlation_len > 0 &&
	    mosquitto_property_add_binary(&props, MQTT_PROP_CORRELATION_DATA, correlation,
					  correlation_len) != MOSQ_ERR_SUCCESS)
		log_warn("publish", "correlation data left out: out of memory");
	send(client_id, topic, payload, len, qos, props);
	want_turns(p, TURNS_SMALL);
	wake_hurry();
}

void publish_all(struct publish *p, const char *topic, const void *payload, size_t len)
{
	send(NULL, topic, payload, len, 1, NULL);
	want_turns(p, TURNS_SMALL);
}

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
#define ENVELOPE_MAX_BYTES 1024
#define BATCH_KEPT_BYTES ((size_t)16 * 1024)
#define HEARTBEAT_US 500000
#define PIECE_BYTES 4096 /* that Mosquitto 2.0.11 sends of a WebSocket's output in a turn */
#define TURNS_SMALL 1    /* for a message that fits in a piece */
#define TURNS_MAX 1000

/* A retained message costs the broker as much as a tenth of a login. */
#define RETAINED_PER_TURN 64
#define RETAINED_UNDER_LOGINS 1
#define RETAINED_WAIT_US 250000
#define RETAINED_UNHEARD_US 1000000

/* A batch of events. */
struct batch {
	struct batch *next;
	void *payload; /* the broker's malloc: it takes it over */
	size_t len;
};

/* A worker's retained message, or its removal (MQTT 3.1.1 section 3.3.1.3). */
struct retained {
	struct retained *next;
	int64_t since_us;
	size_t id_len, len; /* len 0: removal */
	char bytes[];       /* the worker's id, then the message */
};

/* ---- what waits ---- */

static void add_batch(struct publish *p, struct batch *b)
{
	*p->batches_end = b;
	p->batches_end = &b->next;
}

/* The oldest, which the caller frees; NULL if there is none. */
static struct batch *take_batch(struct publish *p)
{
	struct batch *b = p->batches;

	if (b == NULL)
		return NULL;
	p->batches = b->next;
	if (p->batches == NULL)
		p->batches_end = &p->batches;
	return b;
}

static void add_retained(struct publish *p, const struct worker_id *id, const char *message,
			 size_t len)
{
	size_t id_len = strlen(id->text);
	struct retained *r = region_alloc(&p->waiting, sizeof(*r) + id_len + len);

	if (r == NULL) {
		log_error("publish", "presence lost: out of memory");
		return;
	}
	*r = (struct retained){.since_us = p->turn_us, .id_len = id_len, .len = len};
	memcpy(r->bytes, id->text, id_len);
	if (len > 0)
		memcpy(r->bytes + id_len, message, len);
	*p->retained_end = r;
	p->retained_end = &r->next;
}

static void drop_first_retained(struct publish *p)
{
	struct retained *r = p->retained;

	p->retained = r->next;
	region_free(&p->waiting, r, sizeof(*r) + r->id_len + r->len);
	if (p->retained != NULL)
		return;
	p->retained_end = &p->retained;
	region_reset(&p->waiting);
}

void publish_open(struct publish *p, const char *node, const char *topic_root, bool retain)
{
	*p = (struct publish){.node = node, .topic_root = topic_root, .retain = retain};
	buf_init(&p->batch, BATCH_MAX_BYTES + ENVELOPE_MAX_BYTES);
	region_init(&p->waiting);
	p->batches_end = &p->batches;
	p->retained_end = &p->retained;
}

void publish_close(struct publish *p)
{
	struct batch *b;

	while ((b = take_batch(p)) != NULL) {
		mosquitto_free(b->payload);
		free(b);
	}
	region_fini(&p->waiting);
	buf_fini(&p->batch);
}

/* ---- to the broker ---- */

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

static void queue_batch(struct publish *p)
{
	struct batch *b = malloc(sizeof(*b));

	if (b == NULL) {
		log_error("publish", "presence lost: out of memory");
		return;
	}
	*b = (struct batch){.len = p->batch.len};
	if (copy_payload(p->batch.data, p->batch.len, &b->payload))
		add_batch(p, b);
	else
		free(b);
}

static void open_batch(struct publish *p)
{
	jwrite_begin(&p->w, &p->batch);
	jwrite_object(&p->w, NULL);
	jwrite_str(&p->w, "node", p->node);
	jwrite_i64(&p->w, "boot", p->boot);
	jwrite_array(&p->w, "events");
}

static void close_batch(struct publish *p)
{
	if (p->batch_len == 0) {
		/* What a storm needed is not kept for ever. */
		if (p->batch.cap > BATCH_KEPT_BYTES)
			buf_fini(&p->batch);
		return;
	}
	jwrite_array_end(&p->w);
	jwrite_i64(&p->w, "clock_us", clock_mono_us());
	jwrite_object_end(&p->w);
	/* A batch that memory was too short for shows as a gap in seq, and bridges list anew.
	 */
	if (!p->batch.failed)
		queue_batch(p);
	buf_reset(&p->batch);
	p->batch_len = 0;
}

/* The retained message is the event in the batch, without the address at its end. `from` and
 * `to` are where that begins and where the address does. */
static void retain_from_batch(struct publish *p, const struct presence *event, size_t from,
			      size_t to)
{
	char before = p->batch.data[to];

	p->batch.data[to] = '}';
	add_retained(p, &event->worker, p->batch.data + from, to + 1 - from);
	p->batch.data[to] = before;
}

void publish_presence(struct publish *p, const struct presence *event)
{
	size_t from, to;

	if (p->batch_len == BATCH_MAX_EVENTS ||
	    p->batch.len + EVENT_MAX_BYTES + 1 > BATCH_MAX_BYTES)
		close_batch(p);
	if (p->batch_len++ == 0)
		open_batch(p);
	jwrite_object(&p->w, NULL);
	from = p->batch.len - 1; /* its bracket */
	presence_write_fields(&p->w, event, p->node);
	to = p->batch.len;
	presence_write_address(&p->w, event);
	jwrite_object_end(&p->w);
	if (p->batch.failed)
		publish_retained(p, event);
	else if (p->retain)
		retain_from_batch(p, event, from, to);
}

void publish_retained(struct publish *p, const struct presence *event)
{
	char space[EVENT_MAX_BYTES + 1];
	struct buf json;
	struct jwrite w;

	if (!p->retain)
		return;
	buf_init_on(&json, space, sizeof(space));
	jwrite_begin(&w, &json);
	presence_write(&w, NULL, event, p->node);
	if (!json.failed)
		add_retained(p, &event->worker, json.data, json.len);
}

void publish_forget(struct publish *p, const struct worker_id *id)
{
	if (p->retain)
		add_retained(p, id, NULL, 0);
}

static void flush_batches(struct publish *p)
{
	struct batch *b;

	while ((b = take_batch(p)) != NULL) {
		stats_add(STAT_PRESENCE_BATCHES, 1);
		hand_over(NULL, TOPIC_PRESENCE_BATCH, b->payload, b->len, 1, false, NULL);
		free(b);
		want_turns(p, TURNS_SMALL);
	}
}

static void send_retained(struct publish *p, const struct retained *r)
{
	struct worker_id id = {{0}};
	char topic[TOPIC_MAX];
	void *payload;

	memcpy(id.text, r->bytes, r->id_len);
	topic_of_worker(p->topic_root, &id, WORKER_TOPIC_PRESENCE, topic);
	if (copy_payload(r->bytes + r->id_len, r->len, &payload))
		hand_over(NULL, topic, payload, r->len, 1, true, NULL);
}

/* Up to `limit` of them, and all that have waited since before `late_us`. */
static void flush_retained(struct publish *p, int limit, int64_t late_us)
{
	for (int n = 0; p->retained != NULL && (n < limit || p->retained->since_us < late_us);
	     n++) {
		send_retained(p, p->retained);
		drop_first_retained(p);
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
	return more || p->retained != NULL;
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

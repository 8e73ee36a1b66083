// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* publish.h - everything that the plugin says: the only caller of mosquitto_broker_publish().
 *
 * Presence events wait here until the turn's end, when what they tell is in the journal; then
 * they go out batched for bridges and, one by one, as retained messages, which may take longer.
 * A call of the broker's only appends to its queue, which it empties at the top of its next
 * turn. Thread: the broker's.
 */
#pragma once

#include "plugin/region.h"
#include "protocol/buf.h"
#include "protocol/digest.h"
#include "protocol/jwrite.h"
#include "protocol/presence.h"

struct publish {
	const char *node, *topic_root;
	int64_t boot, seq; /* of the last event numbered */
	int64_t published_seq;
	struct digest digest; /* of all objects, as of seq */
	int64_t caused_us;    /* when the first session of this turn began or ended; 0: none */
	bool retain;          /* option retain_presence */
	bool heard;           /* somebody has subscribed to retained events since the start */
	bool slow_websockets; /* Mosquitto 2.0: output waits for turns of the loop */
	struct buf batch;     /* events of this turn */
	struct jwrite w;      /* writes them */
	int batch_len;
	struct batch *batches, **batches_end;      /* of this turn, full */
	struct retained *retained, **retained_end; /* messages that wait, oldest first */
	struct region waiting;                     /* where they lie */
	int64_t turn_us;                           /* when this turn began */
	int64_t next_heartbeat_us;
	int64_t turns_wanted; /* turns of the loop that output still needs */
};

void publish_open(struct publish *p, const char *node, const char *topic_root, bool retain);
void publish_close(struct publish *p);

/* A session begins or ends: the events about it will be this turn's. */
void publish_cause(struct publish *p);

/* Takes the next seq. The caller stores the object with it and then tells the event. */
int64_t publish_next_seq(struct publish *p);

/* Somebody subscribes. */
void publish_subscribed(struct publish *p, const char *filter);

/* Queues an event for the turn's end. */
void publish_presence(struct publish *p, const struct presence *event);

/* Queues only the retained message, which has no address (at start, for objects that did not
 * change). */
void publish_retained(struct publish *p, const struct presence *event);

/* Queues the removal of a deleted worker's retained message. */
void publish_forget(struct publish *p, const struct worker_id *id);

/* The turn's end: batches, retained messages, and the heartbeat when it is due. Under `logins`
 * most retained messages wait until there are none, or a quarter of a second, or a second while
 * nobody has subscribed to any: in a storm it is more urgent to let workers in. Returns true if
 * the loop must turn again soon for what was published to leave. */
bool publish_flush(struct publish *p, int64_t now_us, bool logins);

/* All retained messages that wait. Once, at start. */
void publish_flush_retained(struct publish *p);

/* To one live session; the caller has checked that it is live, for the broker leaks directed
 * messages that it drops. expiry_s 0: none. */
void publish_to_session(struct publish *p, const char *client_id, bool websockets,
			const char *topic, const void *payload, size_t len, uint32_t expiry_s);

/* An answer to a control client, with MQTT 5 correlation data if it sent some. */
void publish_answer(struct publish *p, const char *client_id, const char *topic,
		    const void *payload, size_t len, int qos, const void *correlation,
		    uint16_t correlation_len);

/* To whoever subscribed (audit rows, batches of metrics). */
void publish_all(struct publish *p, const char *topic, const void *payload, size_t len);

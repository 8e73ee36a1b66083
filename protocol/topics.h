// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* topics.h - every MQTT topic of Rollcall, built and matched here and nowhere else.
 *
 * A worker's topics are "{root}/{worker id}/{name}", root being "workers" unless the plugin's
 * option topic_root and the bridge's ROLLCALL_TOPIC_ROOT say otherwise. Thread: any.
 */
#pragma once

#include "protocol/ident.h"

#define TOPIC_ROOT_DEFAULT "workers"
#define TOPIC_ROOT_MAX 64
#define TOPIC_MAX 512 /* longest topic that we build: root, id and a name of the list below */

#define TOPIC_CONTROL "$CONTROL/rollcall/v1"
#define TOPIC_CONTROL_RESPONSE "$CONTROL/rollcall/v1/response"
#define TOPIC_PRESENCE_BATCH "rollcall/v1/presence"
#define TOPIC_HEARTBEAT "rollcall/v1/heartbeat"
#define TOPIC_AUDIT "rollcall/v1/audit"
#define TOPIC_TOKEN "rollcall/v1/token"
#define TOPIC_COMMAND_NEWS "rollcall/v1/commands" /* among bridges */
/* Not below rollcall/v1/, where everything is JSON. As closed to others. */
#define TOPIC_METRICS_BATCH "rollcall/metrics/v1"
#define TOPIC_OWN_PREFIX "rollcall/v1/" /* only the plugin and control users write below it */

/* X(NAME, last part, may its worker publish it, may its worker subscribe to it) */
#define WORKER_TOPIC_LIST(X)                                                                   \
	X(METRICS, "metrics", true, false)                                                     \
	X(METRICS_ACK, "metrics/ack", false, true)                                             \
	X(STATE, "state", true, false)                                                         \
	X(COMMANDS, "commands", false, true)                                                   \
	X(RESULTS, "results", true, false)                                                     \
	X(RESULTS_ACK, "results/ack", false, true)                                             \
	X(TOKEN, "token", false, true)                                                         \
	X(TOKEN_ACK, "token/ack", true, false)                                                 \
	X(NOTICE, "notice", false, true)                                                       \
	X(WILL, "will", true, false)                                                           \
	X(PRESENCE, "presence", false, true)

enum worker_topic {
#define X(name, part, pub, sub) WORKER_TOPIC_##name,
	WORKER_TOPIC_LIST(X)
#undef X
		WORKER_TOPIC_APP, /* "app/…": free for the worker */
	WORKER_TOPIC_OTHER,       /* below a worker, but none of ours */
};

/* The last part, "metrics/ack"; the two kinds without a fixed one have none (NULL). */
const char *worker_topic_name(enum worker_topic topic);
bool worker_may_publish(enum worker_topic topic);
bool worker_may_subscribe(enum worker_topic topic);

/* False unless root is 1 to TOPIC_ROOT_MAX bytes of levels without wildcards that does not
 * begin with '$' or '/', nor end in '/', nor lie under "rollcall". */
bool topic_root_valid(const char *root);

/* Writes "{root}/{id}/{name}" into out. */
void topic_of_worker(const char *root, const struct worker_id *id, enum worker_topic topic,
		     char out[TOPIC_MAX]);

/* Takes a topic (or a subscription filter, literally) apart. False if it is not of the form
 * "{root}/{level}/…". `id` gets the level if it is a worker id, else the empty string ("+"). */
bool topic_match_worker(const char *root, const char *topic, struct worker_id *id,
			enum worker_topic *kind);

/* The filter behind "$share/{group}/" (MQTT 5 section 4.8.2), or the filter itself. */
const char *topic_without_share(const char *filter);

/* The same for one worker: false if the topic is another's. A tenth of the work. */
bool topic_match_own(const char *root, const char *topic, const struct worker_id *id,
		     enum worker_topic *kind);

/* Whether there are topics that both subscription filters match. Those that begin with '$',
 * which wildcards leave out (MQTT 3.1.1 section 4.7.2), count too. */
bool topic_filters_meet(const char *a, const char *b);

/* A subscription filter for all workers, e.g. "workers/+/metrics". */
void topic_filter_all(const char *root, enum worker_topic topic, char out[TOPIC_MAX]);

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* stats.h - what the plugin counts: one block for the process, as there is one broker in it, so
 * that a count is an addition to memory wherever it is made. control_stats.c answers it;
 * docs/reference/control.md describes the form.
 *
 * Thread: the broker's. What another thread measures is handed over first (store_collect()).
 */
#pragma once

#include "plugin/histogram.h"

#include <stdint.h>

#define STATS_LABELS_MAX 40

/* Counters without a label: X(ID, name, help). */
#define STATS_COUNTERS(X)                                                                      \
	X(MESSAGES_RECEIVED, messages_received, "Messages that workers published")             \
	X(BYTES_RECEIVED, bytes_received, "Bytes of payload that workers published")           \
	X(MESSAGES_SENT, messages_sent, "Messages delivered to workers")                       \
	X(BYTES_SENT, bytes_sent, "Bytes of payload delivered to workers")                     \
	X(PRESENCE_BATCHES, presence_batches, "Batches of presence events published")          \
	X(METRIC_MESSAGES, metric_messages, "Messages with metrics handed to bridges")         \
	X(METRIC_BATCHES, metric_batches, "Batches of them")                                   \
	X(METRICS_DROPPED, metrics_dropped, "Messages with metrics too large to be handed on") \
	X(NOTICES, notices, "Notices sent to sessions")                                        \
	X(AUDIT_ROWS, audit_rows, "Rows published about refused logins")                       \
	X(CONTROL_MESSAGES, control_messages, "Messages of control users")                     \
	X(LIST_PAGES, list_pages, "Pages of listConnections")                                  \
	X(LIST_OBJECTS, list_objects, "Objects in them")                                       \
	X(STATES_DROPPED, states_dropped, "Reported states that were not kept")                \
	X(OBJECTS_NOT_STORED, objects_not_stored, "Events that storage did not take")          \
	X(STORAGE_COMMITS, storage_commits, "Commits that became durable")                     \
	X(STORAGE_FAILURES, storage_failures, "Times that storage began to refuse")

/* Numbers by the values of a label: X(ID, name, label, help). */
#define STATS_FAMILIES(X)                                                                      \
	X(CONNECTS, connects, result, "Logins of workers")                                     \
	X(DISCONNECTS, disconnects, reason, "Workers that were online and no longer are")      \
	X(PRESENCE_EVENTS, presence_events, state, "Presence events")                          \
	X(DENIED, denied, rule, "Requests of clients that were denied")                        \
	X(LIMITED, limited, limit, "What was refused for being too much")                      \
	X(CONTROL_COMMANDS, control_commands, command, "Control commands carried out")         \
	X(CONTROL_ERRORS, control_errors, code, "Control commands answered with an error")

/* The same, but raised and lowered. Who is offline is not counted, but all the others' rest. */
#define STATS_GAUGES(X)                                                                        \
	X(WORKERS, workers, state, "Workers by state")                                         \
	X(SESSIONS, sessions, transport, "Live sessions: 0 is TCP, 1 WebSocket")

#define STATS_HISTOGRAMS(X)                                                                    \
	X(TICK_DURATION, tick_duration_seconds, "Time taken at the end of a turn of the loop") \
	X(PRESENCE_DELAY, presence_delay_seconds,                                              \
	  "From the first session of a turn that began or ended to the events' publication")   \
	X(LIST_HOLD, list_hold_seconds, "Time that lists took of the loop at once")            \
	X(COMMIT_DURATION, storage_commit_duration_seconds, "Time until a commit was durable")

#define X(id, ...) STAT_##id,
enum stat_counter { STATS_COUNTERS(X) STAT_COUNTERS };
enum stat_family { STATS_FAMILIES(X) STATS_GAUGES(X) STAT_FAMILIES };
enum stat_histogram { STATS_HISTOGRAMS(X) STAT_HISTOGRAMS };
#undef X

/* Why a request was denied, in the order of its names. */
#define DENY_RULES_LIST(X)                                                                     \
	X(PUBLISH, "publish")       /* to a topic that is not for it */                        \
	X(SUBSCRIBE, "subscribe")   /* with a filter that is not for it */                     \
	X(READ, "read")             /* a message that is not for it */                         \
	X(RETAIN, "retain")         /* with the retain flag */                                 \
	X(NO_SESSION, "no_session") /* its session has ended, or is being closed */            \
	X(TOO_LARGE, "too_large")                                                              \
	X(RATE, "rate")       /* a message above publishes_per_second */                       \
	X(FOREIGN, "foreign") /* somebody else's, on a topic of ours */

enum deny_rule {
#define X(id, name) DENY_##id,
	DENY_RULES_LIST(X)
#undef X
		DENY_RULES
};

#define STAT_LIMITS_LIST(X)                                                                    \
	X(AUTH_FAILURES, "auth_failures")                                                      \
	X(CONNECTS, "connects")                                                                \
	X(PUBLISHES, "publishes")                                                              \
	X(COMMANDS, "commands") /* of one control message */

enum stat_limit {
#define X(id, name) LIMIT_##id,
	STAT_LIMITS_LIST(X)
#undef X
		STAT_LIMITS
};

struct stats {
	int64_t counters[STAT_COUNTERS];
	int64_t families[STAT_FAMILIES][STATS_LABELS_MAX];
	struct histogram histograms[STAT_HISTOGRAMS];
};

extern struct stats stats;

/* Sets all to zero: the plugin starts. */
void stats_reset(void);

static inline void stats_add(enum stat_counter counter, int64_t n)
{
	stats.counters[counter] += n;
}

/* `value` is that of the enum which the family's label has the names of. */
static inline void stats_label(enum stat_family family, unsigned value, int64_t n)
{
	if (value < STATS_LABELS_MAX)
		stats.families[family][value] += n;
}

static inline void stats_observe_us(enum stat_histogram which, int64_t us)
{
	histogram_add(&stats.histograms[which], us * 1000);
}

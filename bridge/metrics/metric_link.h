// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* metric_link.h - the metrics' own connection to Mosquitto, on a thread of its own: however
 * many reports come in, presence and commands on the other connection are not behind them.
 *
 * It shares the subscription to the plugin's batches of metrics with other bridges, at QoS 0.
 * What is lost on the way was not acknowledged, and the worker sends it again; an
 * acknowledgement for each report would cost the broker as much as the report itself.
 *
 * Connects by itself and again, to the address it was told last. While it is under load it
 * reads at most once in a millisecond, which costs a small part of waking up for each report.
 */
#pragma once

#include "protocol/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct metric_link;

/* On the link's thread. */
struct metric_link_events {
	/* A message under the subscription. `topic` ends in NUL, `payload` need not; both are
	 * borrowed. */
	void (*message)(void *arg, const char *topic, const char *payload, size_t len);
	/* A message that was too long to be read. */
	void (*too_long)(void *arg);
	/* What was there to read has been read: now is the time to pass it on. */
	void (*turn)(void *arg);
	void *arg;
};

struct metric_link *metric_link_new(const struct config *config,
				    const struct metric_link_events *events,
				    struct err *e) MUST_CHECK;
void metric_link_free(struct metric_link *l); /* NULL is fine; stops it */

/* Thread: any. `address` is numeric. Connects, unless it is connected already. */
void metric_link_open(struct metric_link *l, const char *address);

/* Sends what waits, if that goes at once, says goodbye and ends the thread. */
void metric_link_stop(struct metric_link *l);

/* Queues a message at QoS 0; false: there is no connection, or the broker does not keep up.
 * Thread: any. */
bool metric_link_send(struct metric_link *l, const char *topic, const void *payload,
		      size_t len) MUST_CHECK;

/* The subscription is acknowledged. Thread: any. */
bool metric_link_up(const struct metric_link *l);

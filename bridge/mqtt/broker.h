// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* broker.h - the connection to Mosquitto (libmosquitto, driven by the loop; never blocks).
 *
 * Connects by itself and again, with backoff, for ever. Each module that listens registers
 * once; subscriptions are renewed after every connect. Thread: loop.
 */
#pragma once

#include "protocol/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Before a filter: of several bridges, one gets each message. */
#define SHARED_PREFIX "$share/rollcall/"

struct app;
struct broker;

struct broker_listener {
	/* Exact topic or filter to subscribe to; NULL: none (directed messages come anyway). */
	const char *filter;
	/* True for a message that this listener wants. */
	bool (*wants)(void *arg, const char *topic);
	void (*message)(void *arg, const char *topic, const char *payload, size_t len);
	void (*connected)(void *arg);    /* subscriptions are acknowledged; may be NULL */
	void (*disconnected)(void *arg); /* may be NULL */
	void *arg;
	struct broker_listener *next; /* the broker's */
};

struct broker *broker_new(struct app *app, struct err *e) MUST_CHECK;
void broker_free(struct broker *b); /* NULL is fine */

/* Says goodbye and stays away; listeners are told. What waits for an answer fails now, while
 * everybody is still there to hear it. */
void broker_stop(struct broker *b);

/* Keeps the listener, which belongs to the caller, until broker_free(). */
void broker_listen(struct broker *b, struct broker_listener *listener);

bool broker_connected(const struct broker *b);

/* The numeric address of the last attempt to connect; "" before the first one. */
const char *broker_address(const struct broker *b);

/* Connections and messages, for operators. */
struct prom;
void broker_expose(const struct broker *b, struct prom *p);

/* Publishes at QoS 0 or 1, not retained. ERR_BROKER_UNAVAILABLE when not connected or when the
 * queue of messages that are not acknowledged, or not written, is full. */
enum err_code broker_publish(struct broker *b, const char *topic, const void *payload,
			     size_t len, int qos, struct err *e) MUST_CHECK;

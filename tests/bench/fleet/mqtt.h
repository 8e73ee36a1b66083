// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* mqtt.h - an MQTT client session (3.1.1 or 5) over TCP or WebSocket, QoS 0 and 1. */
#pragma once

#include "tests/bench/fleet/net.h"

struct mqtt;

struct mqtt_login {
	const char *client_id, *user, *token; /* user NULL: anonymous */
	const char *will_topic, *will_text;   /* NULL: no will */
	const char *path;                     /* of the WebSocket */
};

struct mqtt_message {
	const char *topic, *payload; /* not terminated */
	size_t topic_len, payload_len;
};

struct mqtt_events {
	struct mqtt_login (*login)(struct mqtt *m);
	void (*accepted)(struct mqtt *m); /* CONNACK */
	void (*subscribed)(struct mqtt *m);
	void (*acknowledged)(struct mqtt *m, uint16_t packet_id);
	void (*message)(struct mqtt *m, const struct mqtt_message *message);
	void (*lost)(struct mqtt *m); /* or refused */
};

struct mqtt {
	struct conn conn;
	const struct mqtt_events *events;
	struct bytes packets; /* of the WebSocket, undigested */
	int port, version, keepalive;
	bool websocket, upgraded;
	uint16_t packet_id; /* last */
	int64_t connect_us; /* when CONNECT was sent */
};

/* Opens the connection and logs in; the events tell how it goes on. `number` as in net_open().
 * The members port, version, keepalive and websocket are the caller's to set before. */
void mqtt_open(struct mqtt *m, const struct mqtt_events *events, unsigned int number);

void mqtt_close(struct mqtt *m, bool reset);
void mqtt_subscribe(struct mqtt *m, const char *const filters[], int count); /* QoS 1 */

/* With QoS 1 returns the packet id that acknowledged() will name. */
uint16_t mqtt_publish(struct mqtt *m, const char *topic, const char *payload, size_t len,
		      int qos);

void mqtt_ping(struct mqtt *m);

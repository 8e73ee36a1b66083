// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* mqtt_packet.h - the few packets of MQTT 5 that the metrics' connection speaks, written and
 * read where they lie. Pure: no I/O, no allocation but the buf's.
 *
 * Numbers in parentheses are sections of the MQTT 5.0 specification.
 */
#pragma once

#include "protocol/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MQTT_HEADER_MAX 5 /* type and up to four bytes of length (2.1) */

enum mqtt_type {
	MQTT_CONNACK = 2,
	MQTT_PUBLISH = 3,
	MQTT_PUBACK = 4,
	MQTT_SUBACK = 9,
	MQTT_PINGRESP = 13,
	MQTT_DISCONNECT = 14,
};

/* One packet in a stream. */
struct mqtt_packet {
	uint8_t type, flags;
	const char *body;
	size_t len;  /* of the body */
	size_t size; /* of the packet */
};

struct mqtt_message {
	const char *topic, *payload; /* not NUL-terminated */
	size_t topic_len, payload_len;
	uint8_t qos;
	uint16_t id; /* QoS 1 */
};

enum mqtt_progress {
	MQTT_WHOLE,
	MQTT_PARTIAL, /* more bytes are needed; size says how many in all, 0: not known yet */
	MQTT_BAD,     /* not MQTT: the connection is of no use any more */
};

/* Takes the first packet off `bytes`. */
enum mqtt_progress mqtt_next(const char *bytes, size_t len, struct mqtt_packet *out);

/* Reason codes (2.4), 0 is success; -1: the packet is malformed. A SUBACK's is the highest of
 * its filters'. */
int mqtt_connack_reason(const struct mqtt_packet *p);
int mqtt_suback_reason(const struct mqtt_packet *p);
int mqtt_disconnect_reason(const struct mqtt_packet *p);

bool mqtt_read_publish(const struct mqtt_packet *p, struct mqtt_message *out) MUST_CHECK;

/* Writers append to `out`. */
void mqtt_write_connect(struct buf *out, const char *client_id, const char *user,
			const char *password, uint16_t keepalive_s);
void mqtt_write_subscribe(struct buf *out, uint16_t id, const char *const filters[], size_t n,
			  uint8_t qos);
void mqtt_write_publish(struct buf *out, const char *topic, const void *payload,
			size_t len); /* QoS 0 */
void mqtt_write_puback(struct buf *out, uint16_t id);
void mqtt_write_pingreq(struct buf *out);
void mqtt_write_disconnect(struct buf *out);

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "tests/bench/fleet/mqtt.h"

#include "protocol/clock.h"
#include "tests/bench/fleet/text.h"
#include "tests/bench/fleet/websocket.h"

#include <stdio.h>
#include <string.h>

#define PACKET_MAX (64 * 1024 - 1)
#define TOPIC_AND_IDS_MAX 1024

enum {
	CONNECT = 0x10,
	CONNACK = 0x20,
	PUBLISH = 0x30,
	PUBACK = 0x40,
	SUBSCRIBE = 0x82,
	SUBACK = 0x90,
	PINGREQ = 0xC0,
	DISCONNECT = 0xE0
};

enum { CLEAN = 2, WILL_QOS1 = 4 | 8, USER_AND_PASSWORD = 0xC0 };

/* ---- out ---- */

static void send_packet(struct mqtt *m, int type, const char *body, size_t len)
{
	static char packet[PACKET_MAX + 1];
	size_t left = len, at = 0;

	if (len + 5 > PACKET_MAX)
		die("a packet is too long");
	packet[at++] = (char)type;
	do {
		packet[at++] = (char)((left & 127) | (left > 127 ? 128 : 0));
		left >>= 7;
	} while (left > 0);
	memcpy(packet + at, body, len);
	if (m->websocket)
		ws_send(&m->conn, WS_BINARY, packet, at + len);
	else
		net_send(&m->conn, packet, at + len);
}

static char *put_u16(char *p, size_t value)
{
	*p++ = (char)(value >> 8);
	*p++ = (char)value;
	return p;
}

static char *put_str(char *p, const char *text)
{
	size_t len = strlen(text);

	if (len > TEXT_MAX)
		die("a name is too long");
	p = put_u16(p, len);
	memcpy(p, text, len);
	return p + len;
}

/* No properties (MQTT 5). */
static char *put_properties(const struct mqtt *m, char *p)
{
	if (m->version == 5)
		*p++ = 0;
	return p;
}

static void send_connect(struct mqtt *m)
{
	const struct mqtt_login login = m->events->login(m);
	char body[6 * TEXT_MAX], *p = body;

	p = put_str(p, "MQTT");
	*p++ = (char)m->version;
	*p++ = (char)(CLEAN | (login.will_topic != NULL ? WILL_QOS1 : 0) |
		      (login.user != NULL ? USER_AND_PASSWORD : 0));
	p = put_u16(p, (size_t)m->keepalive);
	p = put_properties(m, p);
	p = put_str(p, login.client_id);
	if (login.will_topic != NULL) {
		p = put_properties(m, p);
		p = put_str(p, login.will_topic);
		p = put_str(p, login.will_text);
	}
	if (login.user != NULL) {
		p = put_str(p, login.user);
		p = put_str(p, login.token);
	}
	m->connect_us = clock_mono_us();
	send_packet(m, CONNECT, body, (size_t)(p - body));
}

void mqtt_subscribe(struct mqtt *m, const char *const filters[], int count)
{
	char body[4 * TEXT_MAX], *p = put_u16(body, 1);

	p = put_properties(m, p);
	for (int i = 0; i < count; i++) {
		p = put_str(p, filters[i]);
		*p++ = 1;
	}
	send_packet(m, SUBSCRIBE, body, (size_t)(p - body));
}

uint16_t mqtt_publish(struct mqtt *m, const char *topic, const char *payload, size_t len,
		      int qos)
{
	static char body[PACKET_MAX];
	char *p = put_str(body, topic);

	if (len > PACKET_MAX - TOPIC_AND_IDS_MAX)
		die("a payload is too long");
	if (qos > 0) {
		if (++m->packet_id == 0)
			m->packet_id = 1;
		p = put_u16(p, m->packet_id);
	}
	p = put_properties(m, p);
	memcpy(p, payload, len);
	send_packet(m, PUBLISH | qos << 1, body, (size_t)(p - body) + len);
	return qos > 0 ? m->packet_id : 0;
}

void mqtt_ping(struct mqtt *m)
{
	send_packet(m, PINGREQ, "", 0);
}

/* ---- in ---- */

static void on_connack(struct mqtt *m, const unsigned char *p, size_t len)
{
	char why[40];

	if (len >= 2 && p[1] == 0) {
		m->events->accepted(m);
		return;
	}
	snprintf(why, sizeof(why), "CONNACK 0x%02x", len >= 2 ? p[1] : 0u);
	net_fail(&m->conn, FAULT_REFUSED, why);
}

/* The length of MQTT 5's properties with their length field. */
static size_t skip_properties(const struct mqtt *m, const unsigned char *p, size_t len)
{
	size_t n = 0, at = 0;

	if (m->version != 5)
		return 0;
	for (int shift = 0; at < len && shift < 28; shift += 7) {
		n |= (size_t)(p[at] & 127) << shift;
		if ((p[at++] & 128) == 0)
			break;
	}
	return at + n;
}

static void on_publish(struct mqtt *m, int flags, const unsigned char *p, size_t len)
{
	struct mqtt_message message = {.topic = (const char *)p + 2};
	bool wants_ack = (flags & 6) != 0;
	size_t at;

	message.topic_len = len < 2 ? len : (size_t)(p[0] << 8 | p[1]);
	at = 2 + message.topic_len + (wants_ack ? 2 : 0);
	if (at <= len)
		at += skip_properties(m, p + at, len - at);
	if (at > len) {
		net_fail(&m->conn, FAULT_PROTOCOL, "a PUBLISH is too short");
		return;
	}
	if (wants_ack)
		send_packet(m, PUBACK, (const char *)p + 2 + message.topic_len, 2);
	message.payload = (const char *)p + at;
	message.payload_len = len - at;
	m->events->message(m, &message);
}

static void on_packet(struct mqtt *m, int type, const unsigned char *p, size_t len)
{
	switch (type & 0xf0) {
	case CONNACK:
		on_connack(m, p, len);
		break;
	case PUBLISH:
		on_publish(m, type & 15, p, len);
		break;
	case PUBACK:
		if (len >= 2)
			m->events->acknowledged(m, (uint16_t)(p[0] << 8 | p[1]));
		break;
	case SUBACK:
		m->events->subscribed(m);
		break;
	case DISCONNECT:
		report_fault(FAULT_LOST, "DISCONNECT 0x%02x", len > 0 ? p[0] : 0u);
		break;
	default: /* PINGRESP */
		break;
	}
}

/* The first packet's length with its header, 0 while it is incomplete. */
static size_t packet_length(const unsigned char *p, size_t len, size_t *header)
{
	size_t n = 0, at = 1;

	for (int shift = 0; at < len && shift < 28; shift += 7) {
		n |= (size_t)(p[at] & 127) << shift;
		if ((p[at++] & 128) == 0) {
			*header = at;
			return len - at >= n ? at + n : 0;
		}
	}
	return 0;
}

static size_t digest_packets(struct mqtt *m, const char *data, size_t len)
{
	const unsigned char *p = (const unsigned char *)data;
	size_t at = 0, header = 0, n;

	while (m->conn.fd >= 0 && (n = packet_length(p + at, len - at, &header)) > 0) {
		on_packet(m, p[at], p + at + header, n - header);
		at += n;
	}
	return at;
}

/* MQTT over WebSocket is a stream, too: a frame may hold parts of packets. */
static void on_frame(struct mqtt *m, const struct ws_frame *frame)
{
	size_t used;

	if (frame->opcode == WS_PING) {
		ws_send(&m->conn, WS_PONG, frame->data, frame->len);
	} else if (frame->opcode == WS_CLOSE) {
		net_fail(&m->conn, FAULT_LOST, "WebSocket closed by the peer");
	} else if (frame->opcode != WS_PONG && m->packets.len > 0) {
		bytes_add(&m->packets, frame->data, frame->len);
		used = digest_packets(m, m->packets.data, m->packets.len);
		if (m->conn.fd >= 0)
			bytes_drop(&m->packets, used);
	} else if (frame->opcode != WS_PONG) {
		used = digest_packets(m, frame->data, frame->len);
		if (m->conn.fd >= 0)
			bytes_add(&m->packets, frame->data + used, frame->len - used);
	}
}

static size_t digest_frames(struct mqtt *m, const char *data, size_t len)
{
	struct ws_frame frame;
	size_t at = 0, n;

	while (m->conn.fd >= 0 && (n = ws_next(data + at, len - at, &frame)) > 0) {
		on_frame(m, &frame);
		at += n;
	}
	return at;
}

/* ---- the connection ---- */

static struct mqtt *of_conn(struct conn *c)
{
	return (struct mqtt *)c; /* its first member */
}

static void opened(struct conn *c)
{
	struct mqtt *m = of_conn(c);

	if (m->websocket)
		ws_request(c, m->port, m->events->login(m).path);
	else
		send_connect(m);
}

static size_t received(struct conn *c, const char *data, size_t len)
{
	struct mqtt *m = of_conn(c);
	bool accepted = false;
	size_t at = 0;

	if (!m->websocket)
		return digest_packets(m, data, len);
	if (!m->upgraded) {
		at = ws_answer(data, len, &accepted);
		if (at == 0)
			return 0;
		if (!accepted) {
			net_fail(c, FAULT_UPGRADE, "the upgrade was refused");
			return len;
		}
		m->upgraded = true;
		send_connect(m);
	}
	return at + digest_frames(m, data + at, len - at);
}

static void lost(struct conn *c)
{
	struct mqtt *m = of_conn(c);

	bytes_free(&m->packets);
	m->events->lost(m);
}

static const struct conn_kind kind = {opened, received, lost};

void mqtt_open(struct mqtt *m, const struct mqtt_events *events, unsigned int number)
{
	m->events = events;
	m->upgraded = false;
	net_open(&m->conn, &kind, m->port, number);
}

void mqtt_close(struct mqtt *m, bool reset)
{
	bytes_free(&m->packets);
	net_close(&m->conn, reset);
}

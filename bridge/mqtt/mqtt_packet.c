// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/mqtt/mqtt_packet.h"

#include <string.h>

#define PROTOCOL_VERSION 5
#define CLEAN_START 0x02
#define HAS_PASSWORD 0x40
#define HAS_USER 0x80

enum {
	CONNECT = 1,
	SUBSCRIBE = 8,
	PINGREQ = 12,
};

/* ---- reading ----------------------------------------------------------------------------- */

/* A place in a packet's body; once it has gone over the end, everything read is 0. */
struct cursor {
	const unsigned char *at, *end;
	bool over;
};

static struct cursor cursor_of(const struct mqtt_packet *p)
{
	const unsigned char *body = (const unsigned char *)p->body;

	return (struct cursor){.at = body, .end = body + p->len};
}

static const char *take(struct cursor *c, size_t len)
{
	const unsigned char *at = c->at;

	if (c->over || (size_t)(c->end - c->at) < len) {
		c->over = true;
		return NULL;
	}
	c->at += len;
	return (const char *)at;
}

static uint8_t take_u8(struct cursor *c)
{
	const char *at = take(c, 1);

	return at != NULL ? (uint8_t)*at : 0;
}

static uint16_t take_u16(struct cursor *c)
{
	const unsigned high = take_u8(c), low = take_u8(c);

	return (uint16_t)(high << 8 | low);
}

/* Variable byte integer (1.5.5). */
static uint32_t take_varint(struct cursor *c)
{
	uint32_t value = 0;

	for (unsigned shift = 0; shift < 28; shift += 7) {
		const uint8_t byte = take_u8(c);

		value |= (uint32_t)(byte & 127) << shift;
		if (byte < 128)
			return value;
	}
	c->over = true;
	return 0;
}

/* What the properties say is nothing that we need (2.2.2). */
static void skip_properties(struct cursor *c)
{
	take(c, take_varint(c));
}

enum mqtt_progress mqtt_next(const char *bytes, size_t len, struct mqtt_packet *out)
{
	struct cursor c = {.at = (const unsigned char *)bytes,
			   .end = (const unsigned char *)bytes +
				  (len < MQTT_HEADER_MAX ? len : MQTT_HEADER_MAX)};
	const uint8_t first = take_u8(&c);
	const uint32_t body = take_varint(&c);
	const size_t header = (size_t)(c.at - (const unsigned char *)bytes);

	*out = (struct mqtt_packet){.type = first >> 4, .flags = first & 15};
	if (c.over)
		return len < MQTT_HEADER_MAX ? MQTT_PARTIAL : MQTT_BAD;
	if (out->type == 0)
		return MQTT_BAD;
	out->body = bytes + header;
	out->len = body;
	out->size = header + body;
	return len >= out->size ? MQTT_WHOLE : MQTT_PARTIAL;
}

int mqtt_connack_reason(const struct mqtt_packet *p)
{
	struct cursor c = cursor_of(p);
	uint8_t reason;

	take_u8(&c); /* session present */
	reason = take_u8(&c);
	return c.over ? -1 : reason;
}

int mqtt_suback_reason(const struct mqtt_packet *p)
{
	struct cursor c = cursor_of(p);
	int highest = -1;

	take_u16(&c);
	skip_properties(&c);
	while (!c.over && c.at < c.end) {
		const int reason = take_u8(&c);

		highest = reason > highest ? reason : highest;
	}
	return highest;
}

int mqtt_disconnect_reason(const struct mqtt_packet *p)
{
	struct cursor c = cursor_of(p);

	return p->len == 0 ? 0 : take_u8(&c); /* an absent reason is 0 (3.14.2.1) */
}

bool mqtt_read_publish(const struct mqtt_packet *p, struct mqtt_message *out)
{
	struct cursor c = cursor_of(p);

	out->topic_len = take_u16(&c);
	out->topic = take(&c, out->topic_len);
	out->qos = p->flags >> 1 & 3;
	out->id = out->qos > 0 ? take_u16(&c) : 0;
	skip_properties(&c);
	out->payload = (const char *)c.at;
	out->payload_len = (size_t)(c.end - c.at);
	return !c.over && out->qos < 2;
}

/* ---- writing ----------------------------------------------------------------------------- */

static void add_u16(struct buf *out, size_t value)
{
	const char bytes[] = {(char)(value >> 8 & 255), (char)(value & 255)};

	buf_add(out, bytes, sizeof(bytes));
}

static void add_text(struct buf *out, const char *text)
{
	const size_t len = strlen(text);

	if (len > UINT16_MAX) {
		out->failed = true;
		return;
	}
	add_u16(out, len);
	buf_add(out, text, len);
}

static void add_header(struct buf *out, unsigned type, unsigned flags, size_t len)
{
	buf_add_char(out, (char)(type << 4 | flags));
	if (len >= (size_t)1 << 28)
		out->failed = true;
	do {
		buf_add_char(out, (char)((len & 127) | (len > 127 ? 128 : 0)));
		len >>= 7;
	} while (len > 0);
}

void mqtt_write_connect(struct buf *out, const char *client_id, const char *user,
			const char *password, uint16_t keepalive_s)
{
	const bool has_password = *password != '\0';
	const unsigned flags = CLEAN_START | HAS_USER | (has_password ? HAS_PASSWORD : 0u);

	add_header(out, CONNECT, 0,
		   11 + 2 + strlen(client_id) + 2 + strlen(user) +
			   (has_password ? 2 + strlen(password) : 0));
	add_text(out, "MQTT");
	buf_add_char(out, PROTOCOL_VERSION);
	buf_add_char(out, (char)flags);
	add_u16(out, keepalive_s);
	buf_add_char(out, 0); /* no properties */
	add_text(out, client_id);
	add_text(out, user);
	if (has_password)
		add_text(out, password);
}

void mqtt_write_subscribe(struct buf *out, uint16_t id, const char *const filters[], size_t n,
			  uint8_t qos)
{
	size_t len = 2 + 1;

	for (size_t i = 0; i < n; i++)
		len += 2 + strlen(filters[i]) + 1;
	add_header(out, SUBSCRIBE, 2, len);
	add_u16(out, id);
	buf_add_char(out, 0);
	for (size_t i = 0; i < n; i++) {
		add_text(out, filters[i]);
		buf_add_char(out, (char)qos);
	}
}

void mqtt_write_publish(struct buf *out, const char *topic, const void *payload, size_t len)
{
	add_header(out, MQTT_PUBLISH, 0, 2 + strlen(topic) + 1 + len);
	add_text(out, topic);
	buf_add_char(out, 0);
	buf_add(out, payload, len);
}

void mqtt_write_puback(struct buf *out, uint16_t id)
{
	add_header(out, MQTT_PUBACK, 0, 2); /* without a reason: success (3.4.2.1) */
	add_u16(out, id);
}

void mqtt_write_pingreq(struct buf *out)
{
	add_header(out, PINGREQ, 0, 0);
}

void mqtt_write_disconnect(struct buf *out)
{
	add_header(out, MQTT_DISCONNECT, 0, 0);
}

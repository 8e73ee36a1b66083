// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* A stream of MQTT packets, as the metrics' connection reads it, and batches of metrics in it.
 */
#include "bridge/mqtt/mqtt_packet.h"
#include "protocol/frames.h"
#include "tests/fuzz/fuzz.h"

static void check_frames(const char *bytes, size_t len)
{
	struct frames f = {bytes, bytes + len};
	const char *payload, *before = f.at;
	struct worker_id worker, again;
	struct frames back;
	size_t payload_len;
	struct buf out;

	while (frame_next(&f, &worker, &payload, &payload_len)) {
		must(payload > before && payload + payload_len == f.at && f.at <= f.end);
		before = f.at;
		buf_init(&out, payload_len + FRAME_HEAD_MAX);
		frame_write(&out, &worker, payload, payload_len);
		must(!out.failed);
		back = (struct frames){out.data, out.data + out.len};
		must(frame_next(&back, &again, &payload, &payload_len) && back.at == back.end);
		must(worker_id_equal(&again, &worker));
		buf_fini(&out);
	}
}

static void check_publish(const struct mqtt_packet *p)
{
	const char *end = p->body + p->len;
	struct mqtt_message m;

	if (!mqtt_read_publish(p, &m))
		return;
	must(m.qos < 2 && m.topic >= p->body && m.topic + m.topic_len <= end);
	must(m.payload >= p->body && m.payload + m.payload_len == end);
	check_frames(m.payload, m.payload_len);
}

static void check_packet(const struct mqtt_packet *p)
{
	check_publish(p);
	must(mqtt_connack_reason(p) >= -1 && mqtt_connack_reason(p) < 256);
	must(mqtt_suback_reason(p) >= -1 && mqtt_suback_reason(p) < 256);
	must(mqtt_disconnect_reason(p) >= 0 && mqtt_disconnect_reason(p) < 256);
}

/* What is written is read as it was. */
static void check_writer(const char *bytes, size_t len)
{
	struct mqtt_packet p;
	struct mqtt_message m;
	struct buf out;

	buf_init(&out, len + 64);
	mqtt_write_publish(&out, "topic", bytes, len);
	must(!out.failed && mqtt_next(out.data, out.len, &p) == MQTT_WHOLE);
	must(p.type == MQTT_PUBLISH && p.size == out.len && mqtt_read_publish(&p, &m));
	must(m.topic_len == 5 && m.qos == 0 && m.payload_len == len);
	must(len == 0 || memcmp(m.payload, bytes, len) == 0);
	buf_fini(&out);
}

FUZZ_NEEDS_NOTHING_BEFORE

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *at = (const char *)data;
	size_t left = len;
	struct mqtt_packet p;
	enum mqtt_progress progress;

	if (len == 0)
		return 0;
	check_writer(at, len);
	check_frames(at, len);
	while ((progress = mqtt_next(at, left, &p)) == MQTT_WHOLE) {
		must(p.size <= left && p.body + p.len == at + p.size);
		check_packet(&p);
		at += p.size;
		left -= p.size;
		if (left == 0)
			break;
	}
	if (progress == MQTT_PARTIAL)
		must(p.size == 0 || p.size > left);
	return 0;
}

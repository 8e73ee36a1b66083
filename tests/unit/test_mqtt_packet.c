// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/mqtt/mqtt_packet.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

static void expect_bytes(const struct buf *b, const char *bytes, size_t len)
{
	assert_false(b->failed);
	assert_int_equal(b->len, len);
	assert_memory_equal(b->data, bytes, len);
}

#define EXPECT(b, literal) expect_bytes(b, literal, sizeof(literal) - 1)

static void packets_are_written_as_the_specification_has_them(void **state)
{
	static const char *const filters[] = {"a/+", "b"};
	struct buf b;

	(void)state;
	buf_init(&b, 1024);
	mqtt_write_connect(&b, "id", "user", "pw", 10);
	EXPECT(&b, "\x10\x19\0\4MQTT\5\xc2\0\x0a\0\0\2id\0\4user\0\2pw");
	buf_reset(&b);
	mqtt_write_connect(&b, "id", "user", "", 10);
	EXPECT(&b, "\x10\x15\0\4MQTT\5\x82\0\x0a\0\0\2id\0\4user");
	buf_reset(&b);
	mqtt_write_subscribe(&b, 258, filters, ARRAY_LEN(filters), 0);
	EXPECT(&b, "\x82\x0d\1\2\0\0\3a/+\0\0\1b\0");
	buf_reset(&b);
	mqtt_write_publish(&b, "t", "payload", 7);
	EXPECT(&b, "\x30\x0b\0\1t\0payload");
	buf_reset(&b);
	mqtt_write_puback(&b, 513);
	mqtt_write_pingreq(&b);
	mqtt_write_disconnect(&b);
	EXPECT(&b, "\x40\2\2\1\xc0\0\xe0\0");
	buf_fini(&b);
}

static void long_packets_have_long_lengths(void **state)
{
	static const size_t lens[] = {0, 127 - 4, 128 - 4, 16383 - 4, 16384 - 4, 2097152};
	struct mqtt_message m;
	struct mqtt_packet p;
	char *payload = calloc(1, 2097152);
	struct buf b;

	(void)state;
	buf_init(&b, (size_t)4 * 1024 * 1024);
	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		buf_reset(&b);
		mqtt_write_publish(&b, "t", payload, lens[i]);
		assert_int_equal(mqtt_next(b.data, b.len, &p), MQTT_WHOLE);
		assert_int_equal(p.size, b.len);
		assert_true(mqtt_read_publish(&p, &m));
		assert_int_equal(m.payload_len, lens[i]);
	}
	buf_fini(&b);
	free(payload);
}

static void a_stream_is_taken_packet_by_packet(void **state)
{
	static const char stream[] = "\x30\x0b\0\1t\0payload\xd0\0\x30";
	struct mqtt_packet p;
	struct mqtt_message m;

	(void)state;
	assert_int_equal(mqtt_next(stream, sizeof(stream) - 1, &p), MQTT_WHOLE);
	assert_int_equal(p.type, MQTT_PUBLISH);
	assert_int_equal(p.size, 13);
	assert_true(mqtt_read_publish(&p, &m));
	assert_int_equal(m.topic_len, 1);
	assert_memory_equal(m.topic, "t", 1);
	assert_int_equal(m.payload_len, 7);
	assert_memory_equal(m.payload, "payload", 7);
	assert_int_equal(mqtt_next(stream + 13, 3, &p), MQTT_WHOLE);
	assert_int_equal(p.type, MQTT_PINGRESP);
	assert_int_equal(mqtt_next(stream + 15, 1, &p), MQTT_PARTIAL);
	assert_int_equal(p.size, 0);
}

static void every_part_of_a_packet_is_partial(void **state)
{
	static const char whole[] = "\x30\x0b\0\1t\0payload";
	struct mqtt_packet p;

	(void)state;
	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		assert_int_equal(mqtt_next(whole, len, &p), MQTT_PARTIAL);
		assert_int_equal(p.size, len < 2 ? 0 : 13);
	}
}

static void qos_1_has_an_id_and_properties_are_skipped(void **state)
{
	static const char packet[] = "\x32\x0c\0\1t\1\2\3\1\2\3xyz";
	struct mqtt_packet p;
	struct mqtt_message m;

	(void)state;
	assert_int_equal(mqtt_next(packet, sizeof(packet) - 1, &p), MQTT_WHOLE);
	assert_true(mqtt_read_publish(&p, &m));
	assert_int_equal(m.qos, 1);
	assert_int_equal(m.id, 258);
	assert_int_equal(m.payload_len, 3);
	assert_memory_equal(m.payload, "xyz", 3);
}

static void what_is_no_mqtt_is_noticed(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
		{"\x30\xff\xff\xff\xff\x01", 6}, /* a length of five bytes */
		{"\x00\x00",                 2}, /* type 0 is reserved */
	};
	static const struct {
		const char *bytes;
		size_t len;
	} publishes[] = {
		{"\x30\x00",            2}, /* no topic */
		{"\x30\x03\0\5t",       5}, /* a topic that is longer than the packet */
		{"\x30\x04\0\1t\7",     6}, /* so are the properties */
		{"\x32\x03\0\1t",       5}, /* QoS 1 without an id */
		{"\x34\x06\0\1t\0\1\0", 8}, /* QoS 2, for which nobody asked */
	};
	struct mqtt_packet p;
	struct mqtt_message m;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(mqtt_next(bad[i].bytes, bad[i].len, &p), MQTT_BAD);
	for (size_t i = 0; i < ARRAY_LEN(publishes); i++) {
		assert_int_equal(mqtt_next(publishes[i].bytes, publishes[i].len, &p),
				 MQTT_WHOLE);
		assert_false(mqtt_read_publish(&p, &m));
	}
}

static void answers_have_reasons(void **state)
{
	struct mqtt_packet p;

	(void)state;
	assert_int_equal(mqtt_next("\x20\3\0\x87\0", 5, &p), MQTT_WHOLE);
	assert_int_equal(mqtt_connack_reason(&p), 0x87);
	assert_int_equal(mqtt_next("\x20\1\0", 3, &p), MQTT_WHOLE);
	assert_int_equal(mqtt_connack_reason(&p), -1);
	assert_int_equal(mqtt_next("\x90\4\0\1\0\x80", 6, &p), MQTT_WHOLE);
	assert_int_equal(mqtt_suback_reason(&p), 0x80);
	assert_int_equal(mqtt_next("\x90\5\0\1\0\x87\0", 7, &p), MQTT_WHOLE);
	assert_int_equal(mqtt_suback_reason(&p), 0x87);
	assert_int_equal(mqtt_next("\x90\5\0\1\0\0\0", 7, &p), MQTT_WHOLE);
	assert_int_equal(mqtt_suback_reason(&p), 0);
	assert_int_equal(mqtt_next("\x90\3\0\1\0", 5, &p), MQTT_WHOLE);
	assert_int_equal(mqtt_suback_reason(&p), -1);
	assert_int_equal(mqtt_next("\xe0\0", 2, &p), MQTT_WHOLE);
	assert_int_equal(mqtt_disconnect_reason(&p), 0);
	assert_int_equal(mqtt_next("\xe0\1\x8b", 3, &p), MQTT_WHOLE);
	assert_int_equal(mqtt_disconnect_reason(&p), 0x8b);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(packets_are_written_as_the_specification_has_them),
	cmocka_unit_test(long_packets_have_long_lengths),
	cmocka_unit_test(a_stream_is_taken_packet_by_packet),
	cmocka_unit_test(every_part_of_a_packet_is_partial),
	cmocka_unit_test(qos_1_has_an_id_and_properties_are_skipped),
	cmocka_unit_test(what_is_no_mqtt_is_noticed),
	cmocka_unit_test(answers_have_reasons),
};

UNIT_MAIN(tests)

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Messages on $CONTROL/rollcall/v1. First a byte that says which properties the message has,
 * then the message; "SYNC" in it stands for the id of the synchronisation begun last. */
#include "tests/fuzz/fuzz_plugin.h"

#include <mqtt_protocol.h>

#define SYNC_ID_MAX 64
#define TURNS 2

static struct mosquitto bridge, worker_client;
static char sync_id[SYNC_ID_MAX + 1];

static void begin(void)
{
	bridge = tcp_client("bridge", "rollcall-bridge");
	must(basic_auth(&world, &bridge, "x") == MOSQ_ERR_PLUGIN_DEFER);
	put_worker(&world, "w1");
	put_worker(&world, "w2");
	worker_client = tcp_client("w1", "w1");
	log_in(&world, &worker_client);
	turn(&world);
	sync_id[0] = '\0';
}

static void note_sync_id(const struct said *s)
{
	const char *at = memmem(s->payload, (size_t)s->len, "\"sync_id\":\"", 11);
	size_t len;

	if (at == NULL)
		return;
	at += 11;
	len = strcspn(at, "\"");
	must(len <= SYNC_ID_MAX);
	memcpy(sync_id, at, len);
	sync_id[len] = '\0';
}

static void put_sync_id(const char *text, size_t len, struct buf *out)
{
	const char *end = text + len, *at;

	while ((at = memmem(text, (size_t)(end - text), "SYNC", 4)) != NULL) {
		buf_add(out, text, (size_t)(at - text));
		buf_add_str(out, sync_id);
		text = at + 4;
	}
	buf_add(out, text, (size_t)(end - text));
}

static mosquitto_property *properties_of(uint8_t kind, const char *text, size_t len)
{
	mosquitto_property *props = NULL;
	char topic[1200];

	if (len > sizeof(topic) - 1)
		len = sizeof(topic) - 1;
	for (size_t i = 0; i < len; i++)
		topic[i] = text[i] >= '0' ? text[i] : 'x';
	topic[len] = '\0';
	if (kind & 1)
		must(mosquitto_property_add_binary(&props, MQTT_PROP_CORRELATION_DATA, text,
						   (uint16_t)len) == MOSQ_ERR_SUCCESS);
	/* What is no topic is not added: the broker would not have let it through. */
	if (kind & 2)
		mosquitto_property_add_string(&props, MQTT_PROP_RESPONSE_TOPIC, topic);
	return props;
}

static void tell(uint8_t kind, const char *text, size_t len)
{
	mosquitto_property *props = properties_of(kind, text, len);
	struct mosquitto_evt_control ev = {.client = &bridge,
					   .topic = TOPIC_CONTROL,
					   .payload = len > 0 ? text : NULL,
					   .payloadlen = (uint32_t)len,
					   .properties = props};

	must(on_control(MOSQ_EVT_CONTROL, &ev, &world.p) == MOSQ_ERR_SUCCESS);
	mosquitto_property_free_all(&props);
}

static void check_answers(void)
{
	check_said();
	for (size_t i = 0; i < broker.said_len; i++) {
		const struct said *s = &broker.said[i];

		if (strcmp(s->client_id, bridge.id) == 0)
			note_sync_id(s);
		must(strncmp(s->topic, "$SYS", 4) != 0);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	must(sodium_init() >= 0);
	atexit(end_world);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = input_of(data, len);
	const uint8_t kind = input_u8(&in);
	struct buf text;

	next_input(begin);
	buf_init(&text, (size_t)8 * CONTROL_MESSAGE_MAX);
	put_sync_id(in.at, input_left(&in), &text);
	tell(kind, text.data, text.len);
	check_answers();
	turns(&world, TURNS);
	check_answers();
	must(world.p.directory.live >= 0);
	buf_fini(&text);
	return 0;
}

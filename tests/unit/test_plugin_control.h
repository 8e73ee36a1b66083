// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* test_plugin_control.h - a bridge that gives the plugin commands, and reads its answers. */
#pragma once

#include "tests/unit/test_plugin_fake.h"

#include "plugin/stats.h"

static struct world world;
static struct mosquitto bridge, second;

static inline int open_world(void **state)
{
	(void)state;
	world_open(&world, true, "60000");
	bridge = tcp_client("bridge", "rollcall-bridge");
	second = tcp_client("bridge-2", "rollcall-bridge");
	assert_int_equal(basic_auth(&world, &bridge, "x"), MOSQ_ERR_PLUGIN_DEFER);
	assert_int_equal(basic_auth(&world, &second, "x"), MOSQ_ERR_PLUGIN_DEFER);
	return 0;
}

static inline int close_world(void **state)
{
	(void)state;
	world_close(&world);
	return 0;
}

static inline void tell_control(struct mosquitto *client, const char *text, size_t len)
{
	struct mosquitto_evt_control ev = {.client = client,
					   .topic = TOPIC_CONTROL,
					   .payload = len > 0 ? text : NULL,
					   .payloadlen = (uint32_t)len};

	assert_int_equal(on_control(MOSQ_EVT_CONTROL, &ev, &world.p), MOSQ_ERR_SUCCESS);
}

/* The answer to a message, once it has come; the caller puts it. */
static inline struct json_object *ask_as(struct mosquitto *client, const char *text)
{
	int64_t until = clock_mono_us() + 10000000;
	size_t before = broker.said_len;
	struct err e = {0};
	struct json_object *doc;

	tell_control(client, text, strlen(text));
	while (clock_mono_us() < until) {
		for (size_t i = before; i < broker.said_len; i++) {
			const struct said *s = &broker.said[i];

			if (strcmp(s->topic, TOPIC_CONTROL_RESPONSE) != 0)
				continue;
			assert_string_equal(s->client_id, client->id);
			doc = jread_parse(s->payload, (size_t)s->len, &e);
			assert_non_null(doc);
			return doc;
		}
		turn(&world);
	}
	fail_msg("no answer to %s", text);
	return NULL;
}

/* The first response of the answer. */
static inline struct json_object *response_of(struct json_object *doc)
{
	struct json_object *list;

	assert_true(json_object_object_get_ex(doc, "responses", &list));
	assert_int_equal(json_object_array_length(list), 1);
	return json_object_array_get_idx(list, 0);
}

/* The answer's data as compact text. Pairs of ' stand for ". */
static inline const char *data_of(struct mosquitto *client, const char *command)
{
	static char text[65536], out[65536];
	struct json_object *doc, *data;

	snprintf(text, sizeof(text), "{\"commands\":[%s]}", command);
	for (char *at = text; (at = strchr(at, '\'')) != NULL;)
		*at = '"';
	doc = ask_as(client, text);
	if (!json_object_object_get_ex(response_of(doc), "data", &data))
		fail_msg("%s: %s", command, json_object_to_json_string(doc));
	snprintf(out, sizeof(out), "%s",
		 json_object_to_json_string_ext(data, JSON_C_TO_STRING_PLAIN));
	json_object_put(doc);
	return out;
}

/* The answer's error code. */
static inline const char *error_of(struct mosquitto *client, const char *command)
{
	static char text[65536], out[64];
	struct json_object *doc, *error, *code;

	snprintf(text, sizeof(text), "{\"commands\":[%s]}", command);
	for (char *at = text; (at = strchr(at, '\'')) != NULL;)
		*at = '"';
	doc = ask_as(client, text);
	if (!json_object_object_get_ex(response_of(doc), "error", &error))
		fail_msg("%s: %s", command, json_object_to_json_string(doc));
	assert_true(json_object_object_get_ex(error, "code", &code));
	snprintf(out, sizeof(out), "%s", json_object_get_string(code));
	json_object_put(doc);
	return out;
}

#define HASH "0000000000000000000000000000000000000000000000000000000000000001"

static inline const char *put_text(const char *id, const char *epoch, int n,
				   const char *sync_id)
{
	static char text[1024];

	snprintf(text, sizeof(text),
		 "{'command':'putWorkers','workers':[{'worker_id':'%s','status':'active',"
		 "'token_hashes':[{'hash':'" HASH "','expires_at':null,'role':'current'}],"
		 "'revision':{'epoch':'%s','n':%d}}]%s%s%s}",
		 id, epoch, n, sync_id != NULL ? ",'sync_id':'" : "",
		 sync_id != NULL ? sync_id : "", sync_id != NULL ? "'" : "");
	return text;
}

static inline const char *begin(struct mosquitto *client, const char *epoch, int n)
{
	static char id[64], text[256];
	const char *data;

	snprintf(text, sizeof(text), "{'command':'beginSync','epoch':'%s','snapshot_n':%d}",
		 epoch, n);
	data = data_of(client, text);
	assert_int_equal(sscanf(data, "{\"sync_id\":\"%63[0-9a-f]\"", id), 1);
	return id;
}

static inline const char *end_text(const char *sync_id, int count, bool force)
{
	static char text[256];

	snprintf(text, sizeof(text),
		 "{'command':'endSync','sync_id':'%s','count':%d,'force':%s}", sync_id, count,
		 force ? "true" : "false");
	return text;
}

static inline int64_t held(void)
{
	return world.p.directory.live;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

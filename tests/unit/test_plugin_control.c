// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Control commands as a bridge sends them, and the synchronisation of the directory. */
#include "tests/unit/test_plugin_fake.h"

#include "plugin/stats.h"

/* Sanitizers make everything some times slower. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HOLD_MAX_US 10000
#else
#define HOLD_MAX_US 2000
#endif

static struct world world;
static struct mosquitto bridge, second;

static int open_world(void **state)
{
	(void)state;
	world_open(&world, true, "60000");
	bridge = tcp_client("bridge", "rollcall-bridge");
	second = tcp_client("bridge-2", "rollcall-bridge");
	assert_int_equal(basic_auth(&world, &bridge, "x"), MOSQ_ERR_PLUGIN_DEFER);
	assert_int_equal(basic_auth(&world, &second, "x"), MOSQ_ERR_PLUGIN_DEFER);
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	world_close(&world);
	return 0;
}

static void tell_control(struct mosquitto *client, const char *text, size_t len)
{
	struct mosquitto_evt_control ev = {.client = client,
					   .topic = TOPIC_CONTROL,
					   .payload = len > 0 ? text : NULL,
					   .payloadlen = (uint32_t)len};

	assert_int_equal(on_control(MOSQ_EVT_CONTROL, &ev, &world.p), MOSQ_ERR_SUCCESS);
}

/* The answer to a message, once it has come; the caller puts it. */
static struct json_object *ask_as(struct mosquitto *client, const char *text)
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
static struct json_object *response_of(struct json_object *doc)
{
	struct json_object *list;

	assert_true(json_object_object_get_ex(doc, "responses", &list));
	assert_int_equal(json_object_array_length(list), 1);
	return json_object_array_get_idx(list, 0);
}

/* The answer's data as compact text. Pairs of ' stand for ". */
static const char *data_of(struct mosquitto *client, const char *command)
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
static const char *error_of(struct mosquitto *client, const char *command)
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

static const char *put_text(const char *id, const char *epoch, int n, const char *sync_id)
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

static const char *begin(struct mosquitto *client, const char *epoch, int n)
{
	static char id[64], text[256];
	const char *data;

	snprintf(text, sizeof(text), "{'command':'beginSync','epoch':'%s','snapshot_n':%d}",
		 epoch, n);
	data = data_of(client, text);
	assert_int_equal(sscanf(data, "{\"sync_id\":\"%63[0-9a-f]\"", id), 1);
	return id;
}

static const char *end_text(const char *sync_id, int count, bool force)
{
	static char text[256];

	snprintf(text, sizeof(text),
		 "{'command':'endSync','sync_id':'%s','count':%d,'force':%s}", sync_id, count,
		 force ? "true" : "false");
	return text;
}

static int64_t held(void)
{
	return world.p.directory.live;
}

/* ---- the envelope ---- */

static void whatever_is_sent_is_answered(void **state)
{
	static const char *const rows[] = {
		"",
		"x",
		"null",
		"[]",
		"{}",
		"{\"commands\":{}}",
		"{\"commands\":[]}",
		"{\"commands\":[1]}",
		"{\"commands\":[{}]}",
		"{\"commands\":[{\"command\":7}]}",
		"{\"commands\":[{\"command\":\"\"}]}",
		"{\"commands\":[{\"command\":\"nothing\"}]}",
		"{\"commands\":[{\"command\":\"getConnection\"}]}",
		"{\"commands\":[{\"command\":\"getConnection\",\"worker_id\":\"a b\"}]}",
		"{\"commands\":[{\"command\":\"putWorkers\",\"workers\":[7]}]}",
		"{\"commands\":[{\"command\":\"listConnections\",\"limit\":0}]}",
		"{\"commands\":[{\"command\":\"listConnections\",\"limit\":1001}]}",
		"{\"commands\":[{\"command\":\"listConnections\",\"ids\":[1]}]}",
		"{\"commands\":[{\"command\":\"send\",\"worker_id\":\"wrk_a\",\"topic\":"
		"\"metrics\","
		"\"payload\":\"x\"}]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct json_object *doc = ask_as(&bridge, rows[i]), *error, *code;

		if (!json_object_object_get_ex(response_of(doc), "error", &error))
			fail_msg("%s was taken", rows[i]);
		assert_true(json_object_object_get_ex(error, "code", &code));
		assert_string_equal(json_object_get_string(code), "INVALID_REQUEST");
		json_object_put(doc);
	}
}

static void too_large_a_message_is_refused_as_such(void **state)
{
	size_t len = CONTROL_MESSAGE_MAX + 1;
	char *text = malloc(len);

	(void)state;
	memset(text, ' ', len);
	tell_control(&bridge, text, len);
	assert_non_null(strstr(said_on(TOPIC_CONTROL_RESPONSE)->payload, "PAYLOAD_TOO_LARGE"));
	free(text);
}

static void strangers_are_not_answered(void **state)
{
	struct mosquitto stranger = tcp_client("x", "rollcall-bridge");
	struct mosquitto alice = tcp_client("alice", "alice");

	(void)state;
	tell_control(&stranger, "{}", 2); /* of a listener that never asked the plugin */
	basic_auth(&world, &alice, "x");
	tell_control(&alice, "{}", 2);
	disconnect(&world, &bridge, 0);
	tell_control(&bridge, "{}", 2);
	turns(&world, 3);
	assert_int_equal(said_on(TOPIC_CONTROL_RESPONSE)->len, -1);
}

static void answers_carry_the_correlation_of_their_command(void **state)
{
	struct json_object *doc = ask_as(
		&bridge,
		"{\"commands\":[{\"command\":\"getDirectory\",\"correlationData\":\"a\"},"
		"{\"command\":\"no\",\"correlationData\":\"b\"}]}");
	struct json_object *list, *value;

	(void)state;
	json_object_object_get_ex(doc, "responses", &list);
	assert_int_equal(json_object_array_length(list), 2);
	for (size_t i = 0; i < 2; i++) {
		assert_true(json_object_object_get_ex(json_object_array_get_idx(list, i),
						      "correlationData", &value));
		assert_string_equal(json_object_get_string(value), i == 0 ? "a" : "b");
	}
	json_object_put(doc);
}

/* ---- putWorkers, deleteWorkers ---- */

static void put_is_answered_when_it_survives_a_crash(void **state)
{
	struct worker_id id = worker("wrk_a");
	struct dir_entry entry;

	(void)state;
	assert_string_equal(data_of(&bridge, put_text("wrk_a", EPOCH, 5, NULL)),
			    "{\"applied\":1,\"unchanged\":0,\"stale\":0}");
	assert_true(store_durable(world.p.store) >= 1);
	world_crash(&world, "0");
	assert_true(directory_get(&world.p.directory, &id, &entry));
	assert_int_equal(entry.revision.n, 5);
}

static void older_and_equal_revisions_are_counted_and_change_nothing(void **state)
{
	(void)state;
	data_of(&bridge, put_text("wrk_a", EPOCH, 5, NULL));
	assert_string_equal(data_of(&bridge, put_text("wrk_a", EPOCH, 5, NULL)),
			    "{\"applied\":0,\"unchanged\":1,\"stale\":0}");
	assert_string_equal(data_of(&bridge, put_text("wrk_a", EPOCH, 4, NULL)),
			    "{\"applied\":0,\"unchanged\":0,\"stale\":1}");
	assert_string_equal(error_of(&bridge, put_text("wrk_a", "other", 9, NULL)),
			    "EPOCH_MISMATCH");
}

static void one_bad_entry_keeps_the_others_of_its_message_out(void **state)
{
	(void)state;
	assert_string_equal(error_of(&bridge, "{'command':'deleteWorkers','workers':["
					      "{'worker_id':'wrk_a','revision':{'epoch':'" EPOCH
					      "','n':1}},"
					      "{'worker_id':'wrk_b','revision':{'epoch':'" EPOCH
					      "','n':'2'}}]}"),
			    "INVALID_REQUEST");
	assert_false(directory_get(&world.p.directory, &(struct worker_id){"wrk_a"},
				   &(struct dir_entry){0}));
}

static void token_that_expired_at_the_beginning_of_time_is_expired(void **state)
{
	struct worker_id id = worker("wrk_a");
	struct dir_entry entry;

	(void)state;
	data_of(&bridge,
		"{'command':'putWorkers','workers':[{'worker_id':'wrk_a','status':'active',"
		"'token_hashes':[{'hash':'" HASH "','expires_at':'1970-01-01T00:00:00Z'},"
		"{'hash':'" HASH "','expires_at':null}],"
		"'revision':{'epoch':'" EPOCH "','n':1}}]}");
	assert_true(directory_get(&world.p.directory, &id, &entry));
	assert_int_not_equal(entry.tokens[0].expires_ms, 0);
	assert_int_equal(entry.tokens[1].expires_ms, 0);
}

static void revoked_worker_is_closed_before_the_answer(void **state)
{
	struct mosquitto c = tcp_client("wrk_a", "wrk_a");

	(void)state;
	put_worker(&world, "wrk_a");
	log_in(&world, &c);
	turn(&world);
	tell_control(&bridge, "x", 1);
	data_of(&bridge,
		"{'command':'putWorkers','workers':[{'worker_id':'wrk_a','status':'revoked',"
		"'token_hashes':[],'revision':{'epoch':'" EPOCH "','n':9}}]}");
	assert_int_equal(acl(&world, &c, MOSQ_ACL_WRITE, "workers/wrk_a/metrics", "{}"),
			 MOSQ_ERR_ACL_DENIED);
	turns(&world, 5);
	assert_int_equal(reason_of_worker(&world, "wrk_a"), REASON_REVOKED);
}

/* ---- lists ---- */

/* Connects and leaves n workers that sort in this order. */
static void populate(int n)
{
	char id[16];

	for (int i = 0; i < n; i++) {
		struct mosquitto c;

		snprintf(id, sizeof(id), "wrk_%04d", i);
		put_worker(&world, id);
		c = tcp_client(id, id);
		log_in(&world, &c);
		disconnect(&world, &c, 0);
		turn(&world);
	}
}

static void list_has_every_worker_once_whatever_waits_for_the_disk(void **state)
{
	char after[64] = "", text[128];
	int seen = 0;

	(void)state;
	populate(1500);
	do {
		const char *data, *next;

		snprintf(text, sizeof(text), "{'command':'listConnections','limit':100%s%s%s}",
			 after[0] != '\0' ? ",'after':'" : "", after,
			 after[0] != '\0' ? "'" : "");
		data = data_of(&bridge, text);
		for (const char *at = data; (at = strstr(at, "\"worker_id\"")) != NULL; at++)
			seen++;
		next = strstr(data, "\"next\":\"");
		after[0] = '\0';
		if (next != NULL)
			assert_int_equal(sscanf(next, "\"next\":\"%63[^\"]", after), 1);
	} while (after[0] != '\0');
	assert_int_equal(seen, 1500);
}

/* Reads one answer of a list in pages; false if it was the last. Adds to *seen. */
static bool read_page(const struct said *s, int *seen)
{
	struct err e = {0};
	struct json_object *doc = jread_parse(s->payload, (size_t)s->len, &e), *data, *list,
			   *more, *item;
	struct json_object *response = response_of(doc);
	char expected[16];
	bool goes_on;

	assert_true(json_object_object_get_ex(response, "data", &data));
	assert_true(json_object_object_get_ex(data, "connections", &list));
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		item = json_object_object_get(json_object_array_get_idx(list, i), "worker_id");
		snprintf(expected, sizeof(expected), "wrk_%04d", (*seen)++);
		assert_string_equal(json_object_get_string(item), expected);
	}
	goes_on = json_object_object_get_ex(response, "more", &more);
	if (goes_on)
		assert_true(json_object_get_boolean(more));
	json_object_put(doc);
	return goes_on;
}

/* Processor time, which other programs do not add to. */
static int64_t cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int compare_i64(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void pages_come_by_themselves_in_turns_that_are_short(void **state)
{
	const char text[] =
		"{\"commands\":[{\"command\":\"listConnections\",\"correlationData\":\"1\","
		"\"limit\":250,\"pages\":100}]}";
	int64_t took_us[1000], began_us;
	int seen = 0, pages = 0, turns = 0;
	bool goes_on = true;
	size_t at;

	(void)state;
	populate(3500);
	at = broker.said_len;
	tell_control(&bridge, text, strlen(text));
	for (; goes_on && turns < 1000; turns++) {
		began_us = cpu_us();
		(void)control_tick(&world.p.control, clock_mono_us());
		took_us[turns] = cpu_us() - began_us;
		for (; at < broker.said_len; at++)
			if (strcmp(broker.said[at].topic, TOPIC_CONTROL_RESPONSE) == 0) {
				goes_on = read_page(&broker.said[at], &seen);
				pages++;
			}
	}
	assert_int_equal(seen, 3500);
	assert_int_equal(pages, 14);
	assert_true(turns > 2);
	/* The median, for on a machine that is short of memory a page fault takes as long. */
	qsort(took_us, (size_t)turns, sizeof(took_us[0]), compare_i64);
	assert_in_range(took_us[turns / 2], 0, HOLD_MAX_US);
}

static void no_page_goes_to_a_client_that_has_left(void **state)
{
	const char text[] = "{\"commands\":[{\"command\":\"listConnections\",\"limit\":1,"
			    "\"pages\":1000}]}";
	int64_t before;

	(void)state;
	populate(3);
	tell_control(&second, text, strlen(text));
	before = stats.counters[STAT_LIST_PAGES];
	disconnect(&world, &second, 0);
	turns(&world, 5);
	assert_int_equal(stats.counters[STAT_LIST_PAGES], before);
}

static void get_connection_knows_three_kinds_of_workers(void **state)
{
	struct mosquitto c = tcp_client("wrk_a", "wrk_a");

	(void)state;
	put_worker(&world, "wrk_a");
	put_worker(&world, "wrk_b");
	log_in(&world, &c);
	message(&world, &c, "workers/wrk_a/state",
		"{\"engine_status\":\"running\",\"n\":1.50}");
	assert_non_null(
		strstr(data_of(&bridge, "{'command':'getConnection','worker_id':'wrk_a'}"),
		       "\"reported_state\":{\"engine_status\":\"running\",\"n\":1.50}"));
	assert_non_null(
		strstr(data_of(&bridge, "{'command':'getConnection','worker_id':'wrk_b'}"),
		       "\"state\":\"offline\",\"connected\":false,\"session_count\":0"));
	assert_string_equal(
		error_of(&bridge, "{'command':'getConnection','worker_id':'wrk_c'}"),
		"WORKER_NOT_FOUND");
}

static void get_connection_never_says_online_without_a_session(void **state)
{
	struct mosquitto c = tcp_client("wrk_a", "wrk_a");

	(void)state;
	put_worker(&world, "wrk_a");
	log_in(&world, &c);
	turns(&world, 3);
	disconnect(&world, &c, 0); /* and the turn goes on */
	assert_non_null(
		strstr(data_of(&bridge, "{'command':'getConnection','worker_id':'wrk_a'}"),
		       "\"connected\":false,\"session_count\":0"));
}

/* ---- send ---- */

static void send_reaches_the_newest_all_or_the_one_named(void **state)
{
	static const struct {
		const char *target, *data;
	} rows[] = {
		{"any",     "{\"generation\":2,\"sessions\":1}"},
		{"all",     "{\"generation\":2,\"sessions\":2}"},
		{"wrk_a",   "{\"generation\":1,\"sessions\":1}"},
		{"wrk_a.b", "{\"generation\":2,\"sessions\":1}"},
	};
	struct mosquitto a = tcp_client("wrk_a", "wrk_a"), b = tcp_client("wrk_a.b", "wrk_a");
	char text[256];

	(void)state;
	put_worker(&world, "wrk_a");
	assert_string_equal(error_of(&bridge, "{'command':'send','worker_id':'wrk_a',"
					      "'topic':'commands','payload':'x'}"),
			    "NOT_CONNECTED");
	assert_string_equal(error_of(&bridge, "{'command':'send','worker_id':'wrk_x',"
					      "'topic':'commands','payload':'x'}"),
			    "WORKER_NOT_FOUND");
	log_in(&world, &a);
	log_in(&world, &b);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(text, sizeof(text),
			 "{'command':'send','worker_id':'wrk_a','topic':'commands',"
			 "'payload':{'a':1.50},'target':'%s'}",
			 rows[i].target);
		assert_string_equal(data_of(&bridge, text), rows[i].data);
		assert_int_equal(said_on("workers/wrk_a/commands")->len, 10);
		assert_memory_equal(said_on("workers/wrk_a/commands")->payload, "{\"a\":1.50}",
				    10);
	}
	assert_string_equal(error_of(&bridge,
				     "{'command':'send','worker_id':'wrk_a',"
				     "'topic':'commands','payload':'x','target':'wrk_a.c'}"),
			    "NOT_CONNECTED");
}

/* ---- synchronisation ---- */

static void sync_drops_what_was_not_mentioned(void **state)
{
	char id[64];

	(void)state;
	data_of(&bridge, put_text("wrk_a", EPOCH, 1, NULL));
	data_of(&bridge, put_text("wrk_b", EPOCH, 2, NULL));
	data_of(&bridge, put_text("wrk_c", EPOCH, 5, NULL));
	data_of(&bridge, put_text("wrk_newer", EPOCH, 6, NULL));
	snprintf(id, sizeof(id), "%s", begin(&bridge, EPOCH, 5));
	data_of(&bridge, put_text("wrk_a", EPOCH, 1, id));
	data_of(&bridge, put_text("wrk_b", EPOCH, 2, id));
	assert_string_equal(data_of(&bridge, end_text(id, 2, false)), "{\"dropped\":1}");
	assert_int_equal(held(), 3);
	/* a tombstone at the snapshot's n keeps an older put away */
	assert_string_equal(data_of(&bridge, put_text("wrk_c", EPOCH, 5, NULL)),
			    "{\"applied\":0,\"unchanged\":1,\"stale\":0}");
}

static void sync_of_another_epoch_replaces_everything(void **state)
{
	char id[64];

	(void)state;
	for (int i = 0; i < 3; i++) {
		char name[16];

		snprintf(name, sizeof(name), "wrk_%d", i);
		data_of(&bridge, put_text(name, EPOCH, 100 + i, NULL));
	}
	snprintf(id, sizeof(id), "%s", begin(&bridge, "epoch-2", 7));
	for (int i = 0; i < 2; i++) {
		char name[16];

		snprintf(name, sizeof(name), "wrk_%d", i);
		assert_string_equal(data_of(&bridge, put_text(name, "epoch-2", i + 1, id)),
				    "{\"applied\":1,\"unchanged\":0,\"stale\":0}");
	}
	assert_string_equal(data_of(&bridge, end_text(id, 2, false)), "{\"dropped\":1}");
	assert_int_equal(held(), 2);
	assert_int_equal(world.p.directory.max_n, 7);
	assert_string_equal(world.p.directory.epoch, "epoch-2");
	assert_string_equal(error_of(&bridge, put_text("wrk_0", EPOCH, 999, NULL)),
			    "EPOCH_MISMATCH");
}

static void half_is_half_of_what_was_held_before(void **state)
{
	char id[64], name[32];

	(void)state;
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "wrk_%d", i);
		data_of(&bridge, put_text(name, EPOCH, i + 1, NULL));
	}
	snprintf(id, sizeof(id), "%s", begin(&bridge, "epoch-2", 9));
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "wrk_new%d", i);
		data_of(&bridge, put_text(name, "epoch-2", i + 1, id));
	}
	assert_string_equal(error_of(&bridge, end_text(id, 5, false)), "SYNC_TOO_DESTRUCTIVE");
	assert_int_equal(held(), 9);
	assert_string_equal(world.p.directory.epoch, EPOCH);
	assert_string_equal(error_of(&bridge, end_text(id, 5, false)), "SYNC_TOO_DESTRUCTIVE");
	assert_string_equal(data_of(&bridge, end_text(id, 5, true)), "{\"dropped\":4}");
	assert_int_equal(held(), 5);
}

static void sync_is_bound_to_its_client_its_id_and_its_count(void **state)
{
	char id[64];

	(void)state;
	data_of(&bridge, put_text("wrk_a", EPOCH, 1, NULL));
	snprintf(id, sizeof(id), "%s", begin(&bridge, EPOCH, 5));
	assert_string_equal(error_of(&second, "{'command':'beginSync','epoch':'" EPOCH "',"
					      "'snapshot_n':5}"),
			    "CONFLICT");
	assert_string_equal(error_of(&second, put_text("wrk_a", EPOCH, 1, id)),
			    "SYNC_MISMATCH");
	assert_string_equal(error_of(&second, end_text(id, 0, true)), "SYNC_MISMATCH");
	assert_string_equal(error_of(&bridge, end_text("0123", 0, true)), "SYNC_MISMATCH");
	data_of(&bridge, put_text("wrk_a", EPOCH, 1, id));
	data_of(&bridge, put_text("wrk_a", EPOCH, 1, id)); /* counts once */
	assert_string_equal(error_of(&bridge, end_text(id, 2, true)), "SYNC_MISMATCH");
	assert_string_equal(data_of(&bridge, end_text(id, 1, false)), "{\"dropped\":0}");
	assert_string_equal(error_of(&bridge, end_text(id, 1, false)), "SYNC_MISMATCH");
}

static void sync_lapses_when_its_client_goes(void **state)
{
	char id[64];

	(void)state;
	data_of(&bridge, put_text("wrk_a", EPOCH, 1, NULL));
	snprintf(id, sizeof(id), "%s", begin(&bridge, "epoch-2", 5));
	data_of(&bridge, put_text("wrk_b", "epoch-2", 1, id));
	disconnect(&world, &bridge, 7);
	turn(&world);
	assert_string_equal(world.p.directory.sync_epoch, "");
	assert_int_equal(held(), 2);
	assert_string_equal(error_of(&second, put_text("wrk_c", "epoch-2", 2, NULL)),
			    "EPOCH_MISMATCH");
	begin(&second, EPOCH, 5);
}

static void same_client_may_begin_anew(void **state)
{
	char id[64];

	(void)state;
	begin(&bridge, EPOCH, 5);
	snprintf(id, sizeof(id), "%s", begin(&bridge, EPOCH, 6));
	assert_string_equal(data_of(&bridge, end_text(id, 0, false)), "{\"dropped\":0}");
}

static void sync_of_thousands_is_dropped_in_slices(void **state)
{
	char id[64], name[32];

	(void)state;
	for (int i = 0; i < 1300; i++) {
		struct dir_entry entry;

		snprintf(name, sizeof(name), "wrk_%04d", i);
		entry = entry_of(name, i + 1, NULL);
		put_entry(&world, &entry);
	}
	snprintf(id, sizeof(id), "%s", begin(&bridge, EPOCH, 2000));
	assert_string_equal(data_of(&bridge, end_text(id, 0, true)), "{\"dropped\":1300}");
	assert_int_equal(held(), 0);
}

static void dropped_worker_is_closed_and_forgotten(void **state)
{
	struct mosquitto c = tcp_client("wrk_a", "wrk_a");
	char id[64];

	(void)state;
	put_worker(&world, "wrk_a");
	log_in(&world, &c);
	turn(&world);
	snprintf(id, sizeof(id), "%s", begin(&bridge, EPOCH, 100));
	data_of(&bridge, end_text(id, 0, true));
	turns(&world, 6);
	assert_int_equal(broker.kicked_len, 1);
	assert_false(connset_presence(&world.p.conns, &(struct worker_id){"wrk_a"},
				      &(struct presence){0}));
	assert_int_equal(said_on("workers/wrk_a/presence")->len, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(whatever_is_sent_is_answered),
		TEST(too_large_a_message_is_refused_as_such),
		TEST(strangers_are_not_answered),
		TEST(answers_carry_the_correlation_of_their_command),
		TEST(put_is_answered_when_it_survives_a_crash),
		TEST(older_and_equal_revisions_are_counted_and_change_nothing),
		TEST(one_bad_entry_keeps_the_others_of_its_message_out),
		TEST(token_that_expired_at_the_beginning_of_time_is_expired),
		TEST(revoked_worker_is_closed_before_the_answer),
		TEST(list_has_every_worker_once_whatever_waits_for_the_disk),
		TEST(pages_come_by_themselves_in_turns_that_are_short),
		TEST(no_page_goes_to_a_client_that_has_left),
		TEST(get_connection_knows_three_kinds_of_workers),
		TEST(get_connection_never_says_online_without_a_session),
		TEST(send_reaches_the_newest_all_or_the_one_named),
		TEST(sync_drops_what_was_not_mentioned),
		TEST(sync_of_another_epoch_replaces_everything),
		TEST(half_is_half_of_what_was_held_before),
		TEST(sync_is_bound_to_its_client_its_id_and_its_count),
		TEST(sync_lapses_when_its_client_goes),
		TEST(same_client_may_begin_anew),
		TEST(sync_of_thousands_is_dropped_in_slices),
		TEST(dropped_worker_is_closed_and_forgotten),
	};

	return sodium_init() < 0 ? EXIT_FAILURE : cmocka_run_group_tests(tests, NULL, NULL);
}

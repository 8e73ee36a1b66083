// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Commands of bridges: the envelope, the directory's entries, messages to workers. */
#include "tests/unit/test_plugin_control.h"

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
		TEST(send_reaches_the_newest_all_or_the_one_named),
	};

	return sodium_init() < 0 ? EXIT_FAILURE : cmocka_run_group_tests(tests, NULL, NULL);
}

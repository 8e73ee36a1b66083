// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* What is counted, and the form in which getStats tells it. */
#include "tests/unit/test_plugin_fake.h"

#include "plugin/stats.h"

static struct world world;
static struct mosquitto bridge;

static int open_world(void **state)
{
	(void)state;
	world_open(&world, true, "60000");
	bridge = tcp_client("bridge", "rollcall-bridge");
	assert_int_equal(basic_auth(&world, &bridge, "x"), MOSQ_ERR_PLUGIN_DEFER);
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	world_close(&world);
	return 0;
}

/* The answer's data; the caller puts it. */
static struct json_object *get_stats(const char *members)
{
	struct json_object *doc, *list, *data;
	struct mosquitto_evt_control ev = {.client = &bridge, .topic = TOPIC_CONTROL};
	struct err e = {0};
	char text[128];
	const struct said *s;

	snprintf(text, sizeof(text), "{\"commands\":[{\"command\":\"getStats\"%s}]}", members);
	ev.payload = text;
	ev.payloadlen = (uint32_t)strlen(text);
	assert_int_equal(on_control(MOSQ_EVT_CONTROL, &ev, &world.p), MOSQ_ERR_SUCCESS);
	s = said_on(TOPIC_CONTROL_RESPONSE);
	doc = jread_parse(s->payload, (size_t)s->len, &e);
	assert_non_null(doc);
	assert_true(json_object_object_get_ex(doc, "responses", &list));
	if (!json_object_object_get_ex(json_object_array_get_idx(list, 0), "data", &data))
		fail_msg("%s", s->payload);
	json_object_get(data);
	json_object_put(doc);
	return data;
}

/* The number at a path of keys between dots. */
static int64_t number(struct json_object *data, const char *path)
{
	char keys[128], *key, *rest = keys;

	snprintf(keys, sizeof(keys), "%s", path);
	while ((key = strsep(&rest, ".")) != NULL)
		if (!json_object_object_get_ex(data, key, &data))
			fail_msg("%s: there is no %s", path, key);
	assert_true(json_object_is_type(data, json_type_int));
	return json_object_get_int64(data);
}

static void assert_number(const char *path, int64_t expected)
{
	struct json_object *data = get_stats("");

	if (number(data, path) != expected)
		fail_msg("%s is %lld instead of %lld", path, (long long)number(data, path),
			 (long long)expected);
	json_object_put(data);
}

static void assert_is_metric(const char *name, struct json_object *metric)
{
	struct json_object *label, *values;

	for (const char *at = name; *at != '\0'; at++)
		assert_true((*at >= 'a' && *at <= 'z') || *at == '_');
	if (json_object_is_type(metric, json_type_int))
		return;
	assert_true(json_object_object_get_ex(metric, "label", &label));
	assert_true(json_object_object_get_ex(metric, "values", &values));
	json_object_object_foreach(values, value, n)
	{
		assert_true(value[0] != '\0');
		assert_true(json_object_is_type(n, json_type_int));
	}
}

static void every_number_has_one_of_the_forms_and_a_help(void **state)
{
	static const char *const groups[] = {"counters", "gauges", "histograms"};
	struct json_object *data = get_stats(",\"help\":true"), *group, *help, *text;

	(void)state;
	assert_true(json_object_object_get_ex(data, "help", &help));
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		assert_true(json_object_object_get_ex(data, groups[i], &group));
		json_object_object_foreach(group, name, metric)
		{
			if (i < 2)
				assert_is_metric(name, metric);
			if (!json_object_object_get_ex(help, name, &text))
				fail_msg("%s has no help", name);
		}
	}
	json_object_put(data);
	data = get_stats("");
	assert_false(json_object_object_get_ex(data, "help", &help));
	json_object_put(data);
}

static void histogram_counts_each_value_in_the_buckets_from_its_own_up(void **state)
{
	struct json_object *data, *h, *buckets, *pair;
	int64_t first_below = -1, before = 0;

	(void)state;
	stats_reset();
	stats_observe_us(STAT_COMMIT_DURATION, 0);
	stats_observe_us(STAT_COMMIT_DURATION, 30000);    /* 30 ms */
	stats_observe_us(STAT_COMMIT_DURATION, 60000000); /* above all bounds */
	data = get_stats("");
	assert_true(json_object_object_get_ex(data, "histograms", &h));
	assert_true(json_object_object_get_ex(h, "storage_commit_duration_seconds", &h));
	assert_int_equal(number(h, "count"), 3);
	assert_true(json_object_object_get_ex(h, "buckets", &buckets));
	for (size_t i = 0; i < json_object_array_length(buckets); i++) {
		double le;
		int64_t n;

		pair = json_object_array_get_idx(buckets, i);
		le = json_object_get_double(json_object_array_get_idx(pair, 0));
		n = json_object_get_int64(json_object_array_get_idx(pair, 1));
		assert_true(n >= before);
		assert_int_equal(n, 1 + (le > 0.03));
		before = n;
		if (first_below < 0)
			first_below = n;
	}
	assert_int_equal(first_below, 1);
	assert_true(json_object_object_get_ex(h, "sum", &h));
	assert_float_equal(json_object_get_double(h), 60.03, 1e-9);
	json_object_put(data);
}

static void workers_and_sessions_are_counted_as_they_come_and_go(void **state)
{
	struct mosquitto a = tcp_client("w1", "w1"), b = tcp_client("w1.b", "w1");

	(void)state;
	b.protocol = mp_websockets;
	put_worker(&world, "w1");
	put_worker(&world, "w2");
	assert_number("gauges.workers.values.offline", 2);
	log_in(&world, &a);
	log_in(&world, &b);
	assert_number("gauges.workers.values.online", 1);
	assert_number("gauges.workers.values.offline", 1);
	assert_number("gauges.sessions.values.tcp", 1);
	assert_number("gauges.sessions.values.websockets", 1);
	assert_number("counters.connects.values.accepted", 2);
	disconnect(&world, &a, 0);
	assert_number("gauges.sessions.values.tcp", 0);
	disconnect(&world, &b, MOSQ_ERR_CONN_LOST);
	turn(&world);
	assert_number("gauges.workers.values.online", 0);
	assert_number("gauges.workers.values.reconnecting", 1);
	assert_number("counters.disconnects.values.connection_lost", 1);
	assert_number("gauges.sessions.values.websockets", 0);
}

static void objects_of_an_earlier_life_do_not_make_a_gauge_negative(void **state)
{
	struct mosquitto a = tcp_client("w1", "w1");

	(void)state;
	put_worker(&world, "w1");
	log_in(&world, &a);
	turn(&world);
	world_crash(&world, "60000");
	assert_int_equal(basic_auth(&world, &bridge, "x"), MOSQ_ERR_PLUGIN_DEFER);
	assert_number("gauges.workers.values.online", 0);
	assert_number("gauges.workers.values.reconnecting", 0);
	assert_number("gauges.workers.values.offline", 1);
	log_in(&world, &a);
	assert_number("gauges.workers.values.online", 1);
}

static void what_was_refused_denied_or_wrong_is_counted_by_its_cause(void **state)
{
	struct mosquitto a = tcp_client("w1", "w1"), stranger = tcp_client("x", "alice");
	struct json_object *data;

	(void)state;
	put_worker(&world, "w1");
	assert_int_equal(basic_auth(&world, &a, "tk_wrong"), MOSQ_ERR_AUTH);
	assert_number("counters.connects.values.invalid_token", 1);
	assert_number("counters.audit_rows", 1);
	log_in(&world, &a);
	assert_int_equal(acl(&world, &a, MOSQ_ACL_WRITE, "workers/w2/metrics", "{}"),
			 MOSQ_ERR_ACL_DENIED);
	assert_int_equal(acl(&world, &a, MOSQ_ACL_SUBSCRIBE, "workers/#", NULL),
			 MOSQ_ERR_ACL_DENIED);
	assert_int_equal(acl(&world, &stranger, MOSQ_ACL_WRITE, "workers/w1/commands", "{}"),
			 MOSQ_ERR_ACL_DENIED);
	assert_int_equal(acl(&world, &a, MOSQ_ACL_WRITE, "workers/w1/metrics", "{}"),
			 MOSQ_ERR_SUCCESS);
	assert_number("counters.denied.values.publish", 1);
	assert_number("counters.denied.values.subscribe", 1);
	assert_number("counters.denied.values.foreign", 1);
	assert_number("counters.messages_received", 1);
	assert_number("counters.bytes_received", 2);
	data = get_stats("");
	assert_true(number(data, "counters.control_commands.values.getStats") >= 5);
	json_object_put(data);
}

static void storage_is_ok_and_says_so(void **state)
{
	struct json_object *data = get_stats(""), *storage, *value;

	(void)state;
	assert_true(json_object_object_get_ex(data, "storage", &storage));
	assert_true(json_object_object_get_ex(storage, "state", &value));
	assert_string_equal(json_object_get_string(value), "ok");
	assert_true(json_object_object_get_ex(storage, "code", &value));
	assert_null(value);
	assert_true(number(data, "gauges.storage_used_bytes") > 0);
	assert_int_equal(number(data, "gauges.storage_limit_bytes"), 64 << 20);
	json_object_put(data);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_number_has_one_of_the_forms_and_a_help),
		TEST(histogram_counts_each_value_in_the_buckets_from_its_own_up),
		TEST(workers_and_sessions_are_counted_as_they_come_and_go),
		TEST(objects_of_an_earlier_life_do_not_make_a_gauge_negative),
		TEST(what_was_refused_denied_or_wrong_is_counted_by_its_cause),
		TEST(storage_is_ok_and_says_so),
	};

	return sodium_init() < 0 ? EXIT_FAILURE : cmocka_run_group_tests(tests, NULL, NULL);
}

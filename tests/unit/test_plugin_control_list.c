// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Lists of connections: whole, in pages that are short, and one at a time. */
#include "tests/unit/test_plugin_control.h"

/* Sanitizers make everything some times slower. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HOLD_MAX_US 10000
#else
#define HOLD_MAX_US 2000
#endif

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(list_has_every_worker_once_whatever_waits_for_the_disk),
		TEST(pages_come_by_themselves_in_turns_that_are_short),
		TEST(no_page_goes_to_a_client_that_has_left),
		TEST(get_connection_knows_three_kinds_of_workers),
		TEST(get_connection_never_says_online_without_a_session),
	};

	return sodium_init() < 0 ? EXIT_FAILURE : cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* When retained events leave: at once, but in a storm of logins. */
#include "tests/unit/test_plugin_fake.h"

#define WORKERS 20
#define START_US 10000000
#define MS 1000

static struct publish publish;

static int open_publish(void **state)
{
	(void)state;
	broker_forget();
	log_set_sink(quiet);
	publish_open(&publish, "node-1", "workers", true);
	return 0;
}

static int close_publish(void **state)
{
	(void)state;
	publish_close(&publish);
	broker_forget();
	return 0;
}

static size_t retained_said(void)
{
	size_t n = 0;

	for (size_t i = 0; i < broker.said_len; i++)
		n += broker.said[i].retain;
	return n;
}

/* Twenty workers come online in the turn that begins now. */
static void tell_all(void)
{
	char id[16];

	(void)publish_flush(&publish, START_US, false);
	for (int i = 0; i < WORKERS; i++) {
		struct presence event = {
			.state = PRESENCE_ONLINE,
			.sessions = 1,
			.pos = {.boot = 1, .seq = publish_next_seq(&publish)}
                };

		snprintf(id, sizeof(id), "wrk_%d", i);
		event.worker = worker(id);
		publish_presence(&publish, &event);
	}
}

static void flush_after_ms(int64_t ms, bool logins)
{
	(void)publish_flush(&publish, START_US + ms * MS, logins);
}

static void without_a_storm_they_leave_at_the_turns_end(void **state)
{
	(void)state;
	tell_all();
	flush_after_ms(1, false);
	assert_int_equal(retained_said(), WORKERS);
}

static void in_a_storm_they_wait_a_second_while_nobody_listens(void **state)
{
	(void)state;
	tell_all();
	publish_subscribed(&publish, "workers/+/state");
	flush_after_ms(1, true);
	flush_after_ms(990, true);
	assert_true(retained_said() < WORKERS / 2);
	flush_after_ms(1010, true);
	assert_int_equal(retained_said(), WORKERS);
}

static void in_a_storm_whoever_subscribes_waits_less(void **state)
{
	static const char *const filters[] = {"workers/+/presence", "#", "workers/wrk_1/+",
					      "$share/group/workers/+/presence"};

	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		tell_all();
		publish_subscribed(&publish, filters[i]);
		flush_after_ms(1, true);
		flush_after_ms(240, true);
		assert_true(retained_said() < WORKERS / 2);
		flush_after_ms(260, true);
		assert_int_equal(retained_said(), WORKERS);
		close_publish(state);
		open_publish(state);
	}
}

static void the_end_of_the_storm_ends_the_wait(void **state)
{
	(void)state;
	tell_all();
	flush_after_ms(1, true);
	flush_after_ms(10, false);
	assert_int_equal(retained_said(), WORKERS);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, open_publish, close_publish)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_a_storm_they_leave_at_the_turns_end),
		TEST(in_a_storm_they_wait_a_second_while_nobody_listens),
		TEST(in_a_storm_whoever_subscribes_waits_less),
		TEST(the_end_of_the_storm_ends_the_wait),
	};

	return sodium_init() < 0 ? EXIT_FAILURE : cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Buckets, and what the limits do to logins and messages. */
#include "tests/unit/test_plugin_fake.h"

#include "plugin/stats.h"

#define SECOND 1000000
#define MINUTE (60 * (int64_t)SECOND)

/* How many of `tries` at this moment a bucket lets through. */
static int taken(int64_t *bucket, int64_t now, int tries, int per_minute)
{
	int n = 0;

	for (int i = 0; i < tries; i++)
		n += limits_take(bucket, now, per_minute, MINUTE, 1);
	return n;
}

static void bucket_gives_a_burst_and_then_its_rate(void **state)
{
	int64_t bucket = 0, now = 1000 * MINUTE;

	(void)state;
	assert_int_equal(taken(&bucket, now, 100, 60), 60);
	assert_int_equal(taken(&bucket, now + SECOND / 2, 5, 60), 0);
	assert_int_equal(taken(&bucket, now + SECOND, 5, 60), 1);
	assert_int_equal(taken(&bucket, now + 11 * SECOND, 50, 60), 10);
	assert_int_equal(taken(&bucket, now + 10 * MINUTE, 100, 60), 60);
}

static void refusals_cost_nothing(void **state)
{
	int64_t bucket = 0, now = 1000 * MINUTE;

	(void)state;
	assert_int_equal(taken(&bucket, now, 100000, 60), 60);
	assert_int_equal(taken(&bucket, now + MINUTE, 100, 60), 60);
}

static void bucket_without_a_limit_never_ends(void **state)
{
	int64_t bucket = 0;

	(void)state;
	assert_int_equal(taken(&bucket, 0, 100000, 0), 100000);
}

static void clock_that_went_back_locks_nobody_out(void **state)
{
	int64_t bucket = 0, now = 1000 * MINUTE;

	(void)state;
	assert_int_equal(taken(&bucket, now, 100, 60), 60);
	now -= 500 * MINUTE;
	assert_int_equal(taken(&bucket, now, 100, 60), 0);
	assert_int_equal(taken(&bucket, now + MINUTE, 100, 60), 60);
}

static void small_limits_are_exact(void **state)
{
	int64_t bucket = 0, now = 1000 * MINUTE;

	(void)state;
	for (int limit = 1; limit < 10; limit++, bucket = 0) {
		assert_int_equal(taken(&bucket, now, 20, limit), limit);
		assert_int_equal(taken(&bucket, now + MINUTE, 20, limit), limit);
	}
}

static void addresses_are_counted_apart_and_forgotten_rather_than_confused(void **state)
{
	struct limits l;
	char address[32];
	int limited = 0;

	(void)state;
	limits_open(&l, 3);
	for (int i = 0; i < 3; i++)
		assert_false(limits_failure(&l, "10.0.0.1", MINUTE));
	assert_true(limits_failure(&l, "10.0.0.1", MINUTE));
	assert_false(limits_failure(&l, "10.0.0.2", MINUTE));
	assert_false(limits_failure(&l, NULL, MINUTE));
	assert_false(limits_failure(&l, "10.0.0.1", 3 * MINUTE));
	/* A hundred thousand addresses take no more memory, and are not mixed up. */
	for (int i = 0; i < 100000; i++) {
		snprintf(address, sizeof(address), "10.%d.%d.%d", i >> 16, i >> 8 & 255,
			 i & 255);
		limited += limits_failure(&l, address, 10 * MINUTE + i);
	}
	assert_int_equal(limited, 0);
	limits_close(&l);
}

/* ---- the plugin ---- */

static struct world world;

static int open_world(void **state)
{
	(void)state;
	world_open(&world, true, "60000");
	put_worker(&world, "w1");
	put_worker(&world, "w2");
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	world_close(&world);
	return 0;
}

static int64_t limited(enum stat_limit limit)
{
	return stats.families[STAT_LIMITED][limit];
}

static int64_t refused(enum refusal refusal)
{
	return stats.families[STAT_CONNECTS][refusal];
}

static void failures_are_limited_and_a_right_token_is_not(void **state)
{
	struct mosquitto bad = tcp_client("w1", "w1"), good = tcp_client("w2", "w2");

	(void)state;
	world.p.limits.failures_per_minute = 5;
	for (int i = 0; i < 20; i++)
		assert_int_equal(basic_auth(&world, &bad, "tk_wrong"), MOSQ_ERR_AUTH);
	assert_int_equal(refused(REFUSED_INVALID_TOKEN), 5);
	assert_int_equal(refused(REFUSED_RATE_LIMITED), 15);
	assert_int_equal(limited(LIMIT_AUTH_FAILURES), 15);
	log_in(&world, &good);
	log_in(&world, &bad);
	assert_int_equal(state_of(&world, "w1"), PRESENCE_ONLINE);
	assert_int_equal(state_of(&world, "w2"), PRESENCE_ONLINE);
}

static void who_shows_its_token_is_told_what_is_wrong_however_many_have_failed(void **state)
{
	struct mosquitto bad = tcp_client("w1", "w1"), slow = tcp_client("w2", "w2");

	(void)state;
	world.p.limits.failures_per_minute = 1;
	for (int i = 0; i < 3; i++)
		basic_auth(&world, &bad, "tk_wrong");
	slow.keepalive = 0;
	assert_int_equal(basic_auth(&world, &slow, TOKEN), MOSQ_ERR_AUTH);
	assert_int_equal(refused(REFUSED_KEEPALIVE_REFUSED), 1);
}

static void takeovers_in_a_loop_end_with_the_session_that_is_there(void **state)
{
	static struct mosquitto c[20];

	(void)state;
	world.p.options.connects_per_minute = 5;
	for (int i = 0; i < 20; i++) {
		c[i] = tcp_client("w1", "w1");
		if (i < 5)
			log_in(&world, &c[i]);
		else
			assert_int_equal(basic_auth(&world, &c[i], TOKEN), MOSQ_ERR_AUTH);
		turn(&world);
	}
	assert_int_equal(limited(LIMIT_CONNECTS), 15);
	assert_int_equal(refused(REFUSED_RATE_LIMITED), 15);
	assert_int_equal(state_of(&world, "w1"), PRESENCE_ONLINE);
	assert_int_equal(acl(&world, &c[4], MOSQ_ACL_WRITE, "workers/w1/metrics", "{}"),
			 MOSQ_ERR_SUCCESS);
	assert_int_equal(broker.kicked_len, 0);
	log_in(&world, &(struct mosquitto){.id = "w2",
					   .username = "w2",
					   .address = "127.0.0.1",
					   .protocol = mp_mqtt,
					   .version = 5,
					   .keepalive = 60});
}

static void neither_leaving_nor_a_crash_makes_a_worker_new(void **state)
{
	struct mosquitto c = tcp_client("w1", "w1");

	(void)state;
	world.p.options.connects_per_minute = 5;
	for (int i = 0; i < 5; i++) {
		log_in(&world, &c);
		turn(&world);
		disconnect(&world, &c, 0);
		turns(&world, 2);
	}
	assert_int_equal(basic_auth(&world, &c, TOKEN), MOSQ_ERR_AUTH);
	turn(&world);
	world_crash(&world, "60000");
	world.p.options.connects_per_minute = 5;
	assert_int_equal(basic_auth(&world, &c, TOKEN), MOSQ_ERR_AUTH);
	world.p.options.connects_per_minute = 0; /* no limit */
	log_in(&world, &c);
}

static int notices(void)
{
	int n = 0;

	for (size_t i = 0; i < broker.said_len; i++)
		n += strcmp(broker.said[i].topic, "workers/w1/notice") == 0 &&
		     strstr(broker.said[i].payload, "RATE_LIMITED") != NULL;
	return n;
}

static int published(struct mosquitto *c, const char *topic, int tries)
{
	int n = 0;

	for (int i = 0; i < tries; i++)
		n += acl(&world, c, MOSQ_ACL_WRITE, topic, "{}") == MOSQ_ERR_SUCCESS;
	return n;
}

static void flood_is_cut_to_its_limit_and_told_once(void **state)
{
	struct mosquitto a = tcp_client("w1", "w1"), b = tcp_client("w1.b", "w1"),
			 other = tcp_client("w2", "w2");

	(void)state;
	world.p.options.publishes_per_second = 10;
	log_in(&world, &a);
	log_in(&world, &b);
	log_in(&world, &other);
	turn(&world);
	/* The burst is the worker's, whichever session and topic it uses. */
	assert_int_equal(published(&a, "workers/w1/app/x", 60) +
				 published(&b, "workers/w1/metrics", 60),
			 100);
	assert_int_equal(published(&a, "workers/w1/will", 20), 0);
	assert_int_equal(limited(LIMIT_PUBLISHES), 40);
	assert_int_equal(stats.families[STAT_DENIED][DENY_RATE], 40);
	assert_int_equal(notices(), 1);
	assert_int_equal(published(&other, "workers/w2/metrics", 60), 60);
	/* What it reads is not limited, and it stays. */
	assert_int_equal(acl(&world, &a, MOSQ_ACL_READ, "workers/w1/commands", "{}"),
			 MOSQ_ERR_SUCCESS);
	assert_int_equal(broker.kicked_len, 0);
	assert_int_equal(state_of(&world, "w1"), PRESENCE_ONLINE);
}

static void will_of_a_flooding_worker_still_says_that_it_was_lost(void **state)
{
	struct mosquitto c = tcp_client("w1", "w1");

	(void)state;
	world.p.options.publishes_per_second = 1;
	world.p.conns.has_connect_event = true;
	log_in(&world, &c);
	published(&c, "workers/w1/metrics", 50);
	will(&world, &c, "{\"reason\":\"power\"}");
	disconnect(&world, &c, MOSQ_ERR_CONN_LOST);
	turn(&world);
	assert_int_equal(reason_of_worker(&world, "w1"), REASON_CONNECTION_LOST);
	assert_string_equal(presence_of(&world, "w1").detail, "power");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bucket_gives_a_burst_and_then_its_rate),
		cmocka_unit_test(refusals_cost_nothing),
		cmocka_unit_test(bucket_without_a_limit_never_ends),
		cmocka_unit_test(clock_that_went_back_locks_nobody_out),
		cmocka_unit_test(small_limits_are_exact),
		cmocka_unit_test(
			addresses_are_counted_apart_and_forgotten_rather_than_confused),
		TEST(failures_are_limited_and_a_right_token_is_not),
		TEST(who_shows_its_token_is_told_what_is_wrong_however_many_have_failed),
		TEST(takeovers_in_a_loop_end_with_the_session_that_is_there),
		TEST(neither_leaving_nor_a_crash_makes_a_worker_new),
		TEST(flood_is_cut_to_its_limit_and_told_once),
		TEST(will_of_a_flooding_worker_still_says_that_it_was_lost),
	};

	return sodium_init() < 0 ? EXIT_FAILURE : cmocka_run_group_tests(tests, NULL, NULL);
}

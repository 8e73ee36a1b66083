// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/presence/heartbeat.h"
#include "tests/unit/unit.h"

static struct heartbeat beat;

static enum err_code parse(const char *text)
{
	struct err e = {0};

	return heartbeat_parse(text, strlen(text), &beat, &e);
}

static void what_the_plugin_says_is_read(void **state)
{
	(void)state;
	assert_int_equal(parse("{\"node\":\"n\",\"boot\":10,\"seq\":20,\"at\":\"x\","
			       "\"clock_us\":30,\"count\":40,\"hash\":\"00000000000000ff\"}"),
			 ERR_OK);
	assert_int_equal(beat.pos.boot, 10);
	assert_int_equal(beat.pos.seq, 20);
	assert_int_equal(beat.clock_us, 30);
	assert_true(beat.has_digest);
	assert_int_equal(beat.digest.count, 40);
	assert_int_equal(beat.digest.hash, 255);
}

static void an_older_plugin_proves_nothing(void **state)
{
	(void)state;
	assert_int_equal(parse("{\"boot\":10,\"seq\":20}"), ERR_OK);
	assert_false(beat.has_digest);
	assert_int_equal(beat.clock_us, 0);
}

static void what_is_wrong_is_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		"[]",
		"{",
		"{\"boot\":10}",
		"{\"boot\":\"10\",\"seq\":20}",
		"{\"boot\":-1,\"seq\":20}",
		"{\"boot\":10,\"seq\":20,\"hash\":5}",
		"{\"boot\":10,\"seq\":20,\"hash\":\"00000000000000zz\"}",
		"{\"boot\":10,\"seq\":20,\"hash\":\"ff\"}",
		"{\"boot\":10,\"seq\":20,\"count\":-4}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_not_equal(parse(wrong[i]), ERR_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_plugin_says_is_read),
		cmocka_unit_test(an_older_plugin_proves_nothing),
		cmocka_unit_test(what_is_wrong_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

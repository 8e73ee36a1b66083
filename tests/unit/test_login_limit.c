// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/login_limit.h"
#include "tests/unit/unit.h"

#define SECOND INT64_C(1000000)

static struct login_limit *limit;

static int set_up(void **state)
{
	struct err e;

	(void)state;
	limit = login_limit_new(&e);
	return limit != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	login_limit_free(limit);
	return 0;
}

static void guess(const char *name, const char *address, int64_t now_us)
{
	assert_int_equal(login_limit_begin(limit, name, address, now_us), 0);
	login_limit_end(limit, name, address, LOGIN_FAILS, now_us);
}

static void ten_failures_are_enough(void **state)
{
	(void)state;
	for (int i = 0; i < LOGIN_FAILURES_MAX; i++)
		guess("a", "::1", i * SECOND);
	assert_int_equal(login_limit_begin(limit, "a", "::1", 10 * SECOND), 50);
	assert_int_equal(login_limit_begin(limit, "a", "::1", 60 * SECOND), 0);
}

static void nobody_shuts_another_out(void **state)
{
	(void)state;
	for (int i = 0; i < LOGIN_FAILURES_MAX; i++)
		guess("a", "::1", 0);
	assert_int_equal(login_limit_begin(limit, "b", "::1", 0), 0);
	assert_int_equal(login_limit_begin(limit, "a", "::2", 0), 0);
}

static void a_success_forgets_the_failures(void **state)
{
	(void)state;
	for (int i = 0; i < LOGIN_FAILURES_MAX - 1; i++)
		guess("a", "::1", 0);
	assert_int_equal(login_limit_begin(limit, "a", "::1", 0), 0);
	login_limit_end(limit, "a", "::1", LOGIN_FITS, 0);
	guess("a", "::1", 0);
	assert_int_equal(login_limit_begin(limit, "a", "::1", 0), 0);
}

static void what_was_not_decided_does_not_count(void **state)
{
	(void)state;
	for (int i = 0; i < 5 * LOGIN_FAILURES_MAX; i++) {
		assert_int_equal(login_limit_begin(limit, "a", "::1", 0), 0);
		login_limit_end(limit, "a", "::1", LOGIN_UNDECIDED, 0);
	}
}

static void only_so_many_at_once(void **state)
{
	(void)state;
	for (int i = 0; i < LOGINS_AT_ONCE; i++)
		assert_int_equal(login_limit_begin(limit, "a", "::1", 0), 0);
	assert_int_equal(login_limit_begin(limit, "b", "::2", 0), 1);
	login_limit_end(limit, "a", "::1", LOGIN_FITS, 0);
	assert_int_equal(login_limit_begin(limit, "b", "::2", 0), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(ten_failures_are_enough),        T(nobody_shuts_another_out),
		T(a_success_forgets_the_failures), T(what_was_not_decided_does_not_count),
		T(only_so_many_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/identity/login_limit.h"
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
	assert_int_equal(login_limit_begin(limit, "a", "2001:db8::1", 0), 0);
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
	char address[16];

	(void)state;
	for (int i = 0; i < LOGINS_AT_ONCE; i++) {
		snprintf(address, sizeof(address), "10.0.0.%d", i);
		assert_int_equal(login_limit_begin(limit, "a", address, 0), 0);
	}
	assert_int_equal(login_limit_begin(limit, "b", "::2", 0), 1);
	login_limit_end(limit, "a", "10.0.0.1", LOGIN_FAILS, 0);
	assert_int_equal(login_limit_begin(limit, "b", "::2", 0), 0);
}

static void one_place_does_not_take_all_the_room(void **state)
{
	(void)state;
	for (int i = 0; i < LOGINS_PER_PLACE; i++)
		assert_int_equal(login_limit_begin(limit, "a", "2001:db8::1", 0), 0);
	assert_int_equal(login_limit_begin(limit, "b", "2001:db8::2", 0), 1);
	assert_int_equal(login_limit_begin(limit, "b", "2001:db8:0:1::2", 0), 0);
}

/* Many names, few attempts each. */
static void spray(const char *address, int from, int to)
{
	char name[16];

	for (int i = from; i < to; i++) {
		snprintf(name, sizeof(name), "user%d", i);
		guess(name, address, 0);
	}
}

static void a_place_that_tries_many_names_must_wait(void **state)
{
	(void)state;
	spray("192.0.2.1", 0, LOGIN_PLACE_FAILURES_MAX);
	assert_int_equal(login_limit_begin(limit, "a", "192.0.2.1", 0), 60);
	assert_int_equal(login_limit_begin(limit, "a", "192.0.2.2", 0), 0);
	assert_int_equal(login_limit_begin(limit, "b", "192.0.2.1", 60 * SECOND), 0);
}

static void who_was_here_before_is_not_shut_out_by_others(void **state)
{
	(void)state;
	assert_int_equal(login_limit_begin(limit, "admin", "192.0.2.1", 0), 0);
	login_limit_end(limit, "admin", "192.0.2.1", LOGIN_FITS, 0);
	assert_true(login_limit_knows(limit, "admin", "192.0.2.1"));
	assert_false(login_limit_knows(limit, "admin", "192.0.2.2"));
	assert_false(login_limit_knows(limit, "user", "192.0.2.1"));
	spray("192.0.2.1", 0, LOGIN_PLACE_FAILURES_MAX);
	assert_int_equal(login_limit_begin(limit, "user", "192.0.2.1", 0), 60);
	assert_int_equal(login_limit_begin(limit, "admin", "192.0.2.1", 0), 0);
}

static void there_is_room_for_who_is_known_when_strangers_take_all(void **state)
{
	char address[16];

	(void)state;
	assert_int_equal(login_limit_begin(limit, "admin", "192.0.2.1", 0), 0);
	login_limit_end(limit, "admin", "192.0.2.1", LOGIN_FITS, 0);
	for (int i = 0; i < LOGINS_AT_ONCE; i++) {
		snprintf(address, sizeof(address), "10.0.0.%d", i);
		assert_int_equal(login_limit_begin(limit, "admin", address, 0), 0);
	}
	assert_int_equal(login_limit_begin(limit, "admin", "10.1.1.1", 0), 1);
	assert_int_equal(login_limit_begin(limit, "admin", "192.0.2.1", 0), 0);
}

static void what_is_remembered_is_bounded(void **state)
{
	char address[16];

	(void)state;
	for (int i = 0; i <= LOGINS_KNOWN; i++) {
		snprintf(address, sizeof(address), "10.0.%d.%d", i / 250, i % 250);
		assert_int_equal(login_limit_begin(limit, "a", address, 0), 0);
		login_limit_end(limit, "a", address, LOGIN_FITS, 0);
		/* The first goes on coming. */
		assert_int_equal(login_limit_begin(limit, "a", "10.0.0.0", 0), 0);
		login_limit_end(limit, "a", "10.0.0.0", LOGIN_FITS, 0);
	}
	assert_true(login_limit_knows(limit, "a", "10.0.0.0"));
	assert_false(login_limit_knows(limit, "a", "10.0.0.1"));
	assert_true(login_limit_knows(limit, "a", address));
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	T(ten_failures_are_enough),
	T(nobody_shuts_another_out),
	T(a_success_forgets_the_failures),
	T(what_was_not_decided_does_not_count),
	T(only_so_many_at_once),
	T(one_place_does_not_take_all_the_room),
	T(a_place_that_tries_many_names_must_wait),
	T(who_was_here_before_is_not_shut_out_by_others),
	T(there_is_room_for_who_is_known_when_strangers_take_all),
	T(what_is_remembered_is_bounded),
};

UNIT_MAIN(tests)

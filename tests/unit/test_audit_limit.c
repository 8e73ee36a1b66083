// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/audit/audit_limit.h"
#include "tests/unit/unit.h"

#define SECOND INT64_C(1000000)
#define START (1000 * SECOND)

static struct audit_limit limit;

static int set_up(void **state)
{
	(void)state;
	limit = (struct audit_limit){0};
	return 0;
}

static int take_all(int64_t now_us)
{
	int n = 0;

	while (audit_limit_take(&limit, now_us))
		n++;
	return n;
}

static void there_is_a_burst_and_then_one_a_second(void **state)
{
	(void)state;
	assert_int_equal(take_all(START), AUDIT_BURST);
	assert_int_equal(take_all(START + SECOND / 2), 0);
	assert_int_equal(take_all(START + SECOND), 1);
	assert_int_equal(take_all(START + 11 * SECOND), 10);
}

static void after_quiet_times_the_burst_is_there_again(void **state)
{
	(void)state;
	take_all(START);
	assert_int_equal(take_all(START + 100 * AUDIT_BURST * SECOND), AUDIT_BURST);
}

static void a_day_of_flood_is_bounded(void **state)
{
	int64_t rows = 0;

	(void)state;
	for (int s = 0; s < 24 * 3600; s++)
		rows += take_all(START + s * SECOND);
	assert_int_equal(rows, AUDIT_BURST + 24 * 3600 - 1);
}

static void what_has_no_row_is_summed_by_event_and_code(void **state)
{
	(void)state;
	audit_limit_sum(&limit, "login_refused", "INVALID_TOKEN", 3);
	audit_limit_sum(&limit, "sign_in_refused", "INVALID_TOKEN", 1);
	audit_limit_sum(&limit, "login_refused", "INVALID_TOKEN", 4);
	assert_int_equal(limit.sums_len, 2);
	assert_string_equal(limit.sums[0].event, "login_refused");
	assert_string_equal(limit.sums[0].code, "INVALID_TOKEN");
	assert_int_equal(limit.sums[0].count, 7);
	assert_int_equal(limit.sums[1].count, 1);
}

static void nothing_is_uncounted_when_there_are_too_many_codes(void **state)
{
	char code[16];
	int64_t sum = 0;

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(code, sizeof(code), "CODE_%d", i);
		audit_limit_sum(&limit, "login_refused", code, 1);
	}
	assert_int_equal(limit.sums_len, AUDIT_SUMS_MAX);
	for (size_t i = 0; i < limit.sums_len; i++)
		sum += limit.sums[i].count;
	assert_int_equal(sum, 100);
	assert_string_equal(limit.sums[AUDIT_SUMS_MAX - 1].code, "OTHER");
}

#define T(f) cmocka_unit_test_setup(f, set_up)

static const struct CMUnitTest tests[] = {
	T(there_is_a_burst_and_then_one_a_second),
	T(after_quiet_times_the_burst_is_there_again),
	T(a_day_of_flood_is_bounded),
	T(what_has_no_row_is_summed_by_event_and_code),
	T(nothing_is_uncounted_when_there_are_too_many_codes),
};

UNIT_MAIN(tests)

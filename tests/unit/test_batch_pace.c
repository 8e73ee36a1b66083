// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/commands/batch_pace.h"
#include "protocol/util.h"
#include "tests/unit/unit.h"

static void without_a_limit_it_goes_as_fast_as_it_can(void **state)
{
	struct batch_pace pace;

	(void)state;
	batch_pace(0, false, 0, &pace);
	assert_int_equal(pace.n, BATCH_AT_ONCE);
	assert_int_equal(pace.wait_ms, 0);
}

static void a_limit_spaces_them_evenly(void **state)
{
	static const struct {
		int64_t per_minute;
		bool began;
		int64_t lag_ms;
		int64_t n, next_us, wait_ms;
	} rows[] = {
		{60,      false, 0,     1,   1000000, 1000},
                {60,      true,  0,     1,   1000000, 1000},
		{60,      true,  -400,  0,   400000,  400 },
                {60,      true,  30,    1,   970000,  970 },
		{60,      true,  90000, 1,   750000,  750 }, /* no burst after an absence */
		{6000,    true,  95,    10,  5000,    5   },
                {6000,    true,  9000,  26,  10000,   10  },
		{1000000, true,  250,   200, -238000, 0   },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct batch_pace pace;

		batch_pace(rows[i].per_minute, rows[i].began, rows[i].lag_ms, &pace);
		assert_int_equal(pace.n, rows[i].n);
		assert_int_equal(pace.next_us, rows[i].next_us);
		assert_int_equal(pace.wait_ms, rows[i].wait_ms);
	}
}

/* Steps come at any time: in no minute there are more than were allowed. */
static void no_minute_has_more_than_the_limit(void **state)
{
	const int64_t per_minute = 90;
	int64_t sent_ms[4000];
	int64_t due_us = 0;
	size_t sent = 0, first = 0;
	bool began = false;

	(void)state;
	for (int64_t now_ms = 0; now_ms < 600000; now_ms += 1 + now_ms % 37) {
		struct batch_pace pace;

		batch_pace(per_minute, began, now_ms - due_us / 1000, &pace);
		if (pace.n == 0)
			continue;
		began = true;
		due_us = now_ms * 1000 + pace.next_us;
		for (int64_t i = 0; i < pace.n; i++)
			sent_ms[sent++] = now_ms;
		while (sent_ms[sent - 1] - sent_ms[first] >= 60000)
			first++;
		assert_true((int64_t)(sent - first) <= per_minute + 1);
	}
	assert_true(sent > 890);
}

static void a_share_of_failures_aborts_once_enough_have_ended(void **state)
{
	static const struct {
		int64_t percent, total, failed, ended;
		bool aborts;
	} rows[] = {
		{50,  10,    0,  0,  false},
                {50,  10,    0,  1,  false},
                {50,  10,    1,  1,  true },
		{50,  10,    1,  2,  true },
                {50,  10,    1,  3,  false},
                {10,  10000, 9,  9,  false},
		{10,  10000, 1,  10, true },
                {10,  10000, 1,  11, false},
                {100, 20,    2,  2,  true },
		{100, 20,    19, 20, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(batch_aborts(rows[i].percent, rows[i].total, rows[i].failed,
					      rows[i].ended),
				 rows[i].aborts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_limit_it_goes_as_fast_as_it_can),
		cmocka_unit_test(a_limit_spaces_them_evenly),
		cmocka_unit_test(no_minute_has_more_than_the_limit),
		cmocka_unit_test(a_share_of_failures_aborts_once_enough_have_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
